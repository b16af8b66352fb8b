import { isArray, isObject, parseObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { EmbeddingRequest } from '../../inference/embedding.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import { jsonBody } from '../base/json-body.ts';
import { toError } from '../gemini-generate-content/to-error.ts';
import { toUsage } from '../gemini-generate-content/to-usage.ts';
import type { Wire } from '../provider.ts';

/** What a vector is for, in Gemini's words: https://ai.google.dev/api/embeddings#v1beta.TaskType */
const TASK_TYPES: ReadonlyMap<string, string> = new Map([
  ['query', 'RETRIEVAL_QUERY'],
  ['document', 'RETRIEVAL_DOCUMENT'],
  ['classification', 'CLASSIFICATION'],
  ['clustering', 'CLUSTERING'],
]);

/** "At most 100 requests can be in one batch", it says to more. */
const MAX_INPUTS = 100;

/** https://ai.google.dev/api/embeddings#method:-models.batchembedcontents */
export const geminiEmbeddingsWire: Wire = {
  name: 'gemini-embed-contents',
  operation: 'embedding',
  framing: 'none',
  method: 'POST',
  contentType: 'application/json',
  forwards: [],
  path: ({ modelId }) => `/${resourceName(modelId)}:batchEmbedContents`,
  toUsage,
  toError,
  translation: { maxInputs: () => MAX_INPUTS, toRequest, fromResponse },
};

function toRequest(request: EmbeddingRequest): OrError<{ body: Buffer; headers: readonly string[] }> {
  const { task_type, taskType = task_type, ...others } = request.extra;
  const { inputType } = request;
  const task = taskType ?? (inputType === undefined ? undefined : TASK_TYPES.get(inputType));
  if (inputType !== undefined && task === undefined) {
    return unsupported('input_type', `Gemini knows ${[...TASK_TYPES.keys()].join(', ')}, not \`${inputType}\`.`);
  }
  const requests: object[] = [];
  for (const input of request.inputs) {
    if (typeof input !== 'string') {
      return unsupported('input', 'Gemini takes texts, no tokens: its vocabulary is another one.');
    }
    requests.push({
      model: resourceName(request.model),
      content: { parts: [{ text: input }] },
      taskType: task,
      outputDimensionality: request.dimensions,
      ...others,
    });
  }
  return { body: jsonBody({ requests }), headers: [] };
}

function fromResponse(body: Buffer): OrError<InferenceEvent[]> {
  const answer = parseObject(body.toString('utf8'));
  const embeddings = answer?.['embeddings'];
  if (!isArray(embeddings)) return new GatewayError('upstream_protocol', { detail: 'Its answer has no vectors.' });
  const events: InferenceEvent[] = [];
  for (const [index, each] of embeddings.entries()) {
    const values = isObject(each) ? each['values'] : undefined;
    if (!isNumbers(values)) {
      return new GatewayError('upstream_protocol', { detail: `Its vector ${index} is no list of numbers.` });
    }
    events.push({ type: 'embedding', index, vector: values });
  }
  const usage = toUsage(answer?.['usageMetadata']);
  if (usage) events.push({ type: 'usage', usage });
  return events;
}

function resourceName(modelId: string): string {
  return modelId.includes('/') ? modelId : `models/${modelId}`;
}

function isNumbers(values: unknown): values is readonly number[] {
  return isArray(values) && values.every((each) => typeof each === 'number');
}

function unsupported(param: string, detail: string): GatewayError {
  return new GatewayError('unsupported_parameter', { param, detail });
}
