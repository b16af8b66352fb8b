import { countOf, isArray, isObject, type JsonObject, objectOf, parseObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { EmbeddingRequest } from '../../inference/embedding.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { Usage } from '../../inference/usage.ts';
import { awsError } from '../base/aws-error.ts';
import { jsonBody } from '../base/json-body.ts';
import type { Wire } from '../provider.ts';

/** What the makers of embedding models on Bedrock call things; each has a body of its own. */
interface Family {
  readonly models: RegExp;
  readonly maxInputs: number;
  /** In the words of the family; undefined: it has none for it. Absent: it does not ask what a vector is for. */
  readonly inputTypes?: ReadonlyMap<string, string>;
  toBody(texts: readonly string[], request: EmbeddingRequest, inputType: string | undefined): object;
}

const COHERE_TYPES: ReadonlyMap<string, string> = new Map([
  ['query', 'search_query'],
  ['document', 'search_document'],
  ['classification', 'classification'],
  ['clustering', 'clustering'],
]);

const FAMILIES: readonly Family[] = [
  {
    // https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html
    models: /titan-embed-text/,
    maxInputs: 1,
    toBody: ([inputText], { dimensions, extra }) => ({ inputText, dimensions, ...extra }),
  },
  {
    // https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html
    models: /cohere\.embed/,
    maxInputs: 96,
    inputTypes: COHERE_TYPES,
    toBody: (texts, { dimensions, extra }, input_type) => ({
      texts,
      input_type,
      embedding_types: ['float'],
      output_dimension: dimensions,
      ...extra,
    }),
  },
  {
    // https://docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html
    models: /nova-[a-z0-9-]*embeddings/,
    maxInputs: 1,
    toBody: ([value], { dimensions, extra }) => ({
      taskType: 'SINGLE_EMBEDDING',
      singleEmbeddingParams: {
        embeddingPurpose: extra['task_type'] ?? 'GENERIC_INDEX',
        embeddingDimension: dimensions,
        text: { truncationMode: 'NONE', value },
      },
    }),
  },
];

/** InvokeModel: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html */
export const bedrockEmbeddingsWire: Wire = {
  name: 'bedrock-invoke-embeddings',
  operation: 'embedding',
  framing: 'none',
  method: 'POST',
  contentType: 'application/json',
  forwards: [],
  path: ({ modelId }) => `/model/${encodeURIComponent(modelId)}/invoke`,
  toUsage,
  toError: awsError,
  translation: { maxInputs: (modelId) => familyOf(modelId)?.maxInputs, toRequest, fromResponse },
};

function familyOf(modelId: string): Family | undefined {
  return FAMILIES.find(({ models }) => models.test(modelId));
}

function toRequest(request: EmbeddingRequest): OrError<{ body: Buffer; headers: readonly string[] }> {
  const family = familyOf(request.model);
  if (family === undefined) {
    const detail = 'Its id is that of no embedding model of Amazon or Cohere, so nobody knows how to ask it.';
    return new GatewayError('unsupported_operation', { param: 'model', detail });
  }
  const texts = request.inputs.filter((input) => typeof input === 'string');
  if (texts.length < request.inputs.length) {
    return new GatewayError('unsupported_parameter', { param: 'input', detail: 'Bedrock takes texts, no tokens.' });
  }
  const { inputTypes } = family;
  const inputType = request.inputType === undefined ? undefined : inputTypes?.get(request.inputType);
  if (inputTypes !== undefined && inputType === undefined) {
    const detail = `Cohere wants \`input_type\`: ${[...inputTypes.keys()].join(', ')}.`;
    return request.inputType === undefined
      ? new GatewayError('missing_parameter', { param: 'input_type', detail })
      : new GatewayError('unsupported_parameter', { param: 'input_type', detail });
  }
  return { body: jsonBody(family.toBody(texts, request, inputType)), headers: [] };
}

/** Titan: `embedding`; Cohere: `embeddings.float`, or a list of lists; Nova: `embeddings[].embedding`. */
function fromResponse(body: Buffer): OrError<InferenceEvent[]> {
  const answer = parseObject(body.toString('utf8')) ?? {};
  const { embedding, embeddings } = answer;
  const lists = isArray(embedding) ? [embedding] : isObject(embeddings) ? embeddings['float'] : embeddings;
  if (!isArray(lists)) return new GatewayError('upstream_protocol', { detail: 'Its answer has no vectors.' });
  const events: InferenceEvent[] = [];
  for (const [index, each] of lists.entries()) {
    const vector = isObject(each) ? each['embedding'] : each;
    if (!isArray(vector) || !vector.every((value) => typeof value === 'number')) {
      return new GatewayError('upstream_protocol', { detail: `Its vector ${index} is no list of numbers.` });
    }
    events.push({ type: 'embedding', index, vector });
  }
  const usage = toUsage(undefined, answer);
  if (usage) events.push({ type: 'usage', usage });
  return events;
}

/** Titan counts beside its vector, Cohere in `meta` where it does; Nova tells nothing. */
function toUsage(_usage: unknown, answer: JsonObject): Usage | undefined {
  const billed = objectOf(objectOf(answer['meta'])?.['billed_units']);
  const inputTokens = countOf(answer['inputTextTokenCount']) ?? countOf(billed?.['input_tokens']);
  return inputTokens === undefined ? undefined : { inputTokens };
}
