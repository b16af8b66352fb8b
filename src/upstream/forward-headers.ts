import type { HeadersOfInterest } from '../core/exchange.ts';

/**
 * What goes to the provider is an allow-list: nothing else of the client, so no cookie, no key and no
 * hop-by-hop header can slip through. `identity`: a compressed answer could not be read on the way.
 */
export function requestHeaders(client: HeadersOfInterest, stream: boolean, target: readonly string[]): string[] {
  const list = [
    'content-type',
    'application/json',
    'accept',
    stream ? 'text/event-stream' : 'application/json',
    'accept-encoding',
    'identity',
  ];
  if (client.traceparent !== undefined) {
    list.push('traceparent', client.traceparent);
    if (client.tracestate !== undefined) list.push('tracestate', client.tracestate);
  }
  if (client.idempotencyKey !== undefined) list.push('idempotency-key', client.idempotencyKey);
  if (client.beta !== undefined) for (const name in client.beta) list.push(name, client.beta[name]!);
  for (let i = 0; i < target.length; i += 2) list.push(target[i]!, target[i + 1]!);
  return list;
}

/** What of the provider's head reaches the client: its rate headers and its request id, from the attempt that answered. */
export function pushAnswerHeaders(
  list: string[],
  headers: Readonly<Record<string, string | string[] | undefined>>,
): void {
  let upstreamId: string | undefined;
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    const code = name.charCodeAt(0);
    // Most names are told apart by their first letter: r, x.
    if (code === 0x72) {
      if (name === 'retry-after') list.push(name, first(value));
      else if (name === 'request-id') upstreamId ??= first(value);
    } else if (code === 0x78) {
      if (name.startsWith('x-ratelimit-')) list.push(name, first(value));
      else if (name === 'x-request-id') upstreamId = first(value);
    } else if (code === 0x61 && name.startsWith('anthropic-ratelimit-')) list.push(name, first(value));
  }
  if (upstreamId !== undefined) list.push('x-upstream-request-id', upstreamId);
}

function first(value: string | string[]): string {
  return typeof value === 'string' ? value : (value[0] ?? '');
}
