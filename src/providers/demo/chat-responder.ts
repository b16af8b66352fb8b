import { parseObject } from '../../codec/json-value.ts';
import { dataEvent } from '../../codec/sse-writer.ts';
import type { LocalRequest, LocalResponder } from '../provider.ts';
import { type ChatAnswer, chatAnswer } from './chat-answer.ts';
import { MODEL, streamedAnswer, usage, wholeAnswer } from './chat-pieces.ts';
import { refusal } from './json-responder.ts';
import { type AnswerParts, PacedAnswer } from './paced-answer.ts';

const WORD_PACE_MS = 20;

interface Form {
  whole(answer: ChatAnswer, created: number): Buffer;
  streamed(answer: ChatAnswer, created: number): Iterator<Buffer, unknown>;
}

const CHAT: Form = { whole: wholeAnswer, streamed: streamedAnswer };
const COMPLETION: Form = { whole: wholeCompletion, streamed: streamedCompletion };

/** Answers `/chat/completions` and `/completions` inside the process, whole or streamed. */
export const answerChat: LocalResponder = (request, handler) => new PacedAnswer(answerTo(request), handler);

function answerTo({ path, body }: LocalRequest): AnswerParts {
  const request = parseObject(body.toString('utf8'));
  if (request === undefined) return refusal('The body is not a JSON object.');
  const form = path.endsWith('/chat/completions') ? CHAT : COMPLETION;
  const answer = chatAnswer(request, body);
  const created = Math.floor(Date.now() / 1000);
  if (!answer.stream) {
    const pieces = [form.whole(answer, created)].values();
    return { status: 200, contentType: 'application/json', pieces, paceMs: 0 };
  }
  const pieces = form.streamed(answer, created);
  return { status: 200, contentType: 'text/event-stream', pieces, paceMs: WORD_PACE_MS };
}

/** A whole `text_completion` with the words of a chat. */
function wholeCompletion(answer: ChatAnswer, created: number): Buffer {
  const text = answer.words.join('');
  return Buffer.from(
    JSON.stringify({ ...head(answer, created), choices: [choice(text, answer.finish)], usage: usage(answer) }),
  );
}

/** The same as events, one at a time: a word, an event. */
function* streamedCompletion(answer: ChatAnswer, created: number): Generator<Buffer, undefined> {
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
