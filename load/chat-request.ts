/** The chat requests that all scenarios send: about 0.8 KB, the same bytes to every subject but for the model's name. */
import type { Request } from './driver/job.ts';
import type { Subject } from './peers/peer.ts';

const QUESTION = 'Tell me in a few sentences how a sluice gate keeps a mill pond at its level through a dry summer. ';

/** The deadline of a single request outside of any measurement, answered without pace. */
const FETCH_MS = 10_000;

export type ChatOptions = {
  model: string;
  stream: boolean;
  /** Label that the mock repeats in its statistics. */
  user?: string;
  /** Replaces the question; for bodies of a certain size. */
  content?: unknown;
  headers?: Record<string, string>;
};

export function chatRequest(subject: Subject, options: ChatOptions): Request {
  const body = {
    model: subject.modelName(options.model),
    ...(options.stream ? { stream: true } : {}),
    ...(options.user === undefined ? {} : { user: options.user }),
    max_tokens: 200,
    temperature: 0.2,
    messages: [
      { role: 'system', content: 'You are a patient engineer who answers briefly and in plain words.' },
      { role: 'user', content: options.content ?? QUESTION.repeat(6) },
    ],
  };
  return {
    url: `${subject.baseUrl}/chat/completions`,
    headers: { 'content-type': 'application/json', ...subject.headers, ...options.headers },
    body: JSON.stringify(body),
  };
}

/** Sends one request by fetch, outside of any measurement. */
export async function fetchOnce(request: Request): Promise<{ status: number; body: Buffer }> {
  const { url, headers, body } = request;
  const response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(FETCH_MS) });
  return { status: response.status, body: Buffer.from(await response.arrayBuffer()) };
}
