import type { JsonObject } from './json-value.ts';
import { KnownEvent, type LooseKeys } from './known-event.ts';

/** A stream has one with the role, one with a finish reason, of which there are several, and one with the usage. */
const MAX_EVENTS = 6;
const MAX_EVENT_BYTES = 2_048;
/** To learn an event costs as much as is won by so many that were known. */
const LESSON_COST = 16;
const MAX_CREDIT = 8 * LESSON_COST;

/** The events that the streams of a target have in common, beside their texts. The one that was not met for longest goes. */
export class KnownEvents {
  readonly #keys: LooseKeys;
  readonly #known: { event: KnownEvent; metAt: number }[] = [];
  #meetings = 0;
  /** Where no event is like an earlier one, none is learned any more. */
  #credit = MAX_CREDIT;
  #last: JsonObject | undefined;
  /** They come in the same order in each stream: behind the one that was met is the place to look first. */
  #next = 0;

  constructor(keys: LooseKeys) {
    this.#keys = keys;
  }

  /** What the event says that was matched last; it is changed by the next. */
  get event(): JsonObject | undefined {
    return this.#last;
  }

  /** Offset behind the event that begins at `at`, where it is known; else -1. */
  match(bytes: Buffer, at: number): number {
    const { length } = this.#known;
    for (let tried = 0; tried < length; tried += 1) {
      const index = (this.#next + tried) % length;
      const known = this.#known[index]!;
      const end = known.event.match(bytes, at);
      if (end < 0) continue;
      this.#next = index + 1;
      this.#meetings += 1;
      known.metAt = this.#meetings;
      if (this.#credit < MAX_CREDIT) this.#credit += 1;
      this.#last = known.event.event;
      return end;
    }
    return -1;
  }

  /** `event`: what the bytes [start, end) were parsed to, of which the caller lets go. */
  learn(bytes: Buffer, start: number, end: number, event: JsonObject): void {
    if (this.#credit < LESSON_COST || end - start > MAX_EVENT_BYTES) return;
    this.#credit -= LESSON_COST;
    const known = KnownEvent.of(bytes, start, end, event, this.#keys);
    if (known === undefined) return;
    this.#meetings += 1;
    const learned = { event: known, metAt: this.#meetings };
    if (this.#known.length < MAX_EVENTS) this.#known.push(learned);
    else this.#known[this.#leastMet()] = learned;
  }

  #leastMet(): number {
    let least = 0;
    for (let index = 1; index < this.#known.length; index += 1) {
      if (this.#known[index]!.metAt < this.#known[least]!.metAt) least = index;
    }
    return least;
  }
}
