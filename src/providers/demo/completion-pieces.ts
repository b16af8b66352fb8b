import { dataEvent } from '../../codec/sse-writer.ts';
import type { ChatAnswer } from './chat-answer.ts';
import { MODEL, usage } from './chat-pieces.ts';

/** A whole `text_completion` with the words of a chat. */
export function wholeCompletion(answer: ChatAnswer, created: number): Buffer {
  const text = answer.words.join('');
  return Buffer.from(
    JSON.stringify({ ...head(answer, created), choices: [choice(text, answer.finish)], usage: usage(answer) }),
  );
}

/** The same as events, one at a time: a word, an event. */
export function* streamedCompletion(answer: ChatAnswer, created: number): Generator<Buffer, undefined> {
  const base = head(answer, created);
  const noUsageYet = answer.includeUsage ? { usage: null } : {};
  const event = (text: string, reason: string | null) =>
    dataEvent(JSON.stringify({ ...base, choices: [choice(text, reason)], ...noUsageYet }));
  for (const word of answer.words) yield event(word, null);
  yield event('', answer.finish);
  if (answer.includeUsage) yield dataEvent(JSON.stringify({ ...base, choices: [], usage: usage(answer) }));
  yield dataEvent('[DONE]');
}

function head({ id }: ChatAnswer, created: number) {
  return { id: id.replace('chatcmpl-', 'cmpl-'), object: 'text_completion', created, model: MODEL };
}

function choice(text: string, reason: string | null) {
  return { text, index: 0, logprobs: null, finish_reason: reason };
}
