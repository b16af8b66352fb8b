import type { Cell } from './cell.ts';

/**
 * Where rate limits and budgets are counted. An amount is **reserved** before a request is sent and **settled** when it
 * is over; until then it counts as used, so that requests which are open together cannot pass unseen. Amounts are whole
 * numbers, 0 to 2^53: requests, tokens, nano-dollars.
 *
 * Two engines: shared memory (exact over the threads of one process, synchronous) and Redis (exact over gateways,
 * asynchronous, or leased). The clock of all calls is milliseconds since the Unix epoch.
 */
export interface Counters {
  /**
   * All legs or none; `amounts[i]` belongs to `legs[i]`. A leg refuses where its limit is used up already, be it for an
   * amount of 0, or would be passed. In memory the answer is there at once.
   */
  reserve(
    legs: readonly Leg[],
    amounts: readonly number[],
    nowMs: number,
  ): Reservation | Refusal | Promise<Reservation | Refusal>;
  /** What counts in a cell now, as far as this machine knows: for headers, gauges and alerts. Never waits. */
  read(cell: Cell, nowMs: number): CellCount;
}

export interface Leg {
  readonly cell: Cell;
  /** Infinity: counted, never refused. A reservation above the limit is capped at it. */
  readonly limit: number;
}

export interface Reservation {
  /**
   * The request is over, and what it used is still being found out: legs of `open` cells are given back now. Whoever
   * stops an answer and asks anew at once would else be told that it is one too many.
   */
  over(): void;
  /**
   * Exactly once, on every way out. `actual[i]`: what leg i really used; 0 gives it back. `endedAtMs` decides which
   * calendar window is charged. Never throws, never waits.
   */
  settle(actual: readonly number[], endedAtMs: number): void;
  /** Holds more for one leg, for a stream that outgrows its estimate; false: its limit does not allow it. */
  extend(leg: number, more: number, nowMs: number): boolean;
}

export interface Refusal {
  /** Index of the first leg that did not fit; -1: the engine is away and the configuration says closed. */
  readonly refusedLeg: number;
  /** What that leg has used, settled and held. */
  readonly used: number;
  /** When as much as was asked for will fit, if nothing else comes; for `open` cells one second. */
  readonly retryAfterMs: number;
}

export interface CellCount {
  /** Settled, in the window that holds now. */
  readonly used: number;
  /** Held by requests that are open. */
  readonly held: number;
}

export function isRefusal(answer: Reservation | Refusal): answer is Refusal {
  return 'refusedLeg' in answer;
}
