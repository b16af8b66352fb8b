import type { InferenceEvent } from '../../inference/event.ts';
import { mergeUsage, type Usage } from '../../inference/usage.ts';
import type { AnswerContext } from '../answer-form.ts';

interface Result {
  readonly index: number;
  readonly relevance_score: number;
  readonly document?: { readonly text: string };
}

/** The whole answer from the neutral events, the best first; usage as Jina and Together tell it. */
export function fromInference(events: readonly InferenceEvent[], context: AnswerContext): Buffer {
  const usage: Usage = {};
  const results: Result[] = [];
  for (const event of events) {
    if (event.type === 'usage') mergeUsage(usage, event.usage);
    if (event.type !== 'rerank-result') continue;
    const { index, score, document: text } = event;
    results.push({ index, relevance_score: score, ...(text !== undefined && { document: { text } }) });
  }
  results.sort((one, other) => other.relevance_score - one.relevance_score);
  const { exchangeId, model, maxResults } = context;
  const { inputTokens } = usage;
  const told = inputTokens === undefined ? {} : { usage: { prompt_tokens: inputTokens, total_tokens: inputTokens } };
  return Buffer.from(
    JSON.stringify({
      id: `rerank-${exchangeId}`,
      model,
      results: results.slice(0, maxResults ?? results.length),
      ...told,
    }),
  );
}
