import { isArray, isObject, parseObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { EmbeddingRequest } from '../../inference/embedding.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import { jsonBody } from '../base/json-body.ts';
import { embeddingTexts } from '../gemini-generate-content/embedding-texts.ts';
import { toError } from '../gemini-generate-content/to-error.ts';
import { toUsage } from '../gemini-generate-content/to-usage.ts';
import type { Wire } from '../provider.ts';

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
  const asked = embeddingTexts(request);
  if (asked instanceof GatewayError) return asked;
  const { texts, taskType, others } = asked;
  const requests = texts.map((text) => ({
    model: resourceName(request.model),
    content: { parts: [{ text }] },
    taskType,
    outputDimensionality: request.dimensions,
    ...others,
  }));
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
