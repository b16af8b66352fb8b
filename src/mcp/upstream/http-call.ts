import { parseObject } from '../../codec/json-value.ts';
import type { GatewayError } from '../../core/errors.ts';
import type { Method } from '../../core/exchange.ts';
import type { AnswerHeaders } from '../../core/http-client.ts';
import type { Sweeper, Swept } from '../../core/sweeper.ts';
import type { AttemptHandler, Connection } from '../../providers/provider.ts';
import { UpstreamAttempt } from '../../upstream/attempt.ts';
import type { OriginPools } from '../../upstream/origin-pools.ts';
import { EventStream } from '../protocol/event-stream.ts';

/** What all requests to servers share. */
export interface HttpContext {
  readonly pools: OriginPools;
  readonly sweeper: Sweeper;
  bounds(): { readonly connectMs: number; readonly maxMessageBytes: number };
}

/** Where a server is, and how its certificate is checked. */
export interface HttpPlace {
  readonly connection: Connection;
  /** Path and query. */
  readonly path: string;
}

type Tls = Connection['tls'];

/** `server`: servers never share a connection; what authorises a caller stands in each request. */
export function placeOf(url: string, tls: Tls, server: string): HttpPlace {
  const { origin, pathname, search } = new URL(url);
  return {
    connection: { origin, credential: `mcp:${server}`, guarded: true, ...(tls && { tls }) },
    path: pathname + search,
  };
}

/** Why a request to a server came to nothing. */
export class HttpFault extends Error {
  /** Undefined: there was no answer. */
  readonly status: number | undefined;
  readonly body: string;
  readonly headers: AnswerHeaders;
  override readonly cause: GatewayError | undefined;

  constructor(
    message: string,
    answer: { status?: number; body?: string; headers?: AnswerHeaders; cause?: GatewayError } = {},
  ) {
    super(message);
    this.status = answer.status;
    this.body = answer.body ?? '';
    this.headers = answer.headers ?? {};
    this.cause = answer.cause;
  }
}

export interface HttpRequest {
  readonly method: Method;
  /** Flat name-value pairs. */
  readonly headers: readonly string[];
  readonly body?: string | Buffer;
  /** The answer holds messages of MCP: where a server writes one a line as plain JSON, each is read as it comes. */
  readonly ofMessages?: true;
}

/** Called in this order; `ended` or `failed` once. */
export interface HttpHandler {
  /** A status below 300. */
  started(status: number, headers: AnswerHeaders): void;
  /** One event of a stream, or a whole JSON body. `id`: of the event. */
  message(data: string, name: string | undefined, id: string | undefined): void;
  ended(): void;
  failed(fault: HttpFault): void;
}

const MAX_ERROR_BYTES = 16_384;

/**
 * One HTTP request to an MCP server and its answer, JSON or a stream of events. Redirects are never followed: a server
 * could send the gateway, with its credential, to wherever it likes.
 */
export class HttpCall implements AttemptHandler, Swept {
  sweepIndex = -1;
  /** The last event of the stream so far, for resuming. */
  lastEventId: string | undefined;
  retryMs: number | undefined;
  readonly #context: HttpContext;
  readonly #handler: HttpHandler;
  readonly #attempt: UpstreamAttempt;
  readonly #startedAt = performance.now();
  #status = 0;
  #headers: AnswerHeaders = {};
  #events: EventStream | undefined;
  #chunks: Buffer[] = [];
  /** Whether JSON comes as one message a line; undefined: no line has ended yet. */
  #lines: boolean | undefined;
  #bytes = 0;
  #over = false;

  constructor(context: HttpContext, { connection, path }: HttpPlace, request: HttpRequest, handler: HttpHandler) {
    this.#context = context;
    this.#handler = handler;
    this.#attempt = new UpstreamAttempt(context.pools.get(connection), this);
    const { body } = request;
    if (!request.ofMessages) this.#lines = false;
    const sent = this.#attempt.send({
      origin: connection.origin,
      path,
      method: request.method,
      headers: ['accept-encoding', 'identity', ...request.headers],
      body: typeof body === 'string' ? Buffer.from(body) : body,
    });
    if (sent) context.sweeper.add(this);
    else {
      this.#over = true;
      setImmediate(() => handler.failed(new HttpFault('too many requests wait for this server already')));
    }
  }

  abort(): void {
    if (this.#over) return;
    this.#finish();
    this.#attempt.abort();
  }

  sweep(now: number): void {
    const { connectMs } = this.#context.bounds();
    if (this.#attempt.sentAt > 0 || now - this.#startedAt < connectMs) return;
    this.#fail(new HttpFault(`no connection within mcp.connect_ms: ${connectMs}`));
  }

  started(status: number, headers: AnswerHeaders): void {
    if (this.#over) return;
    this.#status = status;
    this.#headers = headers;
    if (status >= 300) return;
    const type = String(headers['content-type'] ?? '').toLowerCase();
    if (type.startsWith('text/event-stream')) {
      this.#events = new EventStream(this.#context.bounds().maxMessageBytes, (event) => {
        if (event.id !== undefined) this.lastEventId = event.id;
        if (!this.#over && event.data !== '') this.#handler.message(event.data, event.name, event.id);
      });
    }
    this.#handler.started(status, headers);
  }

  chunk(bytes: Buffer): void {
    if (this.#over) return;
    if (this.#events) {
      const fits = this.#events.push(bytes);
      this.retryMs = this.#events.retryMs;
      if (!fits) this.#tooLarge();
      return;
    }
    const bound = this.#status >= 300 ? MAX_ERROR_BYTES : this.#context.bounds().maxMessageBytes;
    this.#bytes += bytes.length;
    if (this.#bytes <= bound) this.#chunks.push(bytes);
    else if (this.#status < 300) this.#tooLarge();
    if (this.#lines !== false && this.#status < 300 && bytes.includes(0x0a)) this.#readLines();
  }

  /**
   * Servers that write one message a line, as they come, under the type of plain JSON: the reference server of the
   * conformance suite does. The specification asks for an event stream there, but each line is whole, so it is read.
   */
  #readLines(): void {
    const text = Buffer.concat(this.#chunks);
    let from = 0;
    for (let at = text.indexOf(0x0a); at >= 0; at = text.indexOf(0x0a, from)) {
      const line = text.toString('utf8', from, at).trim();
      // A document that is laid out over lines ends none of them but the last with a whole value.
      this.#lines ??= parseObject(line) !== undefined;
      if (!this.#lines) return;
      from = at + 1;
      if (line !== '' && !this.#over) this.#handler.message(line, undefined, undefined);
    }
    this.#chunks = [text.subarray(from)];
    this.#bytes = text.length - from;
  }

  ended(): void {
    if (this.#over) return;
    const [first] = this.#chunks;
    const body = (first && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks)).toString();
    if (this.#status >= 300) {
      const redirect = this.#status < 400 ? ' (redirects are not followed)' : '';
      const answer = { status: this.#status, body, headers: this.#headers };
      this.#fail(new HttpFault(`the server answered ${this.#status}${redirect}`, answer));
      return;
    }
    this.#finish();
    if (!this.#events && body.trim() !== '') this.#handler.message(body, undefined, undefined);
    this.#handler.ended();
  }

  failed(error: GatewayError): void {
    if (this.#over) return;
    this.#finish();
    this.#handler.failed(new HttpFault(error.message, { cause: error }));
  }

  #tooLarge(): void {
    const { maxMessageBytes } = this.#context.bounds();
    this.#fail(new HttpFault(`a message of the server is larger than mcp.max_message_bytes: ${maxMessageBytes}`));
  }

  #fail(fault: HttpFault): void {
    this.#finish();
    this.#attempt.abort();
    this.#handler.failed(fault);
  }

  #finish(): void {
    this.#over = true;
    this.#chunks = [];
    this.#context.sweeper.remove(this);
  }
}

/** The whole answer of a request that is no stream. */
export function wholeAnswer(
  context: HttpContext,
  place: HttpPlace,
  request: HttpRequest,
  timeoutMs: number,
): Promise<{ status: number; headers: AnswerHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    let answer = { status: 0, headers: {} as AnswerHeaders, body: '' };
    const timer = setTimeout(() => {
      call.abort();
      reject(new HttpFault(`no whole answer within ${timeoutMs} ms`));
    }, timeoutMs);
    const call = new HttpCall(context, place, request, {
      started: (status, headers) => {
        answer = { status, headers, body: '' };
      },
      message: (data) => {
        answer.body = data;
      },
      ended: () => {
        clearTimeout(timer);
        resolve(answer);
      },
      failed: (fault) => {
        clearTimeout(timer);
        reject(fault);
      },
    });
  });
}
