import type { GatewayError } from '../../../src/core/errors.ts';
import type { AbortReason, BodyScan, Exchange, HeadersOfInterest, ResponseSink } from '../../../src/core/exchange.ts';
import { errorBody } from '../../../src/dialects/openai-chat/error-body.ts';

/** A client that is a list of bytes. `takes`: how much it takes before it is full. */
export class FakeSink implements ResponseSink {
  onDrained: (() => void) | undefined;
  status: number | undefined;
  headers: Record<string, string> = {};
  started = false;
  bytesOut = 0;
  ending: 'open' | 'ended' | 'cut' = 'open';
  takes = Number.POSITIVE_INFINITY;
  readonly #written: Uint8Array[] = [];

  start(status: number, headers: readonly string[]): void {
    if (this.started) throw new Error('the head was started twice');
    this.started = true;
    this.status = status;
    for (let i = 0; i < headers.length; i += 2) this.headers[headers[i]!] = headers[i + 1]!;
  }

  write(chunk: Uint8Array): boolean {
    if (!this.started) throw new Error('bytes before the head');
    if (this.ending !== 'open') throw new Error('bytes behind the end');
    this.#written.push(chunk);
    this.bytesOut += chunk.length;
    return this.bytesOut <= this.takes;
  }

  end(chunk?: Uint8Array): void {
    if (chunk) this.write(chunk);
    this.ending = 'ended';
  }

  cut(): void {
    this.ending = 'cut';
  }

  text(): string {
    return Buffer.concat(this.#written).toString();
  }
}

export class FakeExchange implements Exchange {
  readonly id = 'ex_1';
  readonly requestId = 'request-1';
  readonly principal = { subject: 'user:a', keyId: 'k', teams: [], models: undefined, metadata: {} };
  readonly method = 'POST';
  readonly path = '/chat/completions';
  readonly pathRest = '';
  readonly headers: HeadersOfInterest = {
    contentType: undefined,
    accept: undefined,
    traceparent: undefined,
    tracestate: undefined,
    idempotencyKey: undefined,
    tfy: undefined,
    beta: undefined,
  };
  readonly bytesIn: number;
  scan: BodyScan | undefined;
  finished = 0;
  readonly sink = new FakeSink();
  readonly startedAt = performance.now();
  bodyReadAt = performance.now();
  onAbort: ((reason: AbortReason) => void) | undefined;
  aborted: AbortReason | undefined;
  body: Buffer;
  released = false;
  refusal: GatewayError | undefined;

  constructor(body: Buffer) {
    this.body = body;
    this.bytesIn = body.length;
  }

  pushOwnHeaders(list: string[], upstreamMs?: number): void {
    list.push('x-request-id', this.requestId);
    if (upstreamMs !== undefined) list.push('upstream-ms', String(upstreamMs));
  }

  refuse(error: GatewayError, headers: readonly string[] = []): void {
    this.refusal = error;
    this.sink.start(error.status, ['content-type', 'application/json', ...headers]);
    this.sink.end(errorBody(error));
  }

  clientJson(): undefined {
    return undefined;
  }

  keepBody(): () => void {
    return () => {};
  }

  releaseBody(): void {
    this.released = true;
    this.body = Buffer.alloc(0);
  }

  finish(): void {
    this.finished += 1;
  }

  abort(reason: AbortReason): void {
    this.aborted = reason;
    this.onAbort?.(reason);
  }
}
