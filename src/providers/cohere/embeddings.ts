import { countOf, isArray, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { EmbeddingRequest } from '../../inference/embedding.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import { jsonBody } from '../base/json-body.ts';
import type { MadeRequest, Wire } from '../provider.ts';
import { toError } from './to-error.ts';

/** https://docs.cohere.com/reference/embed: "Maximum number of texts per call is 96." */
const MAX_INPUTS = 96;
/** In its words; `image` is its own. */
const INPUT_TYPES: ReadonlyMap<string, string> = new Map([
  ['query', 'search_query'],
  ['document', 'search_document'],
  ['classification', 'classification'],
  ['clustering', 'clustering'],
]);

/** https://docs.cohere.com/reference/embed */
export const cohereEmbeddingsWire: Wire = {
  name: 'cohere-embed',
  operation: 'embedding',
  framing: 'none',
  method: 'POST',
  contentType: 'application/json',
  forwards: [],
  path: () => '/v2/embed',
  toUsage: () => undefined,
  toError,
  translation: { maxInputs: () => MAX_INPUTS, toRequest, fromResponse },
};

function toRequest({ model, inputs, inputType, dimensions, encoding, extra }: EmbeddingRequest): OrError<MadeRequest> {
  const texts = inputs.filter((input) => typeof input === 'string');
  if (texts.length < inputs.length) {
    const detail = 'Cohere takes texts, no tokens: its vocabulary is another one.';
    return new GatewayError('unsupported_parameter', { param: 'input', detail });
  }
  const input_type = inputType === undefined ? undefined : INPUT_TYPES.get(inputType);
  if (input_type === undefined) {
    const detail = `Cohere wants \`input_type\`: ${[...INPUT_TYPES.values()].join(', ')}.`;
    const code = inputType === undefined ? 'missing_parameter' : 'unsupported_parameter';
    return new GatewayError(code, { param: 'input_type', detail });
  }
  const body = {
    model,
    input_type,
    // Less to read and to write where that is what the client wants.
    embedding_types: [encoding],
    output_dimension: dimensions,
    texts,
    ...extra,
  };
  return { body: jsonBody(body), headers: [] };
}

/** `embeddings: {float: [[…]]}`, or `base64: ["…"]`: https://docs.cohere.com/reference/embed */
function fromResponse(body: Buffer): OrError<InferenceEvent[]> {
  const answer = parseObject(body.toString('utf8'));
  const { float, base64 } = objectOf(answer?.['embeddings']) ?? {};
  const vectors = float ?? base64;
  if (!isArray(vectors)) return new GatewayError('upstream_protocol', { detail: 'Its answer has no vectors.' });
  const events: InferenceEvent[] = [];
  for (const [index, each] of vectors.entries()) {
    const vector = isArray(each) && each.every((value) => typeof value === 'number') ? each : stringOf(each);
    if (vector === undefined) {
      return new GatewayError('upstream_protocol', { detail: `Its vector ${index} is no list of numbers.` });
    }
    events.push({ type: 'embedding', index, vector });
  }
  const units = objectOf(objectOf(answer?.['meta'])?.['billed_units']);
  const inputTokens = countOf(units?.['input_tokens']);
  if (inputTokens !== undefined) events.push({ type: 'usage', usage: { inputTokens } });
  return events;
}
