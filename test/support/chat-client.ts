import { once } from 'node:events';
import { type ClientRequest, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { KEY } from './gateway.ts';

export const messages = [{ role: 'user', content: 'hi' }];

export interface AskOptions {
  readonly headers?: Record<string, string>;
  readonly path?: string;
  readonly key?: string;
  readonly signal?: AbortSignal;
}

/** One chat request by `fetch`; the body may be an object or the bytes as they are. */
export function ask(
  gateway: { url: string },
  body: object | string | Buffer,
  options: AskOptions = {},
): Promise<Response> {
  const bytes = Buffer.isBuffer(body) ? new Uint8Array(body) : typeof body === 'string' ? body : JSON.stringify(body);
  return fetch(`${gateway.url}${options.path ?? '/v1/chat/completions'}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${options.key ?? KEY}`,
      'content-type': 'application/json',
      ...options.headers,
    },
    body: bytes,
    signal: options.signal,
  });
}

/** The `error` object of a refusal. */
export async function errorOf(
  response: Response,
): Promise<{ message: string; type: string; code: string; param: string | null }> {
  const { error } = JSON.parse(await response.text());
  return error;
}

/**
 * One request on a connection of its own whose answer is looked at piece by piece. A `paused` one reads nothing beyond
 * the head, so that the sockets between fill up, until it is drained.
 */
export class ChatStream {
  readonly request: ClientRequest;
  /** performance.now() of each piece of body as it arrived. */
  readonly pieces: { at: number; bytes: Buffer }[] = [];
  readonly #answered: Promise<IncomingMessage>;
  readonly #closed: Promise<'whole' | 'cut'>;
  #receivedBytes = 0;
  #wake: (() => void)[] = [];
  #over = false;

  constructor(gateway: { url: string }, body: object, options: AskOptions & { paused?: true } = {}) {
    const url = new URL(`${gateway.url}${options.path ?? '/v1/chat/completions'}`);
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const bytes = Buffer.from(JSON.stringify(body));
    this.request = send(url, {
      method: 'POST',
      agent: false,
      rejectUnauthorized: false,
      headers: {
        authorization: `Bearer ${options.key ?? KEY}`,
        'content-type': 'application/json',
        'content-length': bytes.length,
        ...options.headers,
      },
    });
    this.request.setNoDelay(true);
    this.request.end(bytes);
    this.#answered = once(this.request, 'response').then(([response]) => response);
    this.#closed = this.#answered.then(
      (response) => this.#read(response, options.paused === true ? 'never' : 'at-once'),
      () => 'cut',
    );
    // A client that leaves early does not wait for it.
    this.#answered.catch(() => {});
  }

  async head(): Promise<{ status: number; headers: IncomingHttpHeaders }> {
    const response = await this.#answered;
    return { status: response.statusCode ?? 0, headers: response.headers };
  }

  /** The body so far. */
  text(): string {
    return Buffer.concat(this.pieces.map((piece) => piece.bytes)).toString();
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Resolves once the body holds `wanted`; fails where the answer ends without it. */
  async until(wanted: string): Promise<void> {
    while (!this.text().includes(wanted)) {
      if (this.#over) throw new Error(`the answer ended without ${JSON.stringify(wanted)}: ${this.text()}`);
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  /** `cut`: the connection was closed before HTTP says that the answer is whole. */
  ended(): Promise<'whole' | 'cut'> {
    return this.#closed;
  }

  /** The response of a `paused` client, which is read from by hand. */
  response(): Promise<IncomingMessage> {
    return this.#answered;
  }

  /** A `paused` client reads on from here and throws the bytes away. */
  async drain(): Promise<{ bytes: number; ended: 'whole' | 'cut' }> {
    const response = await this.#answered;
    let bytes = 0;
    response.on('data', (piece: Buffer) => {
      bytes += piece.length;
    });
    const ended = await this.#closed;
    return { bytes, ended };
  }

  leave(): void {
    this.request.destroy();
  }

  #read(response: IncomingMessage, reading: 'at-once' | 'never'): Promise<'whole' | 'cut'> {
    return new Promise((resolve) => {
      response.on('error', () => {});
      response.on('close', () => {
        this.#over = true;
        this.#wakeAll();
        resolve(response.complete ? 'whole' : 'cut');
      });
      if (reading === 'never') return;
      response.on('data', (bytes: Buffer) => {
        this.pieces.push({ at: performance.now(), bytes });
        this.#receivedBytes += bytes.length;
        this.#wakeAll();
      });
    });
  }

  #wakeAll(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}
