import type { Dispatcher } from 'undici';
import type { Connection } from '../providers/provider.ts';
import type { Connectors } from './connector.ts';
import { Client } from './undici-client.ts';

export interface OneRequest {
  readonly connection: Connection;
  readonly path: string;
  /** Flat name-value pairs. */
  readonly headers: readonly string[];
  /** From the first packet to the last byte of the answer. */
  readonly timeoutMs: number;
  /** Of the body of an answer; a longer one is a failure. */
  readonly maxBytes: number;
}

export interface OneAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/**
 * A GET on a connection of its own, for commands and the main thread: what providers are asked on the side, on the same
 * way as exchanges (proxy, authorities). Rejects with an error whose message is for people and holds no secret.
 */
export function oneRequest(connectors: Connectors, request: OneRequest): Promise<OneAnswer> {
  const { connection, path, headers, timeoutMs, maxBytes } = request;
  const client = new Client(connection.origin, { connect: connectors.to(connection, timeoutMs), pipelining: 1 });
  return new Promise<OneAnswer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let received = 0;
    let answer: Omit<OneAnswer, 'body'> | undefined;
    const timer = setTimeout(() => reject(new Error(`no whole answer within ${timeoutMs} ms`)), timeoutMs);
    const settle = (over: () => void): void => {
      clearTimeout(timer);
      over();
    };
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: () => undefined,
      onResponseStart: (_controller, status, heard) => {
        if (status >= 200) answer = { status, headers: heard };
      },
      onResponseData: (_controller, chunk) => {
        received += chunk.length;
        if (received <= maxBytes) chunks.push(chunk);
        else settle(() => reject(new Error(`the answer is longer than ${maxBytes} bytes`)));
      },
      onResponseEnd: () => {
        settle(() => (answer ? resolve({ ...answer, body: Buffer.concat(chunks) }) : reject(new Error('no answer'))));
      },
      onResponseError: (_controller, error) => settle(() => reject(error)),
    };
    const asked = { method: 'GET', path, headers: [...headers] } satisfies Omit<Dispatcher.DispatchOptions, 'origin'>;
    client.dispatch(asked, handler);
    // Whatever is still under way when it is settled is of no interest.
  }).finally(() => client.destroy());
}
