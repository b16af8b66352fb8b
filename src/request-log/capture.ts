import type { Exchange, HeadersOfInterest, ResponseSink, SinkTap } from '../core/exchange.ts';
import type { CapturedBody, HiddenText } from '../threads/request-log-messages.ts';
import type { BodyPlan } from './body-policy.ts';

/** Seen beyond what is kept, so that a secret that is cut at the bound is found all the same (kept-text.ts). */
export const MARGIN_BYTES = 1_024;
const FIRST_BYTES = 4_096;
const NOTHING_HIDDEN: readonly HiddenText[] = [];

export interface CaptureRoom {
  /** Whether so many bytes more may be held; they are given back with `release`. */
  hold(bytes: number): boolean;
  release(bytes: number): void;
}

/** What bodies are captured of: an exchange, or a call within one. */
export interface CaptureSource
  extends Pick<Exchange, 'id' | 'principal' | 'body' | 'arriving' | 'spooled' | 'bytesIn'> {
  readonly headers: Pick<HeadersOfInterest, 'contentType'>;
  readonly sink: Pick<ResponseSink, 'tap'>;
}

/**
 * The bodies of one exchange while it passes: the start of what was asked, and of what its client gets, whoever says it.
 * Both are copied, since the memory of requests is used again and one small chunk would keep 64 KiB alive. Where there is
 * no room for them nothing is kept of the exchange.
 */
export class Capture implements SinkTap {
  readonly plan: BodyPlan;
  /** What stands in the answer and may not be kept, and what is kept in its place. */
  hidden: readonly HiddenText[] = NOTHING_HIDDEN;
  readonly #exchange: CaptureSource;
  #request: Uint8Array<ArrayBuffer> | undefined;
  #requestBytes = 0;
  /** The bytes of what was asked, as it was kept; undefined: nothing is. */
  #askedBytes: number | undefined;
  readonly #room: CaptureRoom;
  readonly #maxBytes: number;
  #status = 0;
  #contentType: string | undefined;
  #answer: Uint8Array<ArrayBuffer> | undefined;
  #kept = 0;
  #seen = 0;
  #held = 0;
  #isLost = false;

  /** `maxBodyBytes`: of each of the two. */
  constructor(exchange: CaptureSource, plan: BodyPlan, maxBodyBytes: number, room: CaptureRoom) {
    this.plan = plan;
    this.#room = room;
    this.#maxBytes = maxBodyBytes + MARGIN_BYTES;
    this.#exchange = exchange;
    this.keepRequest();
    exchange.sink.tap = this;
  }

  /** What was asked, as it is now: whoever changes it says so again. `body`: where the exchange has it no more. */
  keepRequest(body: Uint8Array = this.#exchange.body): void {
    const { arriving, spooled } = this.#exchange;
    this.withholdRequest();
    if (arriving !== undefined || spooled !== undefined || this.#isLost) return;
    const bytes = Math.min(body.length, this.#maxBytes);
    if (!this.#hold(bytes)) return;
    this.#askedBytes = body.length;
    this.#requestBytes = bytes;
    this.#request = new Uint8Array(body.subarray(0, bytes));
  }

  /** Nothing of what was asked is kept but its size. */
  withholdRequest(): void {
    this.#room.release(this.#requestBytes);
    this.#held -= this.#requestBytes;
    this.#requestBytes = 0;
    this.#askedBytes = undefined;
    this.#request = undefined;
  }

  get request(): CapturedBody {
    const { bytesIn, headers } = this.#exchange;
    return { contentType: headers.contentType, bytes: this.#askedBytes ?? bytesIn, start: this.#request };
  }

  began(status: number, headers: readonly string[]): void {
    this.#status = status;
    for (let at = 0; at < headers.length; at += 2) {
      if (headers[at] === 'content-type') this.#contentType = headers[at + 1];
    }
  }

  took(chunk: Uint8Array): void {
    this.#seen += chunk.length;
    const wanted = Math.min(chunk.length, this.#maxBytes - this.#kept);
    if (wanted <= 0 || this.#isLost || !this.#hasRoom(this.#kept + wanted)) return;
    this.#answer!.set(wanted === chunk.length ? chunk : chunk.subarray(0, wanted), this.#kept);
    this.#kept += wanted;
  }

  get status(): number {
    return this.#status;
  }

  /** There was no room for all of it. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** The receiver of the bodies gives them back. */
  get heldBytes(): number {
    return this.#held;
  }

  get response(): CapturedBody {
    const start = this.#answer?.slice(0, this.#kept);
    return { contentType: this.#contentType, bytes: this.#seen, start: start ?? new Uint8Array(0) };
  }

  drop(): void {
    this.#room.release(this.#held);
    this.#held = 0;
    this.#requestBytes = 0;
    this.#request = undefined;
    this.#answer = undefined;
    this.#isLost = true;
  }

  #hasRoom(bytes: number): boolean {
    const answer = this.#answer;
    if (answer !== undefined && answer.length >= bytes) return true;
    const length = Math.min(this.#maxBytes, Math.max(bytes, 2 * (answer?.length ?? 0), FIRST_BYTES));
    if (!this.#hold(length - (answer?.length ?? 0))) return false;
    const larger = new Uint8Array(length);
    if (answer !== undefined) larger.set(answer);
    this.#answer = larger;
    return true;
  }

  #hold(bytes: number): boolean {
    if (this.#room.hold(bytes)) {
      this.#held += bytes;
      return true;
    }
    this.drop();
    return false;
  }
}
