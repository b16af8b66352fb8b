import { FakeExchange, FakeSink } from '../../../bench/inputs/fake-exchange.ts';
import type { GatewayError } from '../../../src/core/errors.ts';
import type { AbortReason } from '../../../src/core/exchange.ts';
import { errorBody } from '../../../src/dialects/openai-json/error-body.ts';

/** Throws at whatever a socket would garble. `takes`: how much the client takes before it is full. */
class StrictSink extends FakeSink {
  takes = Number.POSITIVE_INFINITY;

  override start(status: number, headers: readonly string[]): void {
    if (this.started) throw new Error('the head was started twice');
    super.start(status, headers);
  }

  override write(chunk: Uint8Array): boolean {
    if (!this.started) throw new Error('bytes before the head');
    if (this.ending !== 'open') throw new Error('bytes behind the end');
    super.write(chunk);
    return this.bytesOut <= this.takes;
  }
}

/** A client that a test makes leave, and whose errors are written as the edge writes them. */
export class StrictExchange extends FakeExchange {
  override readonly requestId = 'request-1';
  override readonly sink = new StrictSink();
  released = false;

  override pushOwnHeaders(list: string[], upstreamMs: number): void {
    super.pushOwnHeaders(list, upstreamMs);
    list.push('upstream-ms', String(upstreamMs));
  }

  override refuse(error: GatewayError, headers: readonly string[] = []): void {
    super.refuse(error);
    this.sink.start(error.status, ['content-type', 'application/json', ...headers]);
    this.sink.end(errorBody(error));
  }

  override releaseBody(): void {
    super.releaseBody();
    this.released = true;
  }

  abort(reason: AbortReason): void {
    this.aborted = reason;
    this.onAbort?.(reason);
  }
}
