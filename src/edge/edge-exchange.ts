import type { HttpResponse } from 'uWebSockets.js';
import { contentEncoding } from '../codec/content-decoder.ts';
import { abortError } from '../core/abort-error.ts';
import { GatewayError, retryHeaders } from '../core/errors.ts';
import type { AbortReason, BodyScan, Exchange, PathParams, Principal, SpooledBody } from '../core/exchange.ts';
import { exchangeId, requestLabel } from '../core/ids.ts';
import type { BodyBlock } from './body-blocks.ts';
import { BodyDecoder, type DecodedBodyOwner } from './body-decoder.ts';
import type { ClientConnection, RequestTaker } from './client-connections.ts';
import type { EdgeContext, OpenExchange } from './edge-context.ts';
import { type BodyOwner, RequestBody } from './request-body.ts';
import type { RequestHead } from './request-head.ts';
import { serverTiming } from './response-head.ts';
import { type SinkOwner, UwsResponseSink } from './response-sink.ts';
import type { Route } from './routes.ts';
import { StreamedBody, type StreamedBodyOwner } from './streamed-body.ts';

const NO_BODY = Buffer.alloc(0);
const KEEPS_NOTHING = (): void => {};
/** How often a slow connection is kept from the addon's own ten-second rule; more often where `write_ms` is short. */
const KEEP_OPEN_MS = 4_000;

/**
 * A request from its accepted head to the last byte of its answer. It owns the body's memory, its place in flight and
 * the two waits that are about the client: `body_ms` and `write_ms`.
 */
export class EdgeExchange
  implements Exchange, OpenExchange, SinkOwner, BodyOwner, DecodedBodyOwner, StreamedBodyOwner, RequestTaker
{
  connection: ClientConnection | undefined;
  readonly id = exchangeId();
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly params: PathParams;
  readonly principal: Principal;
  readonly headers: RequestHead;
  readonly sink: UwsResponseSink;
  scan: BodyScan | undefined;
  readonly arriving: StreamedBody | undefined;
  spooled: SpooledBody | undefined;
  readonly startedAt: number;
  body: Buffer = NO_BODY;
  bytesIn = 0;
  bodyReadAt: number;
  aborted: AbortReason | undefined;
  onAbort: ((reason: AbortReason) => void) | undefined;
  sweepIndex = -1;
  readonly route: Route;
  readonly #context: EdgeContext;
  readonly #response: HttpResponse;
  #reading: RequestBody | undefined;
  /** Decodes a compressed body; undefined once all of it is decoded. */
  #decoder: BodyDecoder | undefined;
  #block: BodyBlock | undefined;
  #heldBytes = 0;
  #keptOpenAt: number;
  #answered = false;
  #finished = false;
  #left = false;

  constructor(
    context: EdgeContext,
    response: HttpResponse,
    head: RequestHead,
    method: string,
    route: Route,
    params: PathParams,
    principal: Principal,
    startedAt: number,
  ) {
    this.#context = context;
    this.#response = response;
    this.headers = head;
    this.route = route;
    this.method = method;
    this.path = route.pattern;
    this.params = params;
    this.principal = principal;
    this.startedAt = startedAt;
    this.bodyReadAt = startedAt;
    this.#keptOpenAt = startedAt;
    this.requestId = requestLabel(head.requestId) ?? this.id;
    this.scan = route.scan?.(this);
    const { limits, timeouts } = context.settings;
    this.arriving =
      route.body === 'stream'
        ? new StreamedBody(this, limits.maxFileBytes, timeouts, startedAt, head.contentLength)
        : undefined;
    this.sink = new UwsResponseSink(response, context.settings.limits.highWatermarkBytes, this);
    this.sink.headOnly = method === 'HEAD';
    response.onAborted(this.#onAborted);
  }

  /** Reads the body, then hands the exchange on. Without a body that happens at once. */
  read(): void {
    this.#context.open.add(this);
    this.#context.connections.arrives(this, this.#response);
    if (!this.headers.hasBody || this.arriving) {
      this.sink.waitForNextTurn();
      this.#handle();
      return;
    }
    const { blocks } = this.#context;
    const { limits } = this.#context.settings;
    const maxBodyBytes = Math.min(limits.maxBodyBytes, this.route.maxBodyBytes ?? limits.maxBodyBytes);
    const encoding = contentEncoding(this.headers.contentEncoding) ?? 'identity';
    const declaredBytes = encoding === 'identity' ? this.headers.contentLength : undefined;
    this.#reading = new RequestBody(declaredBytes, maxBodyBytes, this, blocks);
    if (encoding !== 'identity') this.#decoder = new BodyDecoder(encoding, maxBodyBytes, this);
  }

  pushOwnHeaders(list: string[], upstreamMs: number, attempts = ''): void {
    const timing = serverTiming(performance.now() - this.bodyReadAt - upstreamMs, upstreamMs) + attempts;
    list.push('x-request-id', this.requestId, 'x-sluice-exchange-id', this.id, 'server-timing', timing);
    if (this.#bodyIsComing) list.push('connection', 'close');
    else if (!this.#endsConnection) list.push(...this.#context.keepAliveHeaders(this.headers));
    const cors = this.#context.corsHeaders(this.headers.origin);
    if (cors.length > 0) list.push(...cors);
  }

  /** The one place that writes an error body before the commit point. */
  refuse(error: GatewayError, headers: readonly string[] = [], upstreamMs = 0, attempts = ''): void {
    if (this.sink.started) {
      this.sink.cut();
      return;
    }
    // The rest of the body is read and dropped, so that the client gets to read the reason.
    this.arriving?.drop();
    this.sink.waitForNextTurn();
    const list = ['content-type', 'application/json', ...headers];
    list.push(...retryHeaders(error, headers));
    this.pushOwnHeaders(list, upstreamMs, attempts);
    this.sink.start(error.status, list);
    this.sink.end(this.route.errorBody(error, this.id));
  }

  clientJson(): string | undefined {
    if (this.aborted !== undefined || this.#answered) return undefined;
    return this.#context.clientJson(this.headers, this.#response);
  }

  keepBody(): () => void {
    return this.#block?.hold() ?? KEEPS_NOTHING;
  }

  releaseBody(): void {
    this.body = NO_BODY;
    this.#decoder?.destroy();
    this.#decoder = undefined;
    this.#reading?.block?.release();
    this.#reading = undefined;
    this.#block?.release();
    this.#block = undefined;
    this.#giveBack(this.#heldBytes);
  }

  finish(): void {
    this.#finished = true;
    this.#leaveIfDone();
  }

  /** The drain deadline came: the client is told, then cut. */
  drainNow(): void {
    if (this.#reading) this.#refuseBody(abortError('drain'));
    else this.onAbort?.('drain');
  }

  /** Closes the connection; bytes that still wait are lost. */
  closeNow(): void {
    this.answered();
    this.sink.close();
  }

  sweep(now: number): void {
    const { timeouts } = this.#context.settings;
    if (this.#reading && timeouts.bodyMs > 0 && now - this.startedAt > timeouts.bodyMs) {
      this.#refuseBody(new GatewayError('body_timeout', { setting: `timeouts.body_ms: ${timeouts.bodyMs}` }));
      return;
    }
    this.arriving?.sweep(now);
    const { blockedSince } = this.sink;
    if (blockedSince > 0 && timeouts.writeMs > 0 && now - blockedSince > timeouts.writeMs) {
      this.#abort('write-timeout');
      this.sink.close();
      this.answered();
      return;
    }
    const everyMs =
      blockedSince > 0 && timeouts.writeMs > 0 ? Math.min(KEEP_OPEN_MS, timeouts.writeMs / 4) : KEEP_OPEN_MS;
    if (this.arriving?.paused) return;
    if ((this.#reading || this.arriving?.open || this.sink.mayBeHeldUp) && now - this.#keptOpenAt > everyMs) {
      this.#keptOpenAt = now;
      this.sink.keepOpen();
    }
  }

  pauseClient(): void {
    if (!this.#answered && !this.aborted) this.#response.pause();
  }

  resumeClient(): void {
    if (!this.#answered && !this.aborted) this.#response.resume();
  }

  fileTooLarge(): GatewayError {
    return this.#context.fileTooLarge();
  }

  holdBody(bytes: number): boolean {
    if (!this.#context.counters.holdBody(bytes, this.#context.settings.limits.maxBodyMemoryBytes)) return false;
    // Memory is held in whole KiB each time, so it is released in the same steps.
    this.#heldBytes += Math.ceil(bytes / 1024) * 1024;
    return true;
  }

  decoded(bytes: Uint8Array): void {
    if (this.#reading) this.#collect(this.#reading, bytes, 'Decoded it is longer than that.');
  }

  decodedAll(): void {
    // The compressed input is let go; the decoded bytes are counted apart.
    this.#giveBack(this.#decoder?.heldBytes ?? 0);
    this.#decoder = undefined;
    if (this.#reading) this.#bodyIsThere(this.#reading);
  }

  undecodable(detail: string): void {
    if (this.#reading)
      this.#refuseBody(new GatewayError('invalid_encoding', { detail: `At its content-encoding: ${detail}.` }));
  }

  takeData(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.arriving) {
      this.bytesIn += chunk.byteLength;
      this.arriving.arrive(chunk, isLast);
      if (isLast) this.bodyReadAt = performance.now();
      return;
    }
    const reading = this.#reading;
    if (!reading) return;
    const decoder = this.#decoder;
    if (decoder) {
      const appended = decoder.append(chunk);
      if (appended !== 'ok') this.#refuseLarge(appended, undefined);
      else if (isLast) decoder.end();
      return;
    }
    if (chunk.byteLength > 0) this.#collect(reading, new Uint8Array(chunk), undefined);
    if (isLast && this.#reading) this.#bodyIsThere(reading);
  }

  #collect(reading: RequestBody, bytes: Uint8Array, ifTooLarge: string | undefined): void {
    const appended = reading.append(bytes);
    if (appended === 'ok') this.scan?.advance(reading.buffer, reading.length);
    else this.#refuseLarge(appended, ifTooLarge);
  }

  #refuseLarge(bound: 'too-large' | 'memory-full', detail: string | undefined): void {
    const { maxBodyMemoryBytes } = this.#context.settings.limits;
    this.#refuseBody(
      bound === 'too-large'
        ? this.#context.tooLarge(detail)
        : new GatewayError('body_memory_full', {
            setting: `limits.max_body_memory_bytes: ${maxBodyMemoryBytes}`,
            retryAfterMs: 1000,
          }),
    );
  }

  #bodyIsThere(reading: RequestBody): void {
    this.body = reading.whole();
    this.#block = reading.block;
    this.bytesIn = this.body.length;
    this.#reading = undefined;
    this.bodyReadAt = performance.now();
    this.#handle();
  }

  #giveBack(bytes: number): void {
    if (bytes === 0) return;
    this.#context.counters.releaseBody(bytes);
    this.#heldBytes -= bytes;
  }

  /** A bug costs this exchange: thrown into the addon it would end the thread, and with it the process. */
  #handle(): void {
    try {
      this.route.handle(this);
    } catch (cause) {
      this.#refuseBody(new GatewayError('internal_error', { cause }));
    }
  }

  #refuseBody(error: GatewayError): void {
    this.releaseBody();
    this.#context.refused(this, error);
    this.refuse(error);
    this.finish();
  }

  #onAborted = (): void => {
    this.arriving?.drop();
    this.connection?.lost();
    this.sink.abandon();
    this.#abort('client');
    this.answered();
  };

  #abort(reason: AbortReason): void {
    if (this.#answered || this.aborted) return;
    this.aborted = reason;
    if (this.onAbort) this.onAbort(reason);
    else if (this.#reading) {
      // Nobody has taken the exchange yet.
      this.releaseBody();
      this.#context.refused(this, abortError(reason));
      this.finish();
    }
  }

  get closesAfterAnswer(): boolean {
    // Behind its body the connection closes anyway, and closing with the answer would reset it before it was read.
    const closes = this.#context.closesAfterAnswer || this.#endsConnection;
    return closes && !this.headers.closes && !this.#bodyIsComing;
  }

  get #endsConnection(): boolean {
    return this.connection?.goesOn === false;
  }

  get #bodyIsComing(): boolean {
    return this.headers.hasBody && this.connection?.bodyEnded !== true;
  }

  ended(): void {
    const { connection } = this;
    const { closing } = this.sink;
    if (closing === 'no' && !this.headers.closes) connection?.rest();
    else connection?.leaveToAddon();
    // The pipeline has heard of the end by then, should the client have been faster.
    if (closing === 'now') setImmediate(() => connection?.close());
    this.answered();
  }

  answered(): void {
    this.#answered = true;
    this.#context.connections.settled(this);
    this.#leaveIfDone();
  }

  /** Both sides are done: the client has its answer or is gone, and the pipeline has nothing left to do. */
  #leaveIfDone(): void {
    if (!this.#answered || !this.#finished || this.#left) return;
    this.#left = true;
    this.spooled?.close();
    this.releaseBody();
    this.#context.open.remove(this);
    this.#context.counters.leave();
    this.#context.onLeft();
  }
}
