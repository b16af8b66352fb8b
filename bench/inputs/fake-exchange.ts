import type { GatewayError } from '../../src/core/errors.ts';
import type {
  AbortReason,
  BodyScan,
  Exchange,
  HeadersOfInterest,
  Principal,
  ResponseSink,
} from '../../src/core/exchange.ts';
import type { JoinedHeaders } from '../../src/core/header-lines.ts';
import { exchangeId } from '../../src/core/ids.ts';
import { localHeaders } from '../../src/core/local-exchange.ts';
import type { Dialect } from '../../src/dialects/dialect.ts';

const JSON_HEADERS: HeadersOfInterest = { ...localHeaders({}), accept: 'application/json' };

/** May use what its pattern names, as most keys may. */
const principal: Principal = {
  subject: 'virtualaccount:bench',
  keyId: 'bench',
  teams: [],
  models: ['openai-main/*'],
  metadata: {},
};

/** A client that is a list of bytes and takes everything at once. */
export class FakeSink implements ResponseSink {
  onDrained: (() => void) | undefined;
  started = false;
  ending: 'open' | 'ended' | 'cut' = 'open';
  bytesOut = 0;
  status: number | undefined;
  readonly written: Uint8Array[] = [];
  #headers: readonly string[] = [];
  #joined: JoinedHeaders | undefined;

  /** By name. */
  get headers(): Record<string, string> {
    const list = [...this.#headers, ...(this.#joined?.list ?? [])];
    return Object.fromEntries(list.flatMap((name, at) => (at % 2 === 0 ? [[name, list[at + 1]!]] : [])));
  }

  start(status: number, headers: readonly string[], joined?: JoinedHeaders): void {
    this.started = true;
    this.status = status;
    this.#headers = headers;
    this.#joined = joined;
  }

  write(chunk: Uint8Array): boolean {
    this.written.push(chunk);
    this.bytesOut += chunk.length;
    return true;
  }

  end(chunk?: Uint8Array): void {
    if (chunk) this.write(chunk);
    this.ending = 'ended';
  }

  cut(): void {
    this.ending = 'cut';
  }

  text(): string {
    return Buffer.concat(this.written).toString();
  }
}

/** What the edge hands on, without a socket: head accepted, body read and scanned where there is a dialect. */
export class FakeExchange implements Exchange {
  readonly id: string = exchangeId();
  readonly requestId: string = this.id;
  readonly principal: Principal = principal;
  readonly method = 'POST';
  readonly path = '/chat/completions';
  readonly params = {};
  headers: HeadersOfInterest = JSON_HEADERS;
  readonly sink = new FakeSink();
  readonly startedAt = performance.now();
  readonly bodyReadAt = this.startedAt;
  readonly bytesIn: number;
  readonly scan: BodyScan | undefined;
  readonly arriving = undefined;
  body: Buffer;
  aborted: AbortReason | undefined;
  onAbort: ((reason: AbortReason) => void) | undefined;
  refusal: GatewayError | undefined;
  finished = 0;

  constructor(body: Buffer, dialect?: Dialect) {
    this.body = body;
    this.bytesIn = body.length;
    this.scan = dialect?.scan(this);
    this.scan?.advance(body, body.length);
  }

  pushOwnHeaders(list: string[], _upstreamMs: number): void {
    list.push('x-request-id', this.requestId, 'x-sluice-exchange-id', this.id);
  }

  refuse(error: GatewayError, _headers?: readonly string[]): void {
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
