import type { HttpClient } from '../core/http-client.ts';
import { systemCode } from '../store/store-fault.ts';
import type { ChannelRequest } from './channel-messages.ts';

/** How a delivery went. `reason` holds no URL and no secret: a webhook's address is one. */
export type Delivery =
  | { readonly sent: true }
  | { readonly sent: false; readonly reason: string; readonly again: boolean };

const MAX_ANSWER_BYTES = 16_384;

export async function deliverHttp(
  { url, headers, body, answers }: ChannelRequest,
  http: HttpClient,
  deadlineMs: number,
): Promise<Delivery> {
  const signal = AbortSignal.timeout(deadlineMs);
  try {
    const { status, body: answer } = await http({
      url,
      method: 'POST',
      headers: [...Object.entries(headers).flat(), 'content-type', 'application/json'],
      body: JSON.stringify(body),
      // The signal comes before it, so that lateness is told apart from other failures.
      timeoutMs: 2 * deadlineMs,
      maxBytes: MAX_ANSWER_BYTES,
      whenLonger: 'cut',
      signal,
    });
    if (status < 200 || status > 299) {
      return { sent: false, reason: `status ${status}`, again: status === 429 || status >= 500 };
    }
    return answers === 'slack-json' ? slackVerdict(answer.toString()) : { sent: true };
  } catch (error) {
    const reason = signal.aborted ? `no answer within ${deadlineMs} ms` : (systemCode(error) ?? 'not reachable');
    return { sent: false, reason, again: true };
  }
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
