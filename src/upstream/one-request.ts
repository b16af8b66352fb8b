import { isIP } from 'node:net';
import type { Dispatcher } from 'undici';
import type { UpstreamSettings } from '../config/server/upstream.ts';
import { withoutBrackets } from '../core/host-name.ts';
import { AnswerTooLong, type HttpAnswer, type HttpClient, type HttpRequest } from '../core/http-client.ts';
import type { Connection } from '../providers/provider.ts';
import { Connectors, mayReach } from './connector.ts';
import { Client } from './undici-client.ts';

export interface OneRequest extends Omit<HttpRequest, 'url' | 'proxy'> {
  readonly connection: Connection;
  readonly path: string;
}

/**
 * A request on a connection of its own, for commands and the main thread. It takes the way of exchanges (proxy,
 * authorities). Rejects with an error whose message is for people and holds no secret.
 */
export function oneRequest(connectors: Connectors, request: OneRequest): Promise<HttpAnswer> {
  const { connection, path, method = 'GET', headers = [], body = null, timeoutMs, maxBytes, signal } = request;
  const client = new Client(connection.origin, { connect: connectors.to(connection, timeoutMs), pipelining: 1 });
  return new Promise<HttpAnswer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let received = 0;
    let answer: Omit<HttpAnswer, 'body'> | undefined;
    const abandon = (): void => settle(() => reject(new Error('it was given up')));
    const late = (): void => settle(() => reject(new Error(`no whole answer within ${timeoutMs} ms`)));
    const timer = setTimeout(late, timeoutMs);
    const settle = (over: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abandon);
      over();
    };
    const whole = (): void =>
      settle(() => (answer ? resolve({ ...answer, body: Buffer.concat(chunks) }) : reject(new Error('no answer'))));
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: () => undefined,
      onResponseStart: (_controller, status, heard) => {
        if (status >= 200) answer = { status, headers: heard };
      },
      onResponseData: (_controller, chunk) => {
        received += chunk.length;
        if (received <= maxBytes) chunks.push(chunk);
        else if (request.whenLonger !== 'cut') {
          settle(() => reject(new AnswerTooLong(maxBytes)));
        } else {
          chunks.push(chunk.subarray(0, chunk.length - (received - maxBytes)));
          whole();
        }
      },
      onResponseEnd: whole,
      onResponseError: (_controller, error) => settle(() => reject(error)),
    };
    if (signal?.aborted) {
      abandon();
      return;
    }
    signal?.addEventListener('abort', abandon, { once: true });
    client.dispatch({ method, path, headers: [...headers], body }, handler);
    // A transfer that is still under way then is aborted.
  }).finally(() => client.destroy());
}

/** A client that uses the settings of the moment of each request. */
export function httpClient(settings: () => UpstreamSettings): HttpClient {
  let known: { readonly settings: UpstreamSettings; readonly connectors: Connectors } | undefined;
  return (request) => {
    const now = settings();
    if (known?.settings !== now) known = { settings: now, connectors: new Connectors(now) };
    const { url, proxy, reach, ...rest } = request;
    const { origin, hostname, pathname, search } = new URL(url);
    // A literal address is not looked up, so the connector would not see it.
    const host = withoutBrackets(hostname);
    if (reach !== undefined && isIP(host) !== 0 && !mayReach(host, reach)) {
      return Promise.reject(new Error('its address may not be asked'));
    }
    const connection = {
      origin,
      credential: '',
      ...(proxy !== undefined && { proxy }),
      ...(reach !== undefined && { guarded: reach === 'public' ? ('public' as const) : (true as const) }),
    };
    return oneRequest(known.connectors, { ...rest, connection, path: pathname + search });
  };
}
