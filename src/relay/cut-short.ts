import { endsWithEvent, lastEventEnd, nextEventEnd } from '../codec/event-cutter.ts';
import { PartialBuffer } from '../codec/partial-buffer.ts';
import type { StreamFollower } from '../dialects/dialect.ts';
import { inputUsage, type Usage } from '../inference/usage.ts';
import type { Allowance } from '../limits/admission.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import { AnswerFilter, type AnswerFilterMaker, type FilterHost } from './answer-filter.ts';

/** An event that is not whole is held up to here; a longer one is passed on in pieces, and the stream ends behind it. */
const MAX_HELD_BYTES = 65_536;
/** An empty line may lie across two pieces: so many bytes can be the beginning of one. */
const LINE_ENDS = 3;
const BYTES_PER_TOKEN = 4;
const EMPTY = Buffer.alloc(0);

/** Cuts a stream where its allowance ends; whole answers pass. */
export function cutShort(allowance: Allowance): AnswerFilterMaker {
  return (host, { isStream, dialect, answer, meter }) => {
    const follower = isStream ? dialect.followStream?.(answer) : undefined;
    return follower && new CutShort(host, allowance, follower, meter);
  };
}

/**
 * The filter of budgets that ask for their streams to be cut. It lets whole events through only: a stream that ended in
 * the middle of one would lose the client's next event too.
 */
class CutShort extends AnswerFilter {
  readonly #allowance: Allowance;
  readonly #follower: StreamFollower;
  readonly #meter: UsageMeter;
  /** The unfinished event at the end of what was written. */
  readonly #held = new PartialBuffer();
  /** In an event too long to be held: its last bytes are in `#held` and passed on already. */
  #long = false;
  #longBytes = 0;
  /** The tokens of the events that were read and sent. */
  #readTokens = 0;
  #over = false;

  constructor(host: FilterHost, allowance: Allowance, follower: StreamFollower, meter: UsageMeter) {
    super(host);
    this.#allowance = allowance;
    this.#follower = follower;
    this.#meter = meter;
  }

  override write(bytes: Buffer): void {
    if (this.#over) return;
    if (this.#long) this.#passLong(bytes);
    else if (this.#held.length === 0 && endsWithEvent(bytes)) this.#events(bytes);
    else this.#hold(bytes);
  }

  override finish(last?: Buffer): void {
    if (last) this.write(last);
    // Bytes behind the last whole event are no content that could be cut.
    if (!this.#long && this.#held.length > 0 && !this.#over) this.host.write(this.#held.take(this.#held.length));
    if (!this.#over) this.host.finish();
  }

  #events(bytes: Buffer): void {
    const follower = this.#follower;
    for (let start = 0; start < bytes.length; ) {
      const next = nextEventEnd(bytes, start);
      const end = next < 0 ? bytes.length : next;
      const tokens = follower.read(bytes.subarray(start, end));
      if (tokens > this.#readTokens && !follower.finished && !this.#allowance.covers(tokens + this.#longTokens)) {
        if (start > 0) this.host.write(bytes.subarray(0, start));
        this.#cut();
        return;
      }
      this.#readTokens = tokens;
      start = end;
    }
    this.host.write(bytes);
  }

  #cut(): void {
    this.#over = true;
    const { budgetId, inputTokens } = this.#allowance;
    const input = inputUsage(this.#meter.usage ?? {});
    const usage: Usage = {
      ...input,
      inputTokens: input.inputTokens ?? inputTokens,
      outputTokens: this.#readTokens + this.#longTokens,
    };
    this.host.shorten(this.#follower.ending(usage), { usage, detail: `cut by budget ${budgetId}` });
  }

  #hold(bytes: Buffer): void {
    const before = this.#held.length;
    this.#held.append(bytes);
    const end = lastEventEnd(this.#held.memory, Math.max(0, before - 3), this.#held.length);
    if (end > 0) this.#events(this.#held.take(end));
    if (this.#over || this.#held.length <= MAX_HELD_BYTES) return;
    this.host.write(Buffer.from(this.#held.memory.subarray(0, this.#held.length)));
    this.#longBytes += this.#held.length;
    this.#long = true;
    this.#held.keepLast(LINE_ENDS);
  }

  /** Up to the end of the long event; there the stream may end. */
  #passLong(bytes: Buffer): void {
    const before = this.#held.length;
    this.#held.append(bytes);
    const end = nextEventEnd(this.#held.memory.subarray(0, this.#held.length), 0);
    const passed = end < 0 ? bytes.length : Math.max(0, end - before);
    if (passed > 0) this.host.write(bytes.subarray(0, passed));
    this.#longBytes += passed;
    if (end < 0) {
      this.#held.keepLast(LINE_ENDS);
      return;
    }
    this.#long = false;
    this.#held.clear();
    if (!this.#allowance.covers(this.#readTokens + this.#longTokens)) {
      // The event before it was sent as well.
      this.#follower.read(EMPTY);
      this.#cut();
    } else if (passed < bytes.length) this.write(bytes.subarray(passed));
  }

  /** The tokens of events too long to be read. */
  get #longTokens(): number {
    return Math.ceil(this.#longBytes / BYTES_PER_TOKEN);
  }
}
