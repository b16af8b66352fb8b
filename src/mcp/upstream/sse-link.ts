import { parseMessage } from '../protocol/json-rpc.ts';
import { HttpCall, type HttpContext, HttpFault, type HttpPlace } from './http-call.ts';
import type { Link, LinkOwner } from './link.ts';

export interface SseLinkOptions {
  readonly context: HttpContext;
  readonly place: HttpPlace;
  headers(): readonly string[];
}

/**
 * HTTP with SSE of 2024-11-05: one stream brings everything; its first event says where messages are to be sent.
 * https://modelcontextprotocol.io/specification/2024-11-05/basic/transports#http-with-sse
 */
export class SseLink implements Link {
  owner: LinkOwner | undefined;
  readonly #options: SseLinkOptions;
  readonly #stream: HttpCall;
  readonly #open = new Set<number>();
  #endpoint: HttpPlace | undefined;
  #waiting: (() => void)[] = [];
  #closed = false;

  constructor(options: SseLinkOptions) {
    this.#options = options;
    const { context, place } = options;
    const headers = ['accept', 'text/event-stream', ...options.headers()];
    this.#stream = new HttpCall(
      context,
      place,
      { method: 'GET', headers },
      {
        started: () => undefined,
        message: (data, name) => {
          if (name === 'endpoint') this.#endpointIs(data);
          else this.#message(data);
        },
        ended: () => this.#lost(new HttpFault('the server closed its stream')),
        failed: (fault) => this.#lost(fault),
      },
    );
  }

  request(id: number, json: string, headers: readonly string[]): void {
    this.#open.add(id);
    void this.#post(id, json, headers);
  }

  drop(id: number): void {
    this.#open.delete(id);
  }

  send(json: string, headers: readonly string[]): Promise<void> {
    return this.#post(undefined, json, headers);
  }

  hear(): undefined {}

  close(): void {
    this.#closed = true;
    this.#stream.abort();
  }

  #message(data: string): void {
    const message = parseMessage(data);
    if (!message) return;
    const id = message.kind === 'response' && typeof message.id === 'number' ? message.id : undefined;
    this.owner?.message(message, undefined);
    if (id !== undefined && this.#open.delete(id)) this.owner?.over(id, undefined);
  }

  /** The endpoint must have the same origin: the credential goes there. */
  #endpointIs(written: string): void {
    const { connection, path } = this.#options.place;
    const base = connection.origin + path;
    const url = URL.canParse(written, base) ? new URL(written, base) : undefined;
    if (url === undefined || url.origin !== new URL(base).origin) {
      this.#stream.abort();
      this.#lost(new HttpFault('the server named an endpoint of another origin'));
      return;
    }
    this.#endpoint = { connection, path: url.pathname + url.search };
    for (const post of this.#waiting.splice(0)) post();
  }

  #post(id: number | undefined, json: string, headers: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      const post = (): void => this.#postTo(this.#endpoint!, id, json, headers, resolve);
      if (this.#endpoint === undefined) this.#waiting.push(post);
      else post();
    });
  }

  #postTo(
    endpoint: HttpPlace,
    id: number | undefined,
    json: string,
    headers: readonly string[],
    over: () => void,
  ): void {
    const { context } = this.#options;
    const all = ['content-type', 'application/json', ...headers, ...this.#options.headers()];
    void new HttpCall(
      context,
      endpoint,
      { method: 'POST', headers: all, body: json },
      {
        started: () => undefined,
        message: () => undefined,
        ended: over,
        failed: (fault) => {
          over();
          if (id !== undefined && this.#open.delete(id)) this.owner?.over(id, fault);
        },
      },
    );
  }

  #lost(fault: HttpFault): void {
    if (this.#closed) return;
    this.#closed = true;
    this.owner?.lost(fault);
  }
}
