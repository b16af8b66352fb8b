import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { GatewayError } from '../core/errors.ts';
import type { Method, UploadSource } from '../core/exchange.ts';
import type { AnswerHeaders } from '../core/http-client.ts';
import { Sweeper, type Swept } from '../core/sweeper.ts';
import type { AttemptControl, AttemptHandler } from '../providers/provider.ts';
import { bodyPieces } from './body-pieces.ts';
import { answerEncoding, DecodedAnswer, type DecodedSource, decodedHeaders } from './decoded-answer.ts';
import type { OriginConnection, SentOptions } from './origin-connection.ts';
import type { Dispatchable, OriginPool, TransferControl } from './origin-pool.ts';
import { type PieceTaker, readCoalescer } from './read-coalescer.ts';
import { hadServed } from './served-before.ts';
import { isRefusedByUndici, transportError, UNASKED_SWITCH } from './transport-error.ts';
import type { Waiting } from './waiting-line.ts';

/** What one attempt sends. */
export interface OutboundRequest {
  readonly origin: string;
  readonly path: string;
  readonly method: Method | 'HEAD';
  /** Flat name-value pairs. */
  readonly headers: string[];
  /** Pieces are sent one after another without being copied into one; a source as it gives its bytes. */
  readonly body: Buffer | Buffer[] | UploadSource | undefined;
  /** In the place of `body`, where it is still coming; with a content-length among the headers if that is known. */
  readonly arriving?: Readable | undefined;
  /** Called when every byte of a large body has gone into the connection, and never where that is uncertain. */
  readonly onBodySent?: (() => void) | undefined;
}

/** The time and the bytes for which a transfer may go on once its answer is whole: its last chunk is due at once. */
const MAX_LINGER_MS = 1_000;
const MAX_LINGER_BYTES = 65_536;
/** Lingering transfers of this thread; one timer looks at them, and runs only while there are any. */
const lingering = new Sweeper<UpstreamAttempt>();

/**
 * One try of one exchange at one target. It passes on the callbacks of undici and of connections. A pause stops reading
 * from the socket, and so slows the provider. After `abort` or an end it calls nobody, and it gives the connection back
 * once.
 */
export class UpstreamAttempt implements AttemptControl, Dispatchable, PieceTaker, DecodedSource, Swept {
  sweepIndex = -1;
  ahead: Waiting | undefined;
  behind: Waiting | undefined;
  inLine = false;
  /** performance.now() when the request began to be written; 0 while it waits for a connection. */
  sentAt = 0;
  /** Whether any byte of an answer came. */
  answered = false;
  /** The connection failed before any byte of an answer, and had served an earlier exchange. */
  diedReused = false;
  readonly #handler: AttemptHandler;
  readonly #pool: OriginPool;
  /** The connection, from the attempt's turn until it is given back. */
  #connection: OriginConnection | undefined;
  #controller: TransferControl | undefined;
  #request: OutboundRequest | undefined;
  #dispatched = false;
  /** The answer has no body, whatever its head says. */
  #isHead = false;
  #done = false;
  /** The first byte of an answer came. */
  #begun = false;
  /** The content-length of the answer, and how many bytes of it came. */
  #declared: string | string[] | undefined;
  #received = 0;
  /** Decodes the answer where the provider compressed it. */
  #decoded: DecodedAnswer | undefined;
  #paused = false;
  /**
   * undici's parser is handing on a piece. Where the provider has closed, the parser goes on to the end of the answer in the
   * same call, and an end behind an abort throws there, past every handler.
   */
  #inUndici = false;
  /** performance.now() when it began to linger; 0: it does not. */
  #lingersSince = 0;

  constructor(pool: OriginPool, handler: AttemptHandler) {
    this.#pool = pool;
    this.#handler = handler;
  }

  /** False: no more attempts may wait for this origin, and nothing was begun. */
  send(request: OutboundRequest): boolean {
    this.#request = request;
    const entered = this.#pool.enter(this);
    if (!entered) this.#request = undefined;
    return entered;
  }

  dispatchOptions(connection: OriginConnection): SentOptions {
    const request = this.#request!;
    this.#request = undefined;
    this.#dispatched = true;
    this.#isHead = request.method === 'HEAD';
    this.#connection = connection;
    // Pieces have no length of their own, and undici would send them chunked: some front ends refuse that (411).
    const body = sentBody(request);
    if (body && !Buffer.isBuffer(body)) request.headers.push('content-length', String(lengthOf(request.body!)));
    return {
      origin: request.origin,
      path: request.path,
      method: request.method,
      headers: request.headers,
      body: request.arriving ?? body,
    } as SentOptions;
  }

  pause(): void {
    this.#paused = true;
    this.#controller?.pause();
    this.#decoded?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#decoded?.resume();
    if (this.#decoded?.holds !== true) this.#controller?.resume();
  }

  hold(): void {
    this.#controller?.pause();
  }

  letGo(): void {
    if (!this.#paused) this.#controller?.resume();
  }

  get paused(): boolean {
    return this.#paused;
  }

  /**
   * The exchange has all it wants, and is called no more. The rest of the transfer is read and dropped, so that the
   * connection can serve again; a provider that does not end it soon loses the connection.
   */
  linger(): void {
    this.#decoded?.destroy();
    if (this.#done || this.#lingersSince > 0) return;
    this.#lingersSince = performance.now();
    this.#received = 0;
    lingering.add(this);
    if (this.#paused) this.resume();
  }

  sweep(now: number): void {
    if (now - this.#lingersSince > MAX_LINGER_MS) this.abort();
  }

  abort(): void {
    // The decoder may still be at work on bytes that came before the end.
    this.#decoded?.destroy();
    if (this.#done) return;
    const controller = this.#controller;
    this.#end();
    this.#request = undefined;
    if (!this.#dispatched) this.#pool.leaveLine(this);
    else if (controller) this.#cut(controller);
    // Otherwise undici is connecting and cannot be told; the connection is given back when undici lets go.
  }

  onRequestStart(controller: TransferControl): void {
    if (this.#done) {
      this.#cut(controller);
      return;
    }
    this.#controller = controller;
    this.sentAt = performance.now();
  }

  /** undici calls it with the first byte of an answer, before its head is whole. */
  onResponseStarted(): void {
    this.#begun = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: AnswerHeaders): void {
    this.answerHead(status, headers);
  }

  answerHead(status: number, headers: AnswerHeaders): void {
    if (this.#done) return;
    if (status === SWITCHING_PROTOCOLS)
      this.passFailure(new GatewayError('upstream_protocol', { detail: UNASKED_SWITCH }));
    // A 1xx answer is about the connection and not for the client.
    if (status < 200) return;
    this.answered = true;
    this.#declared = headers['content-length'];
    const encoding = this.#isHead || status === 204 || status === 304 ? undefined : answerEncoding(headers);
    if (encoding !== undefined) this.#decoded = new DecodedAnswer(encoding, this);
    try {
      this.#handler.started(status, encoding === undefined ? headers : decodedHeaders(headers));
    } catch (cause) {
      this.#broken(cause);
    }
  }

  answerBody(bytes: Buffer, pieces: number): void {
    if (this.#counts(bytes)) this.deliver(bytes, pieces);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#inUndici = true;
    try {
      if (!this.#counts(chunk)) return;
      // What has a declared length comes in one piece a read.
      if (this.#declared === undefined && readCoalescer.take(this, chunk)) return;
      readCoalescer.deliver(this);
      this.deliver(chunk, 1);
    } finally {
      this.#inUndici = false;
    }
  }

  deliver(bytes: Buffer, pieces: number): void {
    if (this.#done || this.#lingersSince > 0) return;
    if (this.#decoded) this.#decoded.write(bytes);
    else this.pass(bytes, pieces);
  }

  pass(bytes: Buffer, pieces = 1): void {
    try {
      this.#handler.chunk(bytes, pieces);
    } catch (cause) {
      this.#broken(cause);
    }
  }

  onResponseEnd(): void {
    readCoalescer.deliver(this);
    this.answerEnd();
  }

  answerEnd(): void {
    const connection = this.#connection;
    if (this.#done || !connection) return;
    this.#end();
    this.#connection = undefined;
    this.#pool.free(connection);
    this.#ended();
  }

  onResponseError(_controller: TransferControl | null, error: Error): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection) {
      if (isRefusedByUndici(error)) this.#pool.free(connection);
      else this.#pool.broken(connection);
    }
    // undici also reports attempts that were given up while connecting, or aborted.
    if (this.#done) return;
    this.#end();
    if (this.#lingersSince > 0) return;
    // The attempt was paused at the last byte: undici could not report the end before the provider closed.
    if (this.answered && this.#declared === String(this.#received)) {
      this.#ended();
      return;
    }
    this.diedReused = !this.#begun && hadServed(error);
    const failure = transportError(error, this.answered);
    if (this.#decoded) this.#decoded.fail(failure);
    else this.passFailure(failure);
  }

  /** False: nobody wants the bytes any more. */
  #counts(bytes: Buffer): boolean {
    if (this.#done) return false;
    this.#received += bytes.length;
    if (this.#lingersSince === 0) return true;
    if (this.#received > MAX_LINGER_BYTES) this.abort();
    return false;
  }

  #ended(): void {
    if (this.#lingersSince > 0) return;
    if (this.#decoded) this.#decoded.end();
    else this.passEnd();
  }

  passEnd(): void {
    try {
      this.#handler.ended();
    } catch (cause) {
      this.#handler.failed(new GatewayError('internal_error', { cause }));
    }
  }

  passFailure(error: GatewayError): void {
    this.abort();
    this.#handler.failed(error);
  }

  /** A bug of ours costs this exchange, and no other: undici would take it for the provider's fault, or lose it. */
  #broken(cause: unknown): void {
    this.passFailure(new GatewayError('internal_error', { cause }));
  }

  #end(): void {
    this.#done = true;
    // From now on a pause is the decoder's alone: others may use the connection.
    this.#controller = undefined;
    lingering.remove(this);
  }

  #cut(controller: TransferControl): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection) this.#pool.drop(connection);
    if (this.#inUndici) process.nextTick(() => controller.abort(ABORTED));
    else controller.abort(ABORTED);
  }
}

function sentBody({ body, onBodySent }: OutboundRequest): Buffer | Iterable<Buffer> | UploadSource | null {
  if (body === undefined) return null;
  return Buffer.isBuffer(body) || Array.isArray(body) ? bodyPieces(body, onBodySent) : body;
}

function lengthOf(pieces: Buffer | readonly Buffer[] | UploadSource): number {
  if (Buffer.isBuffer(pieces) || !Array.isArray(pieces)) return pieces.length;
  let length = 0;
  for (const piece of pieces) length += piece.length;
  return length;
}

const SWITCHING_PROTOCOLS = 101;
const ABORTED = new Error('aborted by the gateway');
