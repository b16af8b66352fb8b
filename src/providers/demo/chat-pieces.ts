import { dataEvent } from '../../codec/sse-writer.ts';
import type { ChatAnswer } from './chat-answer.ts';

/** The demo's model as clients see it in answers. */
export const MODEL = 'demo/chat';

/** A whole `chat.completion`. */
export function wholeAnswer(answer: ChatAnswer, created: number): Buffer {
  const { id, words, finish } = answer;
  const message = { role: 'assistant', content: words.join(''), refusal: null };
  return Buffer.from(
    JSON.stringify({
      id,
      object: 'chat.completion',
      created,
      model: MODEL,
      choices: [{ index: 0, message, logprobs: null, finish_reason: finish }],
      usage: usage(answer),
    }),
  );
}

/** The same as `chat.completion.chunk` events, one at a time: a word, a chunk. */
export function* streamedAnswer(answer: ChatAnswer, created: number): Generator<Buffer, undefined> {
  const { id, words, finish, includeUsage } = answer;
  const head = { id, object: 'chat.completion.chunk', created, model: MODEL };
  const noUsageYet = includeUsage ? { usage: null } : {};
  const chunk = (delta: object, reason: string | null) =>
    dataEvent(
      JSON.stringify({ ...head, choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }], ...noUsageYet }),
    );
  yield chunk({ role: 'assistant', content: '' }, null);
  for (const word of words) yield chunk({ content: word }, null);
  yield chunk({}, finish);
  if (includeUsage) yield dataEvent(JSON.stringify({ ...head, choices: [], usage: usage(answer) }));
  yield dataEvent('[DONE]');
}

export function usage({ promptTokens, words }: ChatAnswer) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: words.length,
    total_tokens: promptTokens + words.length,
  };
}
