import type { Exchange, SinkTap } from '../core/exchange.ts';
import type { CapturedBody } from '../threads/request-log-messages.ts';
import type { BodyPlan } from './body-policy.ts';

/** Seen beyond what is kept, so that a secret that is cut at the bound is found all the same (kept-text.ts). */
export const MARGIN_BYTES = 1_024;
const FIRST_BYTES = 4_096;

export interface CaptureRoom {
  /** Whether so many bytes more may be held; they are given back with `release`. */
  hold(bytes: number): boolean;
  release(bytes: number): void;
}

/**
 * The bodies of one exchange while it passes: the start of what was asked, and of what its client gets, whoever says it.
 * Both are copied, since the memory of requests is used again and one small chunk would keep 64 KiB alive. Where there is
 * no room for them nothing is kept of the exchange.
 */
export class Capture implements SinkTap {
  readonly plan: BodyPlan;
  readonly request: CapturedBody;
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
  constructor(exchange: Exchange, plan: BodyPlan, maxBodyBytes: number, room: CaptureRoom) {
    this.plan = plan;
    this.#room = room;
    this.#maxBytes = maxBodyBytes + MARGIN_BYTES;
    const { body, bytesIn, headers, arriving, spooled } = exchange;
    const isSeen = arriving === undefined && spooled === undefined;
    const bytes = isSeen ? Math.min(body.length, this.#maxBytes) : 0;
    const start = isSeen && this.#hold(bytes) ? new Uint8Array(body.subarray(0, bytes)) : undefined;
    this.request = { contentType: headers.contentType, bytes: bytesIn, start };
    exchange.sink.tap = this;
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

  /** Whoever takes the bodies gives them back. */
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
