import type { HeadersOfInterest } from '../core/exchange.ts';
import type { AnswerHeaders } from '../core/http-client.ts';
import type { Framing, Mount } from '../providers/provider.ts';

/** The media type to accept where a stream is wanted, by framing. */
const STREAM_TYPES: Readonly<Record<Framing, string | undefined>> = {
  sse: 'text/event-stream',
  ndjson: 'application/x-ndjson',
  'aws-event-stream': 'application/vnd.amazon.eventstream',
  none: undefined,
};

const JSON_TYPE = 'application/json';
/** The value of `Wire.contentType` that takes the client's. */
const OF_THE_CLIENT = 'of-the-client';

/**
 * The headers for the provider. Headers of the client pass by an allow-list alone, so no cookie, no key and no hop-by-hop
 * header can slip through. `identity`: a compressed answer could not be read on the way. Where the mount sets a header that
 * it also forwards, the client's value wins: it belongs to the client's own bytes.
 */
export function requestHeaders(
  client: HeadersOfInterest,
  request: { readonly stream: boolean },
  { wire, headers, forwards }: Pick<Mount, 'wire' | 'headers' | 'forwards'>,
): string[] {
  const accept = (request.stream ? STREAM_TYPES[wire.framing] : undefined) ?? wire.accept ?? JSON_TYPE;
  const contentType = wire.contentType === OF_THE_CLIENT ? client.contentType : wire.contentType;
  const list =
    contentType === undefined
      ? ['accept', accept, 'accept-encoding', 'identity']
      : ['content-type', contentType, 'accept', accept, 'accept-encoding', 'identity'];
  if (client.traceparent !== undefined) {
    list.push('traceparent', client.traceparent);
    if (client.tracestate !== undefined) list.push('tracestate', client.tracestate);
  }
  if (client.idempotencyKey !== undefined) list.push('idempotency-key', client.idempotencyKey);
  const { forwardable } = client;
  if (forwardable !== undefined) {
    for (const name of forwards) {
      const value = forwardable[name];
      const understood = value === undefined || wire.forwarded === undefined ? value : wire.forwarded(name, value);
      if (understood !== undefined) list.push(name, understood);
    }
  }
  for (let i = 0; i < headers.length; i += 2) {
    if (forwardable?.[headers[i]!] === undefined || !forwards.includes(headers[i]!))
      list.push(headers[i]!, headers[i + 1]!);
  }
  return list;
}

/** Adds the headers of the provider that reach the client: rate limits, retry and request id, of the attempt that answered. */
export function pushAnswerHeaders(list: string[], headers: AnswerHeaders): void {
  let upstreamId: string | undefined;
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    const code = name.charCodeAt(0);
    // Most names are told apart by their first letter: r, x.
    if (code === 0x72) {
      if (name === 'retry-after' || name === 'retry-after-ms') list.push(name, first(value));
      else if (name === 'request-id') upstreamId ??= first(value);
    } else if (code === 0x78) {
      if (name.startsWith('x-ratelimit-')) list.push(name, first(value));
      // The gateway's own header wins: it knows whether another try is worth it.
      else if (name === 'x-should-retry' && !list.includes(name)) list.push(name, first(value));
      else if (name === 'x-request-id') upstreamId = first(value);
    } else if (code === 0x61 && name.startsWith('anthropic-ratelimit-')) list.push(name, first(value));
  }
  if (upstreamId !== undefined) list.push('x-upstream-request-id', upstreamId);
}

function first(value: string | string[]): string {
  return typeof value === 'string' ? value : (value[0] ?? '');
}
