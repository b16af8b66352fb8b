import { randomBytes } from 'node:crypto';
import type { CollectedAnswer } from './collected-answer.ts';

/** One line of an output or error file: https://platform.openai.com/docs/api-reference/batch/request-output */

const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;
const SPACE = 0x20;
const AFTER_BODY = Buffer.from('},"error":null}');

/** `requestId`: of the exchange, by which its receipt is found. */
export function answeredLine(customId: string, requestId: string, { status, body }: CollectedAnswer): Buffer {
  const id = `batch_req_${requestId.slice(requestId.indexOf('_') + 1)}`;
  const head = `{"id":"${id}","custom_id":${JSON.stringify(customId)},"response":{"status_code":${status},"request_id":${JSON.stringify(requestId)},"body":`;
  return Buffer.concat([Buffer.from(head), bodyOf(body), AFTER_BODY]);
}

/** The output line of a request that got no response; `code` and `message` say why. */
export function unansweredLine(customId: string, code: string, message: string): Buffer {
  const id = `batch_req_${randomBytes(12).toString('hex')}`;
  const error = JSON.stringify({ code, message });
  return Buffer.from(`{"id":"${id}","custom_id":${JSON.stringify(customId)},"response":null,"error":${error}}`);
}

/** As it came, so that no digit is lost; between its values a line end is as good as a space. */
function bodyOf(body: Buffer): Buffer {
  const text = body.toString();
  try {
    JSON.parse(text);
  } catch {
    return Buffer.from(JSON.stringify(text));
  }
  if (!body.includes(LINE_FEED) && !body.includes(CARRIAGE_RETURN)) return body;
  const flat = Buffer.from(body);
  for (let at = 0; at < flat.length; at += 1) {
    if (flat[at] === LINE_FEED || flat[at] === CARRIAGE_RETURN) flat[at] = SPACE;
  }
  return flat;
}

/** What stands for an answer, whatever became of it. */
export function resultLine(customId: string, requestId: string, answer: CollectedAnswer): Buffer {
  // An answer that broke off is none; a refusal has its body as any answer.
  const isWhole = answer.status > 0 && (answer.error === undefined || answer.status >= 400);
  if (isWhole) return answeredLine(customId, requestId, answer);
  const { error } = answer;
  return unansweredLine(customId, error?.code ?? 'internal_error', error?.message ?? 'It was not answered.');
}
