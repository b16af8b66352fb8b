import { parseObject } from '../../codec/json-value.ts';
import type { LocalRequest, LocalResponder } from '../provider.ts';
import { type ChatAnswer, chatAnswer } from './chat-answer.ts';
import { streamedAnswer, wholeAnswer } from './chat-pieces.ts';
import { streamedCompletion, wholeCompletion } from './completion-pieces.ts';
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
