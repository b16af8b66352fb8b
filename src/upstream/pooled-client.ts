import { AnswerTooLong, type HttpAnswer, type HttpClient } from '../core/http-client.ts';
import type { AttemptHandler, Connection } from '../providers/provider.ts';
import { UpstreamAttempt } from './attempt.ts';
import type { OriginPools } from './origin-pools.ts';

/** Connections remembered by origin; a configuration names few. */
const MAX_ORIGINS = 1_000;

/**
 * Frequent requests beside the traffic, on connections that are kept as those to providers are, through the same proxies and
 * with the same bounds.
 */
export function pooledClient(pools: OriginPools): HttpClient {
  const connections = new Map<string, Connection>();
  return ({ url, method = 'GET', headers = [], body, timeoutMs, maxBytes, signal }) => {
    const { origin, pathname, search } = new URL(url);
    let connection = connections.get(origin);
    if (connection === undefined) {
      if (connections.size >= MAX_ORIGINS) connections.clear();
      connection = { origin, credential: 'guardrails' };
      connections.set(origin, connection);
    }
    const pool = pools.get(connection);
    return new Promise<HttpAnswer>((resolve, reject) => {
      const chunks: Buffer[] = [];
      let received = 0;
      let head: Omit<HttpAnswer, 'body'> | undefined;
      const settle = (over: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abandon);
        over();
      };
      const giveUp = (error: Error): void => {
        attempt.abort();
        settle(() => reject(error));
      };
      const handler: AttemptHandler = {
        started: (status, heard) => {
          head = { status, headers: heard };
        },
        chunk: (bytes) => {
          received += bytes.length;
          if (received > maxBytes) giveUp(new AnswerTooLong(maxBytes));
          else chunks.push(bytes);
        },
        ended: () =>
          settle(() => (head ? resolve({ ...head, body: Buffer.concat(chunks) }) : reject(new Error('no answer')))),
        failed: (error) => settle(() => reject(new Error(error.rule.message))),
      };
      const attempt = new UpstreamAttempt(pool, handler);
      const abandon = (): void => giveUp(new Error('it was given up'));
      const timer = setTimeout(() => giveUp(new Error(`no whole answer within ${timeoutMs} ms`)), timeoutMs);
      if (signal?.aborted) {
        abandon();
        return;
      }
      signal?.addEventListener('abort', abandon, { once: true });
      const sent = attempt.send({
        origin,
        path: pathname + search,
        method,
        headers: [...headers],
        body: typeof body === 'string' ? Buffer.from(body) : body,
      });
      if (!sent) giveUp(new Error('as many requests wait for it as may'));
    });
  };
}
