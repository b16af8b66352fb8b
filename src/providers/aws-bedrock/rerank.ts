import { isArray, objectOf, parseObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { RerankRequest } from '../../inference/rerank.ts';
import { awsError } from '../base/aws-error.ts';
import { jsonBody } from '../base/json-body.ts';
import type { MadeRequest, TranslationTarget, Wire } from '../provider.ts';

/** https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_Rerank.html, at an address of its own. */
export const bedrockRerankWire: Wire = {
  name: 'bedrock-rerank',
  operation: 'rerank',
  framing: 'none',
  method: 'POST',
  contentType: 'application/json',
  forwards: [],
  path: () => '/rerank',
  // It tells no usage: it bills by the query.
  toUsage: () => undefined,
  toError: awsError,
  translation: { toRequest, fromResponse },
};

function toRequest(
  { model, query, documents, maxResults, returnDocuments, extra }: RerankRequest,
  { region = '' }: TranslationTarget,
): OrError<MadeRequest> {
  if (returnDocuments) {
    const detail = 'Bedrock gives scores and places alone.';
    return new GatewayError('unsupported_parameter', { param: 'return_documents', detail });
  }
  const { additionalModelRequestFields, ...others } = extra;
  const arn = `arn:${partitionOf(region)}:bedrock:${region}::foundation-model/${model}`;
  const body = {
    queries: [{ type: 'TEXT', textQuery: { text: query } }],
    rerankingConfiguration: {
      type: 'BEDROCK_RERANKING_MODEL',
      bedrockRerankingConfiguration: {
        modelConfiguration: { modelArn: model.startsWith('arn:') ? model : arn, additionalModelRequestFields },
        numberOfResults: maxResults,
      },
    },
    sources: documents.map((text) => ({
      type: 'INLINE',
      inlineDocumentSource: { type: 'TEXT', textDocument: { text } },
    })),
    ...others,
  };
  return { body: jsonBody(body), headers: [] };
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html */
function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}

function fromResponse(body: Buffer): OrError<InferenceEvent[]> {
  const results = parseObject(body.toString('utf8'))?.['results'];
  if (!isArray(results)) return new GatewayError('upstream_protocol', { detail: 'Its answer is no list of scores.' });
  const events: InferenceEvent[] = [{ type: 'usage', usage: { rare: { searchUnits: 1 } } }];
  for (const each of results) {
    const { index, relevanceScore: score } = objectOf(each) ?? {};
    if (typeof index !== 'number' || typeof score !== 'number') {
      return new GatewayError('upstream_protocol', { detail: 'One of its scores has no index or no number.' });
    }
    events.push({ type: 'rerank-result', index, score });
  }
  return events;
}
