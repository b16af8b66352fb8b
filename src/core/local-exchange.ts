import { GatewayError } from './errors.ts';
import type {
  AbortReason,
  BodyScan,
  Exchange,
  HeadersOfInterest,
  PathParams,
  Principal,
  ResponseSink,
  SinkTap,
} from './exchange.ts';
import type { JoinedHeaders } from './header-lines.ts';
import { exchangeId } from './ids.ts';

/** Hears the answer of an exchange that the gateway makes itself. */
export interface AnswerReceiver {
  /** Once, before the first byte. `headers`: flat name-value pairs. */
  head?(status: number, headers: readonly string[]): void;
  /** The bytes may be kept. False: the answer pauses until `drained` of the exchange is called. */
  take(bytes: Uint8Array): boolean;
  /** There is no answer, nor a byte of one. Called in the turn of the refusal. */
  refused?(error: GatewayError, headers: readonly string[]): void;
  /** Once, last, in a turn of its own. With an error there is no answer, or none that is whole. */
  over(error: GatewayError | undefined): void;
}

/** A request as a client would send it. */
export interface LocalRequest {
  readonly path: string;
  readonly principal: Principal;
  readonly body: Buffer;
  /** Default: POST. */
  readonly method?: string;
  /** The id of the client's exchange, where its record is the only one. Default: an id of its own. */
  readonly id?: string;
  /** A label for records. Default: the id of the exchange. */
  readonly requestId?: string;
  /** Default: none. */
  readonly headers?: Partial<
    Pick<HeadersOfInterest, 'traceparent' | 'tracestate' | 'tfy' | 'forwardable' | 'query' | 'lines'>
  >;
  scan(request: Pick<Exchange, 'path' | 'params' | 'headers'>): BodyScan;
}

const NO_PARAMS: PathParams = {};
const NOTHING = Buffer.alloc(0);
const KEEPS_NOTHING = (): void => {};

/** The headers of a request that brings these and JSON. */
export function localHeaders(headers: LocalRequest['headers']): HeadersOfInterest {
  return {
    contentType: 'application/json',
    accept: undefined,
    traceparent: headers?.traceparent,
    tracestate: headers?.tracestate,
    idempotencyKey: undefined,
    range: undefined,
    query: headers?.query,
    tfy: headers?.tfy,
    forwardable: headers?.forwardable,
    ...(headers?.lines !== undefined && { lines: headers.lines }),
  };
}

/**
 * A request that the gateway itself makes: a line of a batch, a turn of a socket or of an agent, an answer in the
 * background. The pipeline runs it as one of a client, and its receiver stands in the place of the client.
 */
export class LocalExchange implements Exchange {
  readonly id: string;
  readonly requestId: string;
  readonly principal: Principal;
  readonly method: string;
  readonly path: string;
  readonly params = NO_PARAMS;
  readonly headers: HeadersOfInterest;
  readonly arriving = undefined;
  readonly bytesIn: number;
  scan: BodyScan | undefined;
  readonly sink: ResponseSink;
  readonly startedAt = performance.now();
  body: Buffer;
  bodyReadAt = this.startedAt;
  onAbort: ((reason: AbortReason) => void) | undefined;
  aborted: AbortReason | undefined;
  readonly #sink: ReceiverSink;
  #refusal: GatewayError | undefined;
  #isOver = false;

  constructor(request: LocalRequest, receiver: AnswerReceiver) {
    const { id = exchangeId(), path, principal, body, method = 'POST', requestId = id, headers } = request;
    this.id = id;
    this.path = path;
    this.principal = principal;
    this.method = method;
    this.requestId = requestId;
    this.body = body;
    this.bytesIn = body.length;
    this.headers = localHeaders(headers);
    this.#sink = new ReceiverSink(receiver);
    this.sink = this.#sink;
    this.scan = request.scan(this);
    this.scan.advance(body, body.length);
  }

  /** It is to end now, as if its client had left or the drain deadline had come. */
  abort(reason: AbortReason): void {
    if (this.#isOver || this.aborted) return;
    this.aborted = reason;
    this.onAbort?.(reason);
    if (reason !== 'drain') this.#sink.close();
  }

  /** The receiver takes bytes again. */
  drained(): void {
    if (!this.#isOver) this.sink.onDrained?.();
  }

  pushOwnHeaders(): void {}

  refuse(error: GatewayError, headers: readonly string[] = []): void {
    if (this.#isOver) return;
    this.#refusal ??= error;
    this.#sink.refuse(error, headers);
  }

  clientJson(): undefined {}

  keepBody(): () => void {
    return KEEPS_NOTHING;
  }

  releaseBody(): void {
    this.body = NOTHING;
  }

  finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { receiver, isCut } = this.#sink;
    const error = this.#refusal ?? whyAborted(this.aborted) ?? (isCut ? new GatewayError('upstream_cut') : undefined);
    this.#sink.close();
    // The caller that finishes it has more to do in this turn.
    setImmediate(() => receiver.over(error));
  }
}

function whyAborted(reason: AbortReason | undefined): GatewayError | undefined {
  if (reason === undefined) return undefined;
  return reason === 'drain' ? new GatewayError('draining', { retryAfterMs: 1_000 }) : new GatewayError('client_closed');
}

class ReceiverSink implements ResponseSink {
  readonly receiver: AnswerReceiver;
  started = false;
  bytesOut = 0;
  onDrained: (() => void) | undefined;
  tap: SinkTap | undefined;
  isCut = false;
  #isClosed = false;

  constructor(receiver: AnswerReceiver) {
    this.receiver = receiver;
  }

  start(status: number, headers: readonly string[], joined?: JoinedHeaders): void {
    if (this.started || this.#isClosed) return;
    this.started = true;
    this.tap?.began(status, headers);
    this.receiver.head?.(status, joined === undefined ? headers : [...headers, ...joined.list]);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#isClosed) return true;
    this.bytesOut += chunk.length;
    this.tap?.took(chunk);
    return this.receiver.take(chunk);
  }

  end(chunk?: Uint8Array): void {
    if (chunk) this.write(chunk);
    this.close();
  }

  cut(): void {
    if (this.#isClosed) return;
    this.isCut = true;
    this.close();
  }

  refuse(error: GatewayError, headers: readonly string[]): void {
    if (this.started) {
      this.cut();
      return;
    }
    if (this.#isClosed) return;
    this.started = true;
    this.tap?.began(error.status, headers);
    this.close();
    this.receiver.refused?.(error, headers);
  }

  /** What comes from now on is heard by nobody. */
  close(): void {
    this.#isClosed = true;
    this.onDrained = undefined;
  }
}
