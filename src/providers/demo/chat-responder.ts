import { isObject } from '../../codec/json-value.ts';
import type { LocalResponder } from '../provider.ts';
import { chatAnswer } from './chat-answer.ts';
import { streamedAnswer, wholeAnswer } from './chat-pieces.ts';
import { type AnswerParts, PacedAnswer } from './paced-answer.ts';

const WORD_PACE_MS = 20;

/** Answers `/chat/completions` inside the process, whole or streamed. */
export const answerChat: LocalResponder = ({ body }, handler) => new PacedAnswer(answerTo(body), handler);

function answerTo(body: Buffer): AnswerParts {
  let request: unknown;
  try {
    request = JSON.parse(body.toString('utf8'));
  } catch {
    return refusal('The body is not valid JSON.');
  }
  if (!isObject(request)) return refusal('The body is not a JSON object.');
  const answer = chatAnswer(request, body);
  const created = Math.floor(Date.now() / 1000);
  if (!answer.stream) return whole(200, wholeAnswer(answer, created));
  return {
    status: 200,
    contentType: 'text/event-stream',
    pieces: streamedAnswer(answer, created),
    paceMs: WORD_PACE_MS,
  };
}

function refusal(message: string): AnswerParts {
  const error = { message, type: 'invalid_request_error', code: null, param: null };
  return whole(400, Buffer.from(JSON.stringify({ error })));
}

function whole(status: number, body: Buffer): AnswerParts {
  return { status, contentType: 'application/json', pieces: [body].values(), paceMs: 0 };
}
