import { countOf, isArray, objectOf, parseObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { EmbeddingRequest } from '../../inference/embedding.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import { jsonBody } from '../base/json-body.ts';
import { embeddingTexts } from '../gemini-generate-content/embedding-texts.ts';
import { toError } from '../gemini-generate-content/to-error.ts';
import type { Wire } from '../provider.ts';

/** https://cloud.google.com/vertex-ai/generative-ai/docs/embeddings/get-text-embeddings#get_text_embeddings_for_a_snippet_of_text */
const MAX_INPUTS = 250;
/** "For gemini-embedding-001, each request can only include a single input text." */
const ONE_INPUT = /gemini-embedding/;

/** https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api */
export const vertexEmbeddingsWire: Wire = {
  name: 'vertex-predict-embeddings',
  operation: 'embedding',
  framing: 'none',
  method: 'POST',
  contentType: 'application/json',
  forwards: [],
  path: ({ modelId }) => `/${modelId.includes('/') ? modelId : `models/${modelId}`}:predict`,
  // Told within each vector, which the translation reads.
  toUsage: () => undefined,
  toError,
  translation: { maxInputs: (modelId) => (ONE_INPUT.test(modelId) ? 1 : MAX_INPUTS), toRequest, fromResponse },
};

function toRequest(request: EmbeddingRequest): OrError<{ body: Buffer; headers: readonly string[] }> {
  const asked = embeddingTexts(request);
  if (asked instanceof GatewayError) return asked;
  const { texts, taskType, others } = asked;
  const instances = texts.map((content) => ({ content, task_type: taskType }));
  const parameters = { outputDimensionality: request.dimensions, ...others };
  const isPlain = Object.values(parameters).every((value) => value === undefined);
  return { body: jsonBody({ instances, ...(!isPlain && { parameters }) }), headers: [] };
}

function fromResponse(body: Buffer): OrError<InferenceEvent[]> {
  const predictions = parseObject(body.toString('utf8'))?.['predictions'];
  if (!isArray(predictions)) return new GatewayError('upstream_protocol', { detail: 'Its answer has no vectors.' });
  const events: InferenceEvent[] = [];
  let tokens: number | undefined = 0;
  for (const [index, each] of predictions.entries()) {
    const { values, statistics } = objectOf(objectOf(each)?.['embeddings']) ?? {};
    if (!isArray(values) || !values.every((value) => typeof value === 'number')) {
      return new GatewayError('upstream_protocol', { detail: `Its vector ${index} is no list of numbers.` });
    }
    events.push({ type: 'embedding', index, vector: values });
    const counted = countOf(objectOf(statistics)?.['token_count']);
    tokens = tokens === undefined || counted === undefined ? undefined : tokens + counted;
  }
  if (tokens !== undefined) events.push({ type: 'usage', usage: { inputTokens: tokens } });
  return events;
}
