import { isArray, objectOf, parseObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { RerankRequest } from '../../inference/rerank.ts';
import { jsonBody } from '../base/json-body.ts';
import { toError } from '../gemini-generate-content/to-error.ts';
import type { MadeRequest, Wire } from '../provider.ts';

/**
 * The ranking API, at an address of its own: https://cloud.google.com/generative-ai-app-builder/docs/ranking. It bills by
 * the query.
 */
export const vertexRerankWire: Wire = {
  name: 'vertex-ranking',
  operation: 'rerank',
  framing: 'none',
  method: 'POST',
  contentType: 'application/json',
  forwards: [],
  path: () => '/rankingConfigs/default_ranking_config:rank',
  toUsage: () => undefined,
  toError,
  translation: { toRequest, fromResponse },
};

function toRequest({ model, query, documents, maxResults, returnDocuments, extra }: RerankRequest): MadeRequest {
  const body = {
    model,
    query,
    records: documents.map((content, index) => ({ id: String(index), content })),
    topN: maxResults,
    ignoreRecordDetailsInResponse: !returnDocuments,
    ...extra,
  };
  return { body: jsonBody(body), headers: [] };
}

function fromResponse(body: Buffer): OrError<InferenceEvent[]> {
  const records = parseObject(body.toString('utf8'))?.['records'];
  if (!isArray(records)) return new GatewayError('upstream_protocol', { detail: 'Its answer is no list of scores.' });
  const events: InferenceEvent[] = [{ type: 'usage', usage: { rare: { searchUnits: 1 } } }];
  for (const each of records) {
    const { id, score = 0, content } = objectOf(each) ?? {};
    const index = Number(id);
    if (!Number.isSafeInteger(index) || typeof score !== 'number') {
      return new GatewayError('upstream_protocol', { detail: 'One of its scores has no index or no number.' });
    }
    events.push({ type: 'rerank-result', index, score, ...(typeof content === 'string' && { document: content }) });
  }
  return events;
}
