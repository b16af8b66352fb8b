import { endsWithEvent, lastEventEnd, nextEventEnd } from '../codec/event-cutter.ts';
import { PartialBuffer } from '../codec/partial-buffer.ts';
import type { GatewayError } from '../core/errors.ts';
import type { StreamFollower } from '../dialects/dialect.ts';
import type { Usage } from '../inference/usage.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import type { RelayHost } from './relay-mode.ts';

/** See policy/admission.ts; said here, because relay and policy do not know each other. */
export interface Allowance {
  readonly budgetId: string;
  readonly inputTokens: number;
  covers(outputTokens: number): boolean;
}

/** What an answer came to that was ended before its provider ended it. */
export interface Shortened {
  /** Of what was sent: billed, and told to a client that asked. */
  readonly usage: Usage;
  readonly detail: string;
}

export interface StreamHost extends RelayHost {
  /** The attempt is given up, `ending` is the last that the client gets, and the answer is whole. */
  shorten(ending: Buffer, shortened: Shortened): void;
}

export interface CutShortOptions {
  readonly host: StreamHost;
  readonly allowance: Allowance;
  readonly follower: StreamFollower;
  readonly meter: UsageMeter;
}

/** An event that is not whole is held up to here; a longer one is passed on in pieces, and the stream ends behind it. */
const MAX_HELD_BYTES = 65_536;
/** An empty line may lie across two pieces: so many bytes can be the beginning of one. */
const LINE_ENDS = 3;
const BYTES_PER_TOKEN = 4;
const EMPTY = Buffer.alloc(0);

/**
 * Stands between a way of carrying a stream and the relay where a budget asks for its streams to be cut; where none
 * does it is not made. Sees the bytes as the client gets them, be they passed through or translated, and lets whole
 * events through only: a stream that ended in the middle of one would lose the client's next event too.
 */
export class CutShort implements RelayHost {
  readonly #o: CutShortOptions;
  /** The unfinished event at the end of what was written. */
  readonly #held = new PartialBuffer();
  /** In an event too long to be held: its last bytes are in `#held` and passed on already. */
  #long = false;
  #longBytes = 0;
  /** Of the events that were read and sent. */
  #readTokens = 0;
  #over = false;

  constructor(options: CutShortOptions) {
    this.#o = options;
  }

  commit(contentType: string): void {
    this.#o.host.commit(contentType);
  }

  content(pieces: number): void {
    this.#o.host.content(pieces);
  }

  fail(error: GatewayError): void {
    this.#o.host.fail(error);
  }

  write(bytes: Buffer): void {
    if (this.#over) return;
    if (this.#long) this.#passLong(bytes);
    else if (this.#held.length === 0 && endsWithEvent(bytes)) this.#events(bytes);
    else this.#hold(bytes);
  }

  finish(last?: Buffer): void {
    if (last) this.write(last);
    // What is behind the last whole event is the provider's to send; it is no content that could be cut.
    if (!this.#long && this.#held.length > 0 && !this.#over) this.#o.host.write(this.#held.take(this.#held.length));
    if (!this.#over) this.#o.host.finish();
  }

  #events(bytes: Buffer): void {
    const { host, follower, allowance } = this.#o;
    for (let start = 0; start < bytes.length; ) {
      const next = nextEventEnd(bytes, start);
      const end = next < 0 ? bytes.length : next;
      const tokens = follower.read(bytes.subarray(start, end));
      if (tokens > this.#readTokens && !follower.finished && !allowance.covers(tokens + this.#longTokens)) {
        if (start > 0) host.write(bytes.subarray(0, start));
        this.#cut();
        return;
      }
      this.#readTokens = tokens;
      start = end;
    }
    host.write(bytes);
  }

  #cut(): void {
    this.#over = true;
    const { host, allowance, follower, meter } = this.#o;
    const { reasoningOutputTokens: _, audioOutputTokens: __, providerCostUsd: ___, ...input } = meter.usage ?? {};
    const usage: Usage = {
      ...input,
      inputTokens: input.inputTokens ?? allowance.inputTokens,
      outputTokens: this.#readTokens + this.#longTokens,
    };
    host.shorten(follower.ending(usage), { usage, detail: `cut by budget ${allowance.budgetId}` });
  }

  #hold(bytes: Buffer): void {
    const before = this.#held.length;
    this.#held.append(bytes);
    const end = lastEventEnd(this.#held.memory, Math.max(0, before - 3), this.#held.length);
    if (end > 0) this.#events(this.#held.take(end));
    if (this.#over || this.#held.length <= MAX_HELD_BYTES) return;
    this.#o.host.write(Buffer.from(this.#held.memory.subarray(0, this.#held.length)));
    this.#longBytes += this.#held.length;
    this.#long = true;
    this.#held.keepLast(LINE_ENDS);
  }

  /** Up to the end of the long event; there the stream may end. */
  #passLong(bytes: Buffer): void {
    const { host, allowance, follower } = this.#o;
    const before = this.#held.length;
    this.#held.append(bytes);
    const end = nextEventEnd(this.#held.memory.subarray(0, this.#held.length), 0);
    const passed = end < 0 ? bytes.length : Math.max(0, end - before);
    if (passed > 0) host.write(bytes.subarray(0, passed));
    this.#longBytes += passed;
    if (end < 0) {
      this.#held.keepLast(LINE_ENDS);
      return;
    }
    this.#long = false;
    this.#held.clear();
    if (!allowance.covers(this.#readTokens + this.#longTokens)) {
      // The event before it was sent as well.
      follower.read(EMPTY);
      this.#cut();
    } else if (passed < bytes.length) this.write(bytes.subarray(passed));
  }

  /** Of events too long to be read. */
  get #longTokens(): number {
    return Math.ceil(this.#longBytes / BYTES_PER_TOKEN);
  }
}
