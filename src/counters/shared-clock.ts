import { BASE_MS, CLOCK_OFFSET_MS, type SharedLayout, WALL_SHIFT_MS } from './shared-layout.ts';

/** What counters are asked with. */
export interface CounterClock {
  /** Milliseconds since the Unix epoch; never goes back. */
  now(): number;
  /** The milliseconds to add to `now` for the time of day. */
  readonly wallShiftMs: number;
}

/** Below this the difference is only how the two clocks were read. */
const NOISE_MS = 20;

/**
 * One clock for all threads: the machine's monotonic one, said as milliseconds since the Unix epoch. A wall clock that
 * is set back by an hour would freeze every sliding window for that hour, and two threads' `performance.timeOrigin` are
 * as far apart as the wall clock was moved between their starts. Budgets begin with the day of the wall clock, so the
 * main thread says by how much it has moved away.
 */
export class SharedClock implements CounterClock {
  readonly #doubles: Float64Array;
  /** From this thread's performance.now(). */
  readonly #offsetMs: number;

  constructor(layout: SharedLayout) {
    this.#doubles = layout.headerDoubles;
    this.#offsetMs = layout.headerDoubles[CLOCK_OFFSET_MS]! + monotonicMs() - performance.now();
  }

  now(): number {
    return performance.now() + this.#offsetMs;
  }

  get wallShiftMs(): number {
    return this.#doubles[WALL_SHIFT_MS]!;
  }

  get baseMs(): number {
    return this.#doubles[BASE_MS]!;
  }

  /** The main thread, now and then; how far the wall clock was set since the last time. */
  followWall(wallMs: number): number {
    const shift = wallMs - this.now();
    const setMs = Math.abs(shift - this.wallShiftMs);
    if (setMs > NOISE_MS) this.#doubles[WALL_SHIFT_MS] = shift;
    return setMs;
  }
}

/** Counts for the whole machine alike, whatever thread asks. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
