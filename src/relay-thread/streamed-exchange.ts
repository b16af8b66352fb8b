import { GatewayError } from '../core/errors.ts';
import type { AbortReason, BodyScan, Exchange, HeadersOfInterest, PathParams, Principal } from '../core/exchange.ts';
import { exchangeId } from '../core/ids.ts';

export interface StreamedExchangeOptions {
  readonly path: string;
  readonly principal: Principal;
  readonly body: Buffer;
  readonly requestId: string;
  readonly tfy: Record<string, string> | undefined;
  readonly traceparent: string | undefined;
  scan(request: Pick<Exchange, 'path' | 'params' | 'headers'>): BodyScan;
  onChunk(bytes: Uint8Array): void;
  /** Once, in a turn of its own; an error: there is no answer, or none that is whole. */
  onOver(error: GatewayError | undefined): void;
}

const NO_PARAMS: PathParams = {};
const NOTHING = Buffer.alloc(0);

/** A request that the gateway itself makes, run by the pipeline as one of a client; its answer is heard as it comes. */
export class StreamedExchange implements Exchange {
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
  readonly startedAt = performance.now();
  readonly sink: Exchange['sink'];
  body: Buffer;
  bodyReadAt = this.startedAt;
  onAbort: ((reason: AbortReason) => void) | undefined;
  aborted: AbortReason | undefined;
  readonly #options: StreamedExchangeOptions;
  #error: GatewayError | undefined;
  #over = false;

  constructor(options: StreamedExchangeOptions) {
    this.#options = options;
    const { requestId, principal, path, body, tfy, traceparent } = options;
    this.requestId = requestId;
    this.principal = principal;
    this.path = path;
    this.body = body;
    this.bytesIn = body.length;
    this.headers = {
      contentType: 'application/json',
      accept: undefined,
      traceparent,
      tracestate: undefined,
      idempotencyKey: undefined,
      range: undefined,
      query: undefined,
      tfy,
      forwardable: undefined,
    };
    const sink = {
      started: false,
      bytesOut: 0,
      onDrained: undefined,
      start: () => {
        sink.started = true;
      },
      write: (chunk: Uint8Array) => {
        sink.bytesOut += chunk.length;
        options.onChunk(chunk);
        return true;
      },
      end: (chunk?: Uint8Array) => {
        if (chunk) sink.write(chunk);
      },
      cut: () => {
        this.#error ??= new GatewayError('upstream_cut');
      },
    };
    this.sink = sink;
    this.scan = options.scan(this);
    this.scan.advance(body, body.length);
  }

  abort(reason: AbortReason): void {
    if (this.#over || this.aborted) return;
    this.aborted = reason;
    this.onAbort?.(reason);
  }

  pushOwnHeaders(): void {}

  refuse(error: GatewayError): void {
    this.#error = error;
  }

  clientJson(): undefined {}

  keepBody(): () => void {
    return () => undefined;
  }

  releaseBody(): void {
    this.body = NOTHING;
  }

  finish(): void {
    if (this.#over) return;
    this.#over = true;
    setImmediate(() => this.#options.onOver(this.#error));
  }
}
