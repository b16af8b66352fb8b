import type { Leg, Reservation } from './counters.ts';

/** What a reservation asks of the engine that made it. */
export interface ReservationKeeper {
  over(reservation: RedisReservation): void;
  settled(reservation: RedisReservation, actual: readonly number[], endedAtMs: number): void;
  extend(reservation: RedisReservation, leg: number, more: number, nowMs: number): boolean;
}

/**
 * One request's holds, in Redis and on this machine. While Redis is away there may be none in Redis; what is still open
 * when it comes back is held there then, but for sliding windows, which only count what began while Redis was asked.
 */
export class RedisReservation implements Reservation {
  readonly #keeper: ReservationKeeper;
  readonly legs: readonly Leg[];
  /** What each leg holds; 0 where it is only charged at the end. */
  readonly amounts: number[];
  /** By Redis' clock, for each leg; 0: a sliding window of Redis does not count it. */
  readonly takenAt: readonly number[];
  /** The same counted on this machine; undefined where its memory had no room. */
  readonly onMachine: Reservation | undefined;
  /** An extension went beyond the limit: there is no further one. */
  overdrawn = false;
  /** Its place among the open ones; owned by the engine, −1 when it is settled. */
  index = -1;

  constructor(
    keeper: ReservationKeeper,
    legs: readonly Leg[],
    amounts: number[],
    takenAt: readonly number[],
    onMachine: Reservation | undefined,
  ) {
    this.#keeper = keeper;
    this.legs = legs;
    this.amounts = amounts;
    this.takenAt = takenAt;
    this.onMachine = onMachine;
  }

  over(): void {
    if (this.index < 0) return;
    this.onMachine?.over();
    this.#keeper.over(this);
  }

  settle(actual: readonly number[], endedAtMs: number): void {
    if (this.index < 0) return;
    this.onMachine?.settle(actual, endedAtMs);
    this.#keeper.settled(this, actual, endedAtMs);
  }

  extend(leg: number, more: number, nowMs: number): boolean {
    return this.index >= 0 && this.#keeper.extend(this, leg, more, nowMs);
  }
}
