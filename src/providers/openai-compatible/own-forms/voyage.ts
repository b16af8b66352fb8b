import { countOf, isArray, objectOf, parseObject, stringOf } from '../../../codec/json-value.ts';
import { GatewayError } from '../../../core/errors.ts';
import type { OrError } from '../../../core/exchange.ts';
import type { EmbeddingRequest } from '../../../inference/embedding.ts';
import type { InferenceEvent } from '../../../inference/event.ts';
import type { RerankRequest } from '../../../inference/rerank.ts';
import { jsonBody } from '../../base/json-body.ts';
import type { MadeRequest, Wire } from '../../provider.ts';
import { toRerankUsage } from '../to-rerank-usage.ts';
import { cohereRerankWire, openAiEmbeddingsWire } from '../wire.ts';

/** https://docs.voyageai.com/reference/embeddings-api: "The maximum length of the list is 1,000." */
const MAX_INPUTS = 1_000;
const INPUT_TYPES: ReadonlySet<string> = new Set(['query', 'document']);

/** https://docs.voyageai.com/reference/embeddings-api */
export const voyageEmbeddings: Wire = {
  ...openAiEmbeddingsWire,
  name: 'voyage-embeddings',
  forwards: [],
  toUsage: toRerankUsage,
  translation: { maxInputs: () => MAX_INPUTS, toRequest: toEmbeddings, fromResponse: fromEmbeddings },
};

function toEmbeddings({
  model,
  inputs,
  inputType,
  dimensions,
  encoding,
  extra,
}: EmbeddingRequest): OrError<MadeRequest> {
  if (inputs.some((input) => typeof input !== 'string')) {
    return new GatewayError('unsupported_parameter', { param: 'input', detail: 'Voyage takes texts, no tokens.' });
  }
  if (inputType !== undefined && !INPUT_TYPES.has(inputType)) {
    const detail = `Voyage knows query and document, not \`${inputType}\`.`;
    return new GatewayError('unsupported_parameter', { param: 'input_type', detail });
  }
  const body = {
    model,
    input: inputs,
    input_type: inputType,
    output_dimension: dimensions,
    // Floats are what it writes where nothing is said, and it has no word for them.
    encoding_format: encoding === 'base64' ? encoding : undefined,
    ...extra,
  };
  return { body: jsonBody(body), headers: [] };
}

function fromEmbeddings(body: Buffer): OrError<InferenceEvent[]> {
  const answer = parseObject(body.toString('utf8'));
  const data = answer?.['data'];
  if (!isArray(data)) return new GatewayError('upstream_protocol', { detail: 'Its answer has no vectors.' });
  const events: InferenceEvent[] = [];
  for (const [place, each] of data.entries()) {
    const { index = place, embedding: vector } = objectOf(each) ?? {};
    const numbers = isArray(vector) && vector.every((value) => typeof value === 'number') ? vector : stringOf(vector);
    if (numbers === undefined || typeof index !== 'number') {
      return new GatewayError('upstream_protocol', { detail: `Its vector ${place} is no list of numbers.` });
    }
    events.push({ type: 'embedding', index, vector: numbers });
  }
  const inputTokens = countOf(objectOf(answer?.['usage'])?.['total_tokens']);
  if (inputTokens !== undefined) events.push({ type: 'usage', usage: { inputTokens } });
  return events;
}

/** https://docs.voyageai.com/reference/reranker-api */
export const voyageRerank: Wire = {
  ...cohereRerankWire,
  name: 'voyage-rerank',
  translation: { toRequest: toRerank, fromResponse: fromRerank },
};

function toRerank({ model, query, documents, maxResults, returnDocuments, extra }: RerankRequest): MadeRequest {
  const body = { model, query, documents, top_k: maxResults, return_documents: returnDocuments || undefined, ...extra };
  return { body: jsonBody(body), headers: [] };
}

function fromRerank(body: Buffer): OrError<InferenceEvent[]> {
  const answer = parseObject(body.toString('utf8'));
  const data = answer?.['data'];
  if (!isArray(data)) return new GatewayError('upstream_protocol', { detail: 'Its answer is no list of scores.' });
  const events: InferenceEvent[] = [];
  for (const each of data) {
    const { index, relevance_score: score, document } = objectOf(each) ?? {};
    if (typeof index !== 'number' || typeof score !== 'number') {
      return new GatewayError('upstream_protocol', { detail: 'One of its scores has no index or no number.' });
    }
    events.push({ type: 'rerank-result', index, score, ...(typeof document === 'string' && { document }) });
  }
  const usage = toRerankUsage(answer?.['usage'], answer ?? {});
  if (usage) events.push({ type: 'usage', usage });
  return events;
}
