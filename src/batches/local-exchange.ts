import { GatewayError } from '../core/errors.ts';
import type { AbortReason, BodyScan, Exchange, HeadersOfInterest, PathParams, Principal } from '../core/exchange.ts';
import { exchangeId } from '../core/ids.ts';

/** How an exchange ended that no client of ours waits for. */
export interface LocalAnswer {
  readonly status: number;
  /** Flat name-value pairs. */
  readonly headers: readonly string[];
  readonly body: Buffer;
  /** Why there is no answer, or none that is whole; also where it was the provider that refused. */
  readonly error: GatewayError | undefined;
}

export interface LocalExchangeOptions {
  readonly path: string;
  readonly principal: Principal;
  readonly body: Buffer;
  /** A label for records. */
  readonly requestId: string;
  readonly tfy: Record<string, string> | undefined;
  readonly maxAnswerBytes: number;
  /** Whether so many bytes of its answer may be held now. */
  mayHold(bytes: number): boolean;
  /** Of the whole body. */
  readonly scan: BodyScan;
  errorBody(error: GatewayError, exchangeId: string): Uint8Array;
  /** Once, in a turn of its own. */
  onOver(answer: LocalAnswer): void;
}

export const NO_PARAMS: PathParams = {};
const NOTHING = Buffer.alloc(0);
const KEEPS_NOTHING = (): void => {};

export function lineHeaders(tfy: Record<string, string> | undefined): HeadersOfInterest {
  return {
    contentType: 'application/json',
    accept: undefined,
    traceparent: undefined,
    tracestate: undefined,
    idempotencyKey: undefined,
    range: undefined,
    query: undefined,
    tfy,
    forwardable: undefined,
  };
}

/** A request that the gateway itself makes: the pipeline runs it as one of a client, and its answer is collected. */
export class LocalExchange implements Exchange {
  readonly id = exchangeId();
  readonly requestId: string;
  readonly principal: Principal;
  readonly method = 'POST';
  readonly path: string;
  readonly params = NO_PARAMS;
  readonly headers: HeadersOfInterest;
  readonly arriving = undefined;
  readonly bytesIn: number;
  readonly scan: BodyScan;
  readonly sink: CollectingSink;
  readonly startedAt = performance.now();
  body: Buffer;
  bodyReadAt = this.startedAt;
  onAbort: ((reason: AbortReason) => void) | undefined;
  aborted: AbortReason | undefined;
  readonly #options: LocalExchangeOptions;
  #error: GatewayError | undefined;
  #over = false;

  constructor(options: LocalExchangeOptions) {
    this.#options = options;
    this.requestId = options.requestId;
    this.principal = options.principal;
    this.path = options.path;
    this.body = options.body;
    this.bytesIn = options.body.length;
    this.headers = lineHeaders(options.tfy);
    this.sink = new CollectingSink(options, () => this.abort('client'));
    this.scan = options.scan;
  }

  /** It is to end now. */
  abort(reason: AbortReason): void {
    if (this.#over || this.aborted) return;
    this.aborted = reason;
    this.onAbort?.(reason);
  }

  pushOwnHeaders(): void {}

  refuse(error: GatewayError, headers: readonly string[] = []): void {
    this.#error = error;
    if (this.sink.started) {
      this.sink.cut();
      return;
    }
    this.sink.start(error.status, headers);
    this.sink.end(this.#options.errorBody(error, this.id));
  }

  clientJson(): undefined {}

  keepBody(): () => void {
    return KEEPS_NOTHING;
  }

  releaseBody(): void {
    this.body = NOTHING;
  }

  finish(): void {
    if (this.#over) return;
    this.#over = true;
    const { status, headers, fault } = this.sink;
    const error = this.#error ?? fault ?? (this.aborted && new GatewayError('draining', { retryAfterMs: 1_000 }));
    // Whoever finishes has more to do in this turn.
    setImmediate(() => this.#options.onOver({ status, headers, body: this.sink.whole(), error }));
  }
}

/** Keeps what is written to it, bounded. Nothing waits: it takes all at once. */
class CollectingSink {
  status = 0;
  headers: readonly string[] = [];
  started = false;
  bytesOut = 0;
  onDrained: (() => void) | undefined;
  /** Why what it holds is no answer. */
  fault: GatewayError | undefined;
  readonly #options: Pick<LocalExchangeOptions, 'maxAnswerBytes' | 'mayHold'>;
  readonly #onFull: () => void;
  #chunks: Uint8Array[] = [];
  #ended = false;

  constructor(options: Pick<LocalExchangeOptions, 'maxAnswerBytes' | 'mayHold'>, onFull: () => void) {
    this.#options = options;
    this.#onFull = onFull;
  }

  start(status: number, headers: readonly string[]): void {
    if (this.started) return;
    this.started = true;
    this.status = status;
    this.headers = headers;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#ended) return true;
    this.bytesOut += chunk.length;
    const { maxAnswerBytes, mayHold } = this.#options;
    if (this.bytesOut > maxAnswerBytes) {
      const setting = `limits.max_translate_bytes: ${maxAnswerBytes}`;
      this.#fail(
        new GatewayError('upstream_too_large', { detail: 'It does not fit into a line of a batch.', setting }),
      );
    } else if (!mayHold(this.bytesOut)) this.#fail(new GatewayError('body_memory_full', { retryAfterMs: 1_000 }));
    else this.#chunks.push(chunk);
    return true;
  }

  end(chunk?: Uint8Array): void {
    if (chunk) this.write(chunk);
    this.#ended = true;
  }

  cut(): void {
    this.#ended = true;
    this.fault ??= new GatewayError('upstream_cut');
  }

  whole(): Buffer {
    const [chunk] = this.#chunks;
    if (this.#chunks.length === 1 && chunk instanceof Buffer) return chunk;
    return Buffer.concat(this.#chunks);
  }

  #fail(fault: GatewayError): void {
    this.fault = fault;
    this.#chunks = [];
    this.#ended = true;
    // In a turn of its own: whoever writes is in the middle of it.
    setImmediate(this.#onFull);
  }
}
