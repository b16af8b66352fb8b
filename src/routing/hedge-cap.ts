import type { HealthMemory } from './place.ts';

/** Thousandths of a second attempt. */
const ONE = 1_000;
/** So many may follow one another at once. */
const MAX_SAVED = 10 * ONE;

/** Second attempts are at most so many percent of the requests, over all threads: each request earns its part of one. */
export class HedgeCap {
  readonly #words: Int32Array;
  readonly #at: number | undefined;
  readonly #earned: number;

  constructor(model: string, maxRatePercent: number, memory: HealthMemory) {
    this.#words = memory.circuits.words;
    this.#at = memory.circuits.claim(`hedge ${model}`);
    this.#earned = Math.round((maxRatePercent * ONE) / 100);
  }

  asked(): void {
    if (this.#at !== undefined && Atomics.load(this.#words, this.#at) < MAX_SAVED)
      Atomics.add(this.#words, this.#at, this.#earned);
  }

  take(): boolean {
    if (this.#at === undefined) return false;
    for (;;) {
      const saved = Atomics.load(this.#words, this.#at);
      if (saved < ONE) return false;
      if (Atomics.compareExchange(this.#words, this.#at, saved, saved - ONE) === saved) return true;
    }
  }

  /** The second attempt that was taken did not begin. */
  giveBack(): void {
    if (this.#at !== undefined) Atomics.add(this.#words, this.#at, ONE);
  }
}
