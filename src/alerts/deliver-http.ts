import { systemCode } from '../store/store-fault.ts';
import type { ChannelRequest } from './channel-messages.ts';

/** How a delivery went. `reason` holds no URL and no secret: a webhook's address is one. */
export type Delivery =
  | { readonly sent: true }
  | { readonly sent: false; readonly reason: string; readonly again: boolean };

const MAX_ANSWER_BYTES = 16_384;

export async function deliverHttp(request: ChannelRequest, deadlineMs: number): Promise<Delivery> {
  const signal = AbortSignal.timeout(deadlineMs);
  try {
    const response = await fetch(request.url, {
      method: 'POST',
      headers: { ...request.headers, 'content-type': 'application/json' },
      body: JSON.stringify(request.body),
      // The address is what the operator wrote, and the credential is for it alone.
      redirect: 'manual',
      signal,
    });
    const answer = await beginningOf(response);
    if (!response.ok) {
      const again = response.status === 429 || response.status >= 500;
      return { sent: false, reason: `status ${response.status}`, again };
    }
    return request.answers === 'slack-json' ? slackVerdict(answer) : { sent: true };
  } catch (error) {
    const reason = signal.aborted
      ? `no answer within ${deadlineMs} ms`
      : (systemCode(causeOf(error)) ?? 'not reachable');
    return { sent: false, reason, again: true };
  }
}

function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}

async function beginningOf(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    pieces.push(piece);
    bytes += piece.length;
    // Leaving the loop cancels the rest.
    if (bytes > MAX_ANSWER_BYTES) break;
  }
  return Buffer.concat(pieces).toString('utf8', 0, MAX_ANSWER_BYTES);
}

/** Slack answers 200 to nearly everything. Its error is a word of its documentation. */
function slackVerdict(answer: string): Delivery {
  try {
    const value: unknown = JSON.parse(answer);
    const field = (name: string): unknown =>
      typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
    if (field('ok') === true) return { sent: true };
    const error = field('error');
    const word = typeof error === 'string' && /^[a-z_]{1,64}$/.test(error) ? error : 'refused';
    return { sent: false, reason: `slack: ${word}`, again: word === 'ratelimited' || word === 'internal_error' };
  } catch {
    return { sent: false, reason: 'slack: no JSON', again: false };
  }
}
