import { randomBytes } from 'node:crypto';
import type { CollectedAnswer } from './collected-answer.ts';

/** One line of an output or error file: https://platform.openai.com/docs/api-reference/batch/request-output */

const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;
const SPACE = 0x20;

/** `requestId`: of the exchange, by which its receipt is found. */
export function answeredLine(customId: string, requestId: string, { status, body }: CollectedAnswer): string {
  const response = `{"status_code":${status},"request_id":${JSON.stringify(requestId)},"body":${bodyOf(body)}}`;
  return lineOf(customId, response, null);
}

/** The output line of a request that got no response; `code` and `message` say why. */
export function unansweredLine(customId: string, code: string, message: string): string {
  return lineOf(customId, 'null', { code, message });
}

function lineOf(customId: string, response: string, error: { code: string; message: string } | null): string {
  const id = `batch_req_${randomBytes(12).toString('hex')}`;
  return `{"id":"${id}","custom_id":${JSON.stringify(customId)},"response":${response},"error":${JSON.stringify(error)}}`;
}

/** As it came, so that no digit is lost; between its values a line end is as good as a space. */
function bodyOf(body: Buffer): string {
  const text = body.toString();
  try {
    JSON.parse(text);
  } catch {
    return JSON.stringify(text);
  }
  if (!body.includes(LINE_FEED) && !body.includes(CARRIAGE_RETURN)) return text;
  const flat = Buffer.from(body);
  for (let at = 0; at < flat.length; at += 1) {
    if (flat[at] === LINE_FEED || flat[at] === CARRIAGE_RETURN) flat[at] = SPACE;
  }
  return flat.toString();
}
