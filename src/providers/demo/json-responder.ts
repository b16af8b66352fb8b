import { type JsonObject, parseObject } from '../../codec/json-value.ts';
import type { LocalResponder } from '../provider.ts';
import { type AnswerParts, PacedAnswer } from './paced-answer.ts';

/** A request that the demo does not understand, in words for the client. */
export class DemoRefusal {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/** Answers a JSON request with JSON, at once. */
export function jsonResponder(answer: (request: JsonObject) => object | DemoRefusal): LocalResponder {
  return ({ body }, handler) => {
    const request = parseObject(body.toString('utf8'));
    const made = request === undefined ? new DemoRefusal('The body is not a JSON object.') : answer(request);
    return new PacedAnswer(made instanceof DemoRefusal ? refusal(made.message) : whole(200, made), handler);
  };
}

export function refusal(message: string): AnswerParts {
  return whole(400, { error: { message, type: 'invalid_request_error', code: null, param: null } });
}

function whole(status: number, value: object): AnswerParts {
  const body = Buffer.from(JSON.stringify(value));
  return { status, contentType: 'application/json', pieces: [body].values(), paceMs: 0 };
}
