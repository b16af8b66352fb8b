import { ByteList } from '../codec/byte-list.ts';
import type { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { AnswerHeaders } from '../core/http-client.ts';
import type { ProxyStep } from './asked-steps.ts';
import { givenHeaders } from './passed-headers.ts';
import type { UsageWatch } from './usage-watch.ts';

export interface PassedAnswerOptions {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly step: ProxyStep;
  readonly exchange: Exchange;
  readonly isHead: boolean;
  /** It was asked with a credential of ours. */
  readonly isAuthorised: boolean;
  readonly ownHeaders: readonly string[];
  upstreamMs(): number;
  watch(contentType: string): UsageWatch | undefined;
}

/** What a provider says of a failure: longer than that nobody reads, and it may have no end. */
const MAX_ERROR_BYTES = 65_536;
const MAX_ERROR_MS = 5_000;

/**
 * One answer of a provider on its way to the client. What is no failure passes chunk by chunk. The body of a failure is
 * held, since it may quote our credential, or be about it.
 */
export class PassedAnswer {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly #o: PassedAnswerOptions;
  readonly #since = performance.now();
  readonly #held: ByteList | undefined;
  #watch: UsageWatch | undefined;
  #begun = false;

  constructor(options: PassedAnswerOptions) {
    const { status, headers } = options;
    this.#o = options;
    this.status = status;
    const contentType = headers['content-type'];
    this.contentType = contentType === undefined ? undefined : String(contentType);
    if (status >= 400) this.#held = new ByteList();
    else if (status <= 299 && this.contentType !== undefined) this.#watch = options.watch(this.contentType);
  }

  /** `full`: the client takes no more for now. `complete`: more of it is not wanted. */
  chunk(bytes: Buffer): 'taken' | 'full' | 'complete' {
    const held = this.#held;
    if (held !== undefined) {
      const room = MAX_ERROR_BYTES - held.length;
      held.push(bytes.subarray(0, Math.max(0, room)));
      return bytes.length >= room ? 'complete' : 'taken';
    }
    this.#watch?.chunk(bytes);
    this.#begin();
    return this.#o.exchange.sink.write(bytes) ? 'taken' : 'full';
  }

  get isFailure(): boolean {
    return this.#held !== undefined;
  }

  /** A failure whose words take too long is told without the rest of them. */
  isLate(now: number): boolean {
    return this.#held !== undefined && now - this.#since > MAX_ERROR_MS;
  }

  /** Once it has ended. Undefined: it is no failure. */
  error(): GatewayError | undefined {
    if (this.#held === undefined) return undefined;
    const { mount, target } = this.#o.step;
    return mount.wire.toError(this.status, this.#held.whole(), target);
  }

  /**
   * Whether the client gets the provider's own words. Where our credential is refused, it does not: it has none of its
   * own there. Nor does it where they are cut.
   */
  passesError(error: GatewayError): boolean {
    const isOurs = error.code === 'upstream_credential' && this.#o.isAuthorised;
    return !isOurs && (this.#held?.length ?? 0) < MAX_ERROR_BYTES;
  }

  end(): void {
    this.#watch?.ended();
    this.#begin();
    this.#o.exchange.sink.end();
  }

  endWithError(): void {
    const { redact } = this.#o.step.mount.credential;
    const held = this.#held!.length === 0 ? Buffer.alloc(0) : this.#held!.whole();
    // As Latin-1, so that bytes which are no UTF-8 stay as they are.
    const words = held.toString('latin1');
    const clean = redact(words);
    this.#begin();
    this.#o.exchange.sink.end(clean === words ? held : Buffer.from(clean, 'latin1'));
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    const { exchange, headers, step, ownHeaders, isHead } = this.#o;
    const { redact } = step.mount.credential;
    const list: string[] = [];
    if (this.contentType !== undefined) list.push('content-type', redact(this.contentType));
    exchange.pushOwnHeaders(list, this.#o.upstreamMs());
    list.push(...givenHeaders(headers, redact));
    list.push('x-tfy-resolved-model', step.target.id, ...ownHeaders);
    if (isHead) {
      const length = Number(headers['content-length']);
      if (Number.isSafeInteger(length)) exchange.sink.declaredBytes = length;
    }
    exchange.sink.start(this.status, list);
  }
}
