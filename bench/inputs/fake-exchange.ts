import type { GatewayError } from '../../src/core/errors.ts';
import type {
  AbortReason,
  BodyScan,
  Exchange,
  HeadersOfInterest,
  Principal,
  ResponseSink,
} from '../../src/core/exchange.ts';
import { exchangeId } from '../../src/core/ids.ts';
import type { Dialect } from '../../src/dialects/dialect.ts';

const NO_HEADERS: HeadersOfInterest = {
  contentType: 'application/json',
  accept: 'application/json',
  traceparent: undefined,
  tracestate: undefined,
  idempotencyKey: undefined,
  tfy: undefined,
  beta: undefined,
};

/** May use what its pattern names, as most keys may. */
const principal: Principal = {
  subject: 'virtualaccount:bench',
  keyId: 'bench',
  teams: [],
  models: ['openai-main/*'],
  metadata: {},
};

/** A client that takes everything at once. */
export class FakeSink implements ResponseSink {
  onDrained: (() => void) | undefined;
  started = false;
  ended: 'no' | 'end' | 'cut' = 'no';
  bytesOut = 0;
  status = 0;
  headers: readonly string[] = [];
  readonly written: Uint8Array[] = [];

  start(status: number, headers: readonly string[]): void {
    this.started = true;
    this.status = status;
    this.headers = headers;
  }

  write(chunk: Uint8Array): boolean {
    this.written.push(chunk);
    this.bytesOut += chunk.length;
    return true;
  }

  end(chunk?: Uint8Array): void {
    if (chunk) this.write(chunk);
    this.ended = 'end';
  }

  cut(): void {
    this.ended = 'cut';
  }
}

/** What the edge hands on, without a socket: head accepted, body read and scanned. */
export class FakeExchange implements Exchange {
  readonly id = exchangeId();
  readonly requestId = this.id;
  readonly principal = principal;
  readonly method = 'POST';
  readonly path = '/chat/completions';
  readonly pathRest = '';
  readonly headers = NO_HEADERS;
  readonly sink = new FakeSink();
  readonly startedAt = performance.now();
  readonly bodyReadAt = this.startedAt;
  readonly bytesIn: number;
  readonly scan: BodyScan;
  body: Buffer;
  aborted: AbortReason | undefined;
  onAbort: ((reason: AbortReason) => void) | undefined;
  refusal: GatewayError | undefined;
  finished = 0;

  constructor(dialect: Dialect, body: Buffer) {
    this.body = body;
    this.bytesIn = body.length;
    this.scan = dialect.scan();
    this.scan.advance(body, body.length);
  }

  pushOwnHeaders(list: string[]): void {
    list.push('x-request-id', this.requestId, 'x-sluice-exchange-id', this.id);
  }

  refuse(error: GatewayError): void {
    this.refusal = error;
  }

  clientJson(): undefined {
    return undefined;
  }

  keepBody(): () => void {
    return () => {};
  }

  releaseBody(): void {
    this.body = Buffer.alloc(0);
  }

  finish(): void {
    this.finished += 1;
  }
}
