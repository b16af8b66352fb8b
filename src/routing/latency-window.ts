import type { SharedSlots } from './shared-slots.ts';

/**
 * Percentiles of what a target took within the last minutes: until first content, and between two tokens. Two
 * generations of counts in shared memory, each a minute and a half, so a percentile is of the last 1.5 to 3 minutes.
 * A bucket is a fifth wide; a value is placed within it by the counts around.
 */
const BUCKETS = 72;
const PER_OCTAVE = 4;
const SPAN_MS = 90_000;
const METRICS = 2;
const START = 0;
/** 0 or 1: which generation is counted into. */
const CURRENT = 1;
const COUNTS = 2;
export const LATENCY_WORDS = COUNTS + 2 * METRICS * BUCKETS;
/** Fewer samples say nothing. */
const MIN_SAMPLES = 3;

export type LatencyMetric = 'first-content' | 'per-token';

/** Milliseconds of one count: tokens come faster than answers begin. */
const UNIT_MS = { 'first-content': 1, 'per-token': 0.1 } as const satisfies Record<LatencyMetric, number>;
const METRIC_INDEX = { 'first-content': 0, 'per-token': 1 } as const satisfies Record<LatencyMetric, number>;

export class LatencyWindow {
  readonly #words: Int32Array;
  readonly #at: number;

  constructor(slots: SharedSlots, at: number) {
    this.#words = slots.words;
    this.#at = at;
  }

  add(metric: LatencyMetric, ms: number, now: number): void {
    this.#rotate(now);
    const current = Atomics.load(this.#words, this.#at + CURRENT);
    Atomics.add(this.#words, this.#bucketAt(current, metric, bucketOf(ms / UNIT_MS[metric])), 1);
  }

  /** `share`: 0.95 for the 95th. Undefined: fewer than three answers came lately. */
  percentile(metric: LatencyMetric, share: number, now: number): number | undefined {
    const found = this.#bucketOf(metric, share, now);
    return found && 2 ** ((found.bucket - 0.5 + found.within) / PER_OCTAVE) * UNIT_MS[metric];
  }

  /** What that percentile is at the most: the upper end of its bucket. */
  percentileBound(metric: LatencyMetric, share: number, now: number): number | undefined {
    const found = this.#bucketOf(metric, share, now);
    return found && 2 ** ((found.bucket + 0.5) / PER_OCTAVE) * UNIT_MS[metric];
  }

  #bucketOf(
    metric: LatencyMetric,
    share: number,
    now: number,
  ): { readonly bucket: number; readonly within: number } | undefined {
    this.#rotate(now);
    const counts = new Array<number>(BUCKETS);
    let total = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const count =
        Atomics.load(this.#words, this.#bucketAt(0, metric, bucket)) +
        Atomics.load(this.#words, this.#bucketAt(1, metric, bucket));
      counts[bucket] = count;
      total += count;
    }
    if (total < MIN_SAMPLES) return undefined;
    let before = 0;
    const wanted = share * total;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const count = counts[bucket]!;
      if (before + count >= wanted && count > 0) {
        return { bucket, within: (wanted - before) / count };
      }
      before += count;
    }
    return undefined;
  }

  reset(): void {
    for (let word = 0; word < LATENCY_WORDS; word += 1) Atomics.store(this.#words, this.#at + word, 0);
  }

  #rotate(now: number): void {
    const start = Atomics.load(this.#words, this.#at + START);
    const age = (now - start) | 0;
    if (age >= 0 && age <= SPAN_MS) return;
    // One thread does it; the others count on meanwhile.
    if (Atomics.compareExchange(this.#words, this.#at + START, start, now | 0) !== start) return;
    const next = 1 - Atomics.load(this.#words, this.#at + CURRENT);
    this.#clear(next);
    if (age < 0 || age > 2 * SPAN_MS) this.#clear(1 - next);
    Atomics.store(this.#words, this.#at + CURRENT, next);
  }

  #clear(generation: number): void {
    const from = this.#at + COUNTS + generation * METRICS * BUCKETS;
    for (let word = from; word < from + METRICS * BUCKETS; word += 1) Atomics.store(this.#words, word, 0);
  }

  #bucketAt(generation: number, metric: LatencyMetric, bucket: number): number {
    return this.#at + COUNTS + (generation * METRICS + METRIC_INDEX[metric]) * BUCKETS + bucket;
  }
}

function bucketOf(units: number): number {
  const bucket = Math.round(Math.log2(Math.max(1, units)) * PER_OCTAVE);
  return Math.min(BUCKETS - 1, bucket);
}
