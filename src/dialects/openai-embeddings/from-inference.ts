import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import { mergeUsage, type Usage } from '../../inference/usage.ts';
import type { AnswerContext } from '../answer-form.ts';
import { vectorAs } from './vectors.ts';

/** The whole answer from the neutral events: https://platform.openai.com/docs/api-reference/embeddings/object */
export function fromInference(events: readonly InferenceEvent[], context: AnswerContext): OrError<Buffer> {
  const { encoding = 'float' } = context;
  const usage: Usage = {};
  const data: object[] = [];
  for (const event of events) {
    if (event.type === 'usage') mergeUsage(usage, event.usage);
    if (event.type !== 'embedding') continue;
    const embedding = vectorAs(event.vector, encoding);
    if (embedding instanceof GatewayError) return embedding;
    data.push({ object: 'embedding', index: event.index, embedding });
  }
  const { inputTokens } = usage;
  const told = inputTokens === undefined ? {} : { usage: { prompt_tokens: inputTokens, total_tokens: inputTokens } };
  return Buffer.from(JSON.stringify({ object: 'list', data, model: context.model, ...told }));
}
