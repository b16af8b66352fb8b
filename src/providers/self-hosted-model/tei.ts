import { isArray, objectOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { RerankRequest } from '../../inference/rerank.ts';
import { jsonBody } from '../base/json-body.ts';
import { cohereRerankWire } from '../openai-compatible/wire.ts';
import type { Wire } from '../provider.ts';

/** Text Embeddings Inference: https://huggingface.github.io/text-embeddings-inference/ */
export const teiRerankWire: Wire = {
  ...cohereRerankWire,
  name: 'tei-rerank',
  translation: { toRequest, fromResponse },
};

/** It gives all scores; the best of them are taken out of its answer. */
function toRequest({ query, documents, returnDocuments, extra }: RerankRequest) {
  return { body: jsonBody({ query, texts: documents, return_text: returnDocuments, ...extra }), headers: [] };
}

/** A bare list: `[{index, score, text?}]`. */
function fromResponse(body: Buffer): OrError<InferenceEvent[]> {
  let answer: unknown;
  try {
    answer = JSON.parse(body.toString('utf8'));
  } catch {
    return new GatewayError('upstream_protocol', { detail: 'Its answer is not whole JSON.' });
  }
  if (!isArray(answer)) return new GatewayError('upstream_protocol', { detail: 'Its answer is no list of scores.' });
  const events: InferenceEvent[] = [];
  for (const each of answer) {
    const { index, score, text } = objectOf(each) ?? {};
    if (typeof index !== 'number' || typeof score !== 'number') {
      return new GatewayError('upstream_protocol', { detail: 'One of its scores has no index or no number.' });
    }
    events.push({ type: 'rerank-result', index, score, ...(typeof text === 'string' && { document: text }) });
  }
  return events;
}
