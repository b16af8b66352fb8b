import type { BudgetPeriod } from '../config/rules/counted-rules.ts';
import type { CellWindow } from './cell.ts';
import { periodEnd, periodStart } from './periods.ts';
import { VALUES_PER_CELL } from './shared-layout.ts';

/**
 * The arithmetic of one cell in shared memory. Everything here happens under the lock of its stripe, so plain reads and
 * writes are exact; amounts are whole numbers, which doubles hold up to 2^53. Nothing here throws or allocates, but for
 * two dates when a period ends.
 *
 * sliding   [0] bucket length ms  [1] newest tick   [2] sum      [3…63] 61 buckets
 * calendar  [0] −1 − period       [1] period start  [2] settled  [3] held  [4] period end
 * open      [0] OPEN_SHAPE                                       [3] held
 */
const SHAPE = 0;
const NEWEST = 1;
const START = 1;
const SUM = 2;
const SETTLED = 2;
const HELD = 3;
const END = 4;
const FIRST_BUCKET = 3;

/**
 * One more than the window has sixtieths: any span as long as the window touches at most 61 of them, so with the sum over
 * 61 never above the limit no such span holds more.
 */
const BUCKETS = 61;
const PERIODS: readonly BudgetPeriod[] = ['day', 'week', 'month', 'quarter'];
const OPEN_SHAPE = -1 - PERIODS.length;

export class CellValues {
  readonly #values: Float64Array;
  readonly #baseMs: number;
  readonly #periods = PERIODS.map((period) => new CurrentPeriod(period));
  /** Asked about the end of an exchange, which may lie in the period before: it must not push the others' bounds away. */
  readonly #endedPeriods = PERIODS.map((period) => new CurrentPeriod(period));

  /** The current time of the running operation. It is a field, since V8 allocates an object for a number argument. */
  #nowMs = 0;
  #wallMs = 0;

  constructor(values: Float64Array, baseMs: number) {
    this.#values = values;
    this.#baseMs = baseMs;
  }

  /** `wallMs`: by the wall clock, which days begin with. */
  setTime(nowMs: number, wallMs: number): void {
    this.#nowMs = nowMs;
    this.#wallMs = wallMs;
  }

  begin(place: number, window: CellWindow): void {
    const at = place * VALUES_PER_CELL;
    const values = this.#values;
    values.fill(0, at, at + VALUES_PER_CELL);
    if (window.kind === 'sliding') {
      values[at + SHAPE] = window.ms / (BUCKETS - 1);
      values[at + NEWEST] = this.#tick(at);
    } else if (window.kind === 'calendar') {
      const index = PERIODS.indexOf(window.period);
      const period = this.#periods[index]!.at(this.#wallMs);
      values[at + SHAPE] = -1 - index;
      values[at + START] = period.startMs;
      values[at + END] = period.endMs;
    } else values[at + SHAPE] = OPEN_SHAPE;
  }

  /** Lets go of what has left the window. Every other question is about a cell that was rolled. */
  roll(place: number): void {
    const at = place * VALUES_PER_CELL;
    const values = this.#values;
    const shape = values[at + SHAPE]!;
    if (shape > 0) {
      const tick = this.#tick(at);
      // Before the newest: another thread was faster by a hair, and what is booked now counts with the newest.
      if (tick > values[at + NEWEST]!) this.#slide(at, tick);
    } else if (shape > OPEN_SHAPE) {
      const ended = this.#wallMs >= values[at + END]!;
      // A clock that was set to tomorrow and is set right again: until then nothing that ends would be charged.
      const setBack = this.#wallMs < values[at + START]! - SET_BACK_MS;
      if (!ended && !setBack) return;
      const period = this.#periods[-1 - shape]!.at(this.#wallMs);
      values[at + START] = period.startMs;
      values[at + END] = period.endMs;
      // Reservations of exchanges that are still open stay. So do charges under the wrong date.
      if (ended) values[at + SETTLED] = 0;
    }
  }

  /** Settled and held. */
  used(place: number): number {
    const at = place * VALUES_PER_CELL;
    const values = this.#values;
    return values[at + SHAPE]! > 0 ? values[at + SUM]! : this.settled(place) + values[at + HELD]!;
  }

  /** What a sliding cell has settled, with what is held, since both lie in the same buckets. */
  settled(place: number): number {
    const at = place * VALUES_PER_CELL;
    return this.#values[at + SHAPE] === OPEN_SHAPE ? 0 : this.#values[at + SUM]!;
  }

  held(place: number): number {
    const at = place * VALUES_PER_CELL;
    return this.#values[at + SHAPE]! > 0 ? 0 : this.#values[at + HELD]!;
  }

  isOpen(place: number): boolean {
    return this.#values[place * VALUES_PER_CELL + SHAPE] === OPEN_SHAPE;
  }

  /** Nothing in the window and nothing held: as good as a cell that was never there. Need not be rolled. */
  idle(place: number): boolean {
    const at = place * VALUES_PER_CELL;
    const values = this.#values;
    const shape = values[at + SHAPE]!;
    if (shape > 0) return values[at + SUM] === 0 || this.#tick(at) - values[at + NEWEST]! >= BUCKETS;
    if (values[at + HELD] !== 0) return false;
    return shape === OPEN_SHAPE || values[at + SETTLED] === 0 || this.#wallMs >= values[at + END]!;
  }

  /** What `hold` books at now, and `settle` must be told. */
  tick(place: number): number {
    return this.#values[place * VALUES_PER_CELL + NEWEST]!;
  }

  /** Whether what was held at `tick` still counts. */
  holds(place: number, tick: number): boolean {
    const at = place * VALUES_PER_CELL;
    const values = this.#values;
    return values[at + SHAPE]! <= 0 || values[at + NEWEST]! - tick < BUCKETS;
  }

  /** `amount` counts from `tick` on, which is the newest or `holds`. */
  hold(place: number, tick: number, amount: number): void {
    const at = place * VALUES_PER_CELL;
    const values = this.#values;
    if (values[at + SHAPE]! <= 0) values[at + HELD]! += amount;
    else {
      values[at + SUM]! += amount;
      values[at + FIRST_BUCKET + (tick % BUCKETS)]! += amount;
    }
  }

  /**
   * `amount` was held at `tick`, `actual` was used. In a sliding window the difference is booked where the reservation
   * stands; where that has left the window, only what was used beyond it counts, from now on.
   */
  settle(place: number, tick: number, amount: number, actual: number, endedAtMs: number): void {
    const at = place * VALUES_PER_CELL;
    const values = this.#values;
    if (values[at + SHAPE]! > 0) {
      if (this.holds(place, tick)) this.hold(place, tick, actual - amount);
      else if (actual > amount) this.hold(place, this.tick(place), actual - amount);
      return;
    }
    // A thread that died between the two writes of a reservation may have left less than is given back.
    values[at + HELD] = Math.max(0, values[at + HELD]! - amount);
    this.charge(place, actual, endedAtMs);
  }

  /** Settled at once, without a reservation, if the period of `endedAtMs` is the one that is counted. */
  charge(place: number, amount: number, endedAtMs: number): void {
    const at = place * VALUES_PER_CELL;
    const values = this.#values;
    const shape = values[at + SHAPE]!;
    if (shape > 0) this.hold(place, this.tick(place), amount);
    else if (shape > OPEN_SHAPE && amount > 0) {
      if (this.#endedPeriods[-1 - shape]!.at(endedAtMs).startMs === values[at + START]) values[at + SETTLED]! += amount;
    }
  }

  /** A calendar cell counts at least so much as settled. */
  raise(place: number, settled: number): void {
    const at = place * VALUES_PER_CELL;
    const values = this.#values;
    const shape = values[at + SHAPE]!;
    if (shape <= 0 && shape > OPEN_SHAPE) values[at + SETTLED] = Math.max(values[at + SETTLED]!, settled);
  }

  /** When `amount` fits under `limit`, if nothing else comes; `amount` is not above `limit`. */
  retryAfterMs(place: number, amount: number, limit: number): number {
    const at = place * VALUES_PER_CELL;
    const values = this.#values;
    const shape = values[at + SHAPE]!;
    if (shape === OPEN_SHAPE) return OPEN_RETRY_MS;
    if (shape > 0) {
      const newest = values[at + NEWEST]!;
      let rest = values[at + SUM]!;
      for (let tick = newest - BUCKETS + 1; tick <= newest; tick += 1) {
        // Negative before the base, where nothing was ever booked.
        if (tick < 0) continue;
        rest -= values[at + FIRST_BUCKET + (tick % BUCKETS)]!;
        if (rest < limit && rest + amount <= limit) return this.#endOfTick(at, tick) - this.#nowMs;
      }
      return this.#endOfTick(at, newest) - this.#nowMs;
    }
    const settled = values[at + SETTLED]!;
    // Only what is held stands in the way, and that may come back at any time.
    if (settled < limit && settled + amount <= limit) return OPEN_RETRY_MS;
    return Math.max(OPEN_RETRY_MS, values[at + END]! - this.#wallMs);
  }

  /** When what was booked in `tick` has left the window. */
  #endOfTick(at: number, tick: number): number {
    return this.#baseMs + (tick + BUCKETS) * this.#values[at + SHAPE]!;
  }

  /** Small whole numbers, because they are counted from the gateway's start and not from the epoch. */
  #tick(at: number): number {
    return Math.max(0, Math.floor((this.#nowMs - this.#baseMs) / this.#values[at + SHAPE]!));
  }

  #slide(at: number, tick: number): void {
    const values = this.#values;
    const newest = values[at + NEWEST]!;
    values[at + NEWEST] = tick;
    if (tick - newest >= BUCKETS) {
      values.fill(0, at + FIRST_BUCKET, at + FIRST_BUCKET + BUCKETS);
      values[at + SUM] = 0;
      return;
    }
    for (let gone = newest + 1; gone <= tick; gone += 1) {
      const bucket = at + FIRST_BUCKET + (gone % BUCKETS);
      values[at + SUM]! -= values[bucket]!;
      values[bucket] = 0;
    }
  }
}

/** Less is only how two threads read the clock, one before midnight and one after it. */
const SET_BACK_MS = 60_000;
/** The retry time of a limit whose room may come back at any time. */
const OPEN_RETRY_MS = 1_000;

/** The bounds of a period, worked out again only when time has left them. */
class CurrentPeriod {
  readonly #period: BudgetPeriod;
  startMs = 0;
  endMs = 0;

  constructor(period: BudgetPeriod) {
    this.#period = period;
  }

  /** Makes `startMs` and `endMs` those of the period that holds `atMs`. */
  at(atMs: number): this {
    if (atMs < this.startMs || atMs >= this.endMs) {
      this.startMs = periodStart(this.#period, atMs);
      this.endMs = periodEnd(this.#period, atMs);
    }
    return this;
  }
}
