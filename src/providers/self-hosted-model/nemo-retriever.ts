import { isArray, objectOf, parseObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { EmbeddingRequest } from '../../inference/embedding.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { RerankRequest } from '../../inference/rerank.ts';
import { jsonBody } from '../base/json-body.ts';
import { cohereRerankWire, openAiEmbeddingsWire } from '../openai-compatible/wire.ts';
import type { Wire } from '../provider.ts';

/** NVIDIA's words for what a vector is for; it has no others. */
const INPUT_TYPES: ReadonlyMap<string, string> = new Map([
  ['query', 'query'],
  ['document', 'passage'],
]);
/** A model id may say it instead. */
const TYPED_MODEL = /-(query|passage)$/;

/** OpenAI's form, but for a type of input that it wants: https://docs.nvidia.com/nim/nemo-retriever/text-embedding/ */
export const nemoEmbeddingsWire: Wire = {
  ...openAiEmbeddingsWire,
  name: 'nemo-embeddings',
  translation: { toRequest: toEmbeddings, fromResponse: fromEmbeddings },
};

/** https://docs.nvidia.com/nim/nemo-retriever/text-reranking/ */
export const nemoRankingWire: Wire = {
  ...cohereRerankWire,
  name: 'nemo-ranking',
  path: () => '/ranking',
  translation: { toRequest: toRanking, fromResponse: fromRanking },
};

type Made = OrError<{ body: Buffer; headers: readonly string[] }>;

function toEmbeddings({ model, inputs, dimensions, encoding, inputType, user, extra }: EmbeddingRequest): Made {
  if (inputs.some((input) => typeof input !== 'string')) {
    return new GatewayError('unsupported_parameter', {
      param: 'input',
      detail: 'NeMo Retriever takes texts, no tokens.',
    });
  }
  const type = inputType === undefined ? undefined : INPUT_TYPES.get(inputType);
  if (inputType !== undefined && type === undefined) {
    return new GatewayError('unsupported_parameter', {
      param: 'input_type',
      detail: `NeMo Retriever knows query and document, not \`${inputType}\`.`,
    });
  }
  if (type === undefined && !TYPED_MODEL.test(model)) {
    return new GatewayError('missing_parameter', {
      param: 'input_type',
      detail: 'NeMo Retriever wants `input_type`: query or document.',
    });
  }
  const body = { model, input: inputs, input_type: type, encoding_format: encoding, dimensions, user, ...extra };
  return { body: jsonBody(body), headers: [] };
}

function fromEmbeddings(body: Buffer): OrError<InferenceEvent[]> {
  const answer = parseObject(body.toString('utf8'));
  if (!isArray(answer?.['data'])) return noList('vectors');
  const events: InferenceEvent[] = [];
  for (const [place, each] of answer['data'].entries()) {
    const { index = place, embedding } = objectOf(each) ?? {};
    if (typeof index !== 'number' || !(typeof embedding === 'string' || isNumbers(embedding))) return noList('vectors');
    events.push({ type: 'embedding', index, vector: embedding });
  }
  return withUsage(events, nemoEmbeddingsWire, answer);
}

function toRanking({ model, query, documents, returnDocuments, extra }: RerankRequest): Made {
  if (returnDocuments) {
    return new GatewayError('unsupported_parameter', {
      param: 'return_documents',
      detail: 'NeMo Retriever gives places in the list, no documents.',
    });
  }
  const passages = documents.map((text) => ({ text }));
  return { body: jsonBody({ model, query: { text: query }, passages, ...extra }), headers: [] };
}

/** `{"rankings": [{index, logit}]}` */
function fromRanking(body: Buffer): OrError<InferenceEvent[]> {
  const answer = parseObject(body.toString('utf8'));
  if (!isArray(answer?.['rankings'])) return noList('rankings');
  const events: InferenceEvent[] = [];
  for (const each of answer['rankings']) {
    const { index, logit } = objectOf(each) ?? {};
    if (typeof index !== 'number' || typeof logit !== 'number') return noList('rankings');
    events.push({ type: 'rerank-result', index, score: logit });
  }
  return withUsage(events, nemoRankingWire, answer);
}

function withUsage(events: InferenceEvent[], { toUsage }: Wire, answer: Record<string, unknown>): InferenceEvent[] {
  const usage = toUsage(answer['usage'], answer);
  if (usage) events.push({ type: 'usage', usage });
  return events;
}

function isNumbers(value: unknown): value is readonly number[] {
  return isArray(value) && value.every((each) => typeof each === 'number');
}

function noList(of: string): GatewayError {
  return new GatewayError('upstream_protocol', { detail: `Its answer is no list of ${of}.` });
}
