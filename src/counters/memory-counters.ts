import type { Cell } from './cell.ts';
import { type CellCount, type Counters, isRefusal, type Leg, type Refusal, type Reservation } from './counters.ts';
import { NO_SLOT, ReservationSlots } from './reservation-slots.ts';
import { SharedCells } from './shared-cells.ts';
import { type CounterClock, monotonicMs, SharedClock } from './shared-clock.ts';
import { databaseThreadOf, LINE_INTS, OPEN, OVERFLOWED, SharedLayout } from './shared-layout.ts';
import { StripeLocks } from './stripe-locks.ts';

/** Marks a cell that found no room, while one request is decided. */
const NO_ROOM = -2;

export interface CounterSizes {
  readonly relayThreads: number;
  readonly maxCells: number;
  readonly maxInFlight: number;
}

/** The buffer that all threads share; made once, by the main thread. */
export function sharedCounts({ relayThreads, maxCells, maxInFlight }: CounterSizes): SharedArrayBuffer {
  const nowMs = Date.now();
  return SharedLayout.create({
    threads: databaseThreadOf(relayThreads) + 1,
    maxCells,
    maxInFlight,
    baseMs: nowMs,
    clockOffsetMs: nowMs - monotonicMs(),
  }).buffer;
}

/**
 * Counts in shared memory: exact over the threads of one process, answered at once. A request takes the locks of all its
 * cells, decides, books and lets go; what it holds stands in slots that the main thread can read when this thread dies.
 */
export class MemoryCounters implements Counters {
  readonly clock: CounterClock & { followWall(wallMs: number): number };
  readonly #layout: SharedLayout;
  readonly #cells: SharedCells;
  readonly #locks: StripeLocks;
  readonly #slots: ReservationSlots;

  /** `thread`: 0-based index of the relay thread; the main thread is the one after the last. `now`: for tests. */
  constructor(buffer: SharedArrayBuffer, thread: number, now?: () => number) {
    this.#layout = new SharedLayout(buffer);
    const clock = new SharedClock(this.#layout);
    this.clock = now ? { now, wallShiftMs: 0, followWall: () => 0 } : clock;
    this.#cells = new SharedCells(this.#layout, clock.baseMs);
    this.#locks = new StripeLocks(this.#layout, thread);
    this.#slots = new ReservationSlots(this.#layout, thread);
  }

  reserve(legs: readonly Leg[], amounts: readonly number[], nowMs: number): Reservation | Refusal {
    const cells = this.#cells;
    for (let index = 0; index < legs.length; index += 1) {
      const { cell } = legs[index]!;
      cells.identify(cell);
      // The cell looks for a place of its own each time: there may be one by now.
      if (cell.place === NO_ROOM) cell.place = -1;
    }
    this.#setTime(nowMs);
    for (;;) {
      let locks = 0;
      for (let index = 0; index < legs.length; index += 1) locks |= cells.lockBit(counted(legs[index]!.cell).low);
      this.#locks.lock(locks);
      const answer = this.#decide(legs, amounts);
      this.#locks.unlock(locks);
      if (answer !== undefined) return answer;
    }
  }

  /** Reserves as if no leg had a limit, for a request that another engine has let in. Without room it holds nothing. */
  count(legs: readonly Leg[], amounts: readonly number[], nowMs: number): Reservation {
    const unlimited = legs.map(({ cell }): Leg => ({ cell, limit: Number.POSITIVE_INFINITY }));
    const answer = this.reserve(unlimited, amounts, nowMs);
    return isRefusal(answer) ? new MemoryReservation(this, unlimited, NO_SLOT) : answer;
  }

  /** Undefined: a cell has no room, and the locks of the one that takes its place are needed too. */
  #decide(legs: readonly Leg[], amounts: readonly number[]): MemoryReservation | Refusal | undefined {
    const slots = this.#slots;
    const { values } = this.#cells;
    let head = NO_SLOT;
    let last = NO_SLOT;
    for (let index = 0; index < legs.length; index += 1) {
      const { cell: wanted, limit } = legs[index]!;
      const cell = counted(wanted);
      const place = this.#cells.place(cell);
      const slot = place < 0 ? NO_SLOT : slots.take(cell.high, cell.low, place);
      if (slot === NO_SLOT) {
        this.#undo(head, last);
        if (place >= 0 || cell !== wanted || cell.overflow === undefined) return NOTHING_CAN_BE_COUNTED;
        this.#cells.identify(cell.overflow);
        cell.place = NO_ROOM;
        Atomics.add(this.#layout.header, OVERFLOWED, 1);
        return undefined;
      }
      values.roll(place);
      const used = values.used(place);
      const amount = Math.min(amounts[index]!, limit);
      if (head === NO_SLOT) head = slot;
      else slots.link(last, slot);
      last = slot;
      if (used >= limit || used + amount > limit) {
        const retryAfterMs = values.retryAfterMs(place, amount, limit);
        this.#undo(head, last);
        return { refusedLeg: index, used, retryAfterMs };
      }
      // First the note, then the deed: a thread that dies between them gives back one amount too much for once, and the
      // other way round it would be held for ever.
      const tick = values.tick(place);
      slots.set(slot, tick, amount);
      values.hold(place, tick, amount);
    }
    slots.countOpen(1);
    return new MemoryReservation(this, legs, head);
  }

  /** Undoes it under the same locks, so that nobody saw it. */
  #undo(head: number, last: number): void {
    const slots = this.#slots;
    if (head === NO_SLOT) return;
    for (let slot = head; slot !== NO_SLOT; slot = slots.next(slot)) {
      this.#cells.values.settle(slots.place(slot), slots.tick(slot), slots.amount(slot), 0, 0);
    }
    slots.free(head, last);
  }

  /** Only MemoryReservation calls this. */
  settle(legs: readonly Leg[], head: number, actual: readonly number[], endedAtMs: number): void {
    const slots = this.#slots;
    const cells = this.#cells;
    this.#setTime(this.clock.now(), endedAtMs);
    let locks = 0;
    for (let slot = head; slot !== NO_SLOT; slot = slots.next(slot)) locks |= cells.lockBit(slots.low(slot));
    this.#locks.lock(locks);
    let last = head;
    for (let slot = head, index = 0; slot !== NO_SLOT; slot = slots.next(slot), index += 1) {
      last = slot;
      const used = actual[index] ?? 0;
      let place = cells.find(slots.high(slot), slots.low(slot), slots.place(slot));
      // Its cell counted nothing any more, and another cell took the place: further use is counted anew.
      if (place < 0 && used > slots.amount(slot)) {
        place = cells.placeAgain(slots.high(slot), slots.low(slot), legs[index]!.cell.window);
      }
      if (place < 0) continue;
      cells.values.roll(place);
      cells.values.settle(place, slots.tick(slot), slots.amount(slot), used, endedAtMs);
    }
    slots.free(head, last);
    slots.countOpen(-1);
    this.#locks.unlock(locks);
  }

  /** Only MemoryReservation calls this. */
  over(head: number): void {
    const slots = this.#slots;
    const cells = this.#cells;
    let locks = 0;
    for (let slot = head; slot !== NO_SLOT; slot = slots.next(slot)) locks |= cells.lockBit(slots.low(slot));
    this.#locks.lock(locks);
    for (let slot = head; slot !== NO_SLOT; slot = slots.next(slot)) {
      const place = cells.find(slots.high(slot), slots.low(slot), slots.place(slot));
      if (place < 0 || !cells.values.isOpen(place)) continue;
      // First the deed: a thread that dies before the note gives back one too much for once, and no place is lost for ever.
      cells.values.settle(place, 0, slots.amount(slot), 0, 0);
      slots.set(slot, 0, 0);
    }
    this.#locks.unlock(locks);
  }

  /** Only MemoryReservation calls this. */
  extend(legs: readonly Leg[], head: number, leg: number, more: number, nowMs: number): boolean {
    const slots = this.#slots;
    const cells = this.#cells;
    const { values } = cells;
    let slot = head;
    for (let index = 0; index < leg && slot !== NO_SLOT; index += 1) slot = slots.next(slot);
    const limit = legs[leg]?.limit;
    if (slot === NO_SLOT || limit === undefined) return false;
    this.#setTime(nowMs);
    const locks = cells.lockBit(slots.low(slot));
    this.#locks.lock(locks);
    const place = cells.find(slots.high(slot), slots.low(slot), slots.place(slot));
    let fits = false;
    if (place >= 0) {
      values.roll(place);
      fits = values.used(place) + more <= limit;
      const tick = slots.tick(slot);
      if (fits && values.holds(place, tick)) {
        slots.set(slot, tick, slots.amount(slot) + more);
        values.hold(place, tick, more);
      } else if (fits) {
        slots.set(slot, values.tick(place), more);
        values.hold(place, values.tick(place), more);
      }
    }
    this.#locks.unlock(locks);
    return fits;
  }

  read(cell: Cell, nowMs: number): CellCount {
    const cells = this.#cells;
    cells.identify(cell);
    this.#setTime(nowMs);
    const locks = cells.lockBit(cell.low);
    this.#locks.lock(locks);
    const place = cells.find(cell.high, cell.low, cell.place);
    if (place >= 0) cells.values.roll(place);
    const used = place < 0 ? 0 : cells.values.settled(place);
    const held = place < 0 ? 0 : cells.values.held(place);
    this.#locks.unlock(locks);
    return { used, held };
  }

  /** How long until all of `limit` is free again in a cell, if nothing else comes; 0: it is. */
  freeAfterMs(cell: Cell, limit: number, nowMs: number): number {
    const cells = this.#cells;
    cells.identify(cell);
    this.#setTime(nowMs);
    const locks = cells.lockBit(cell.low);
    this.#locks.lock(locks);
    const place = cells.find(cell.high, cell.low, cell.place);
    if (place >= 0) cells.values.roll(place);
    const isEmpty = place < 0 || cells.values.used(place) === 0;
    const ms = isEmpty ? 0 : cells.values.retryAfterMs(place, limit, limit);
    this.#locks.unlock(locks);
    return ms;
  }

  /** The calendar cell counts at least `used` as settled in the window that holds now: the spending before a restart. */
  seed(cell: Cell, used: number, nowMs: number): void {
    this.#at(cell, nowMs, (place) => this.#cells.values.raise(place, used));
  }

  /** Adds what others spent, or what was spent without a reservation; ignored where `endedAtMs` lies in another window. */
  add(cell: Cell, amount: number, endedAtMs: number): void {
    this.#at(cell, this.clock.now(), (place) => this.#cells.values.charge(place, amount, endedAtMs));
  }

  #at(cell: Cell, nowMs: number, change: (place: number) => void): void {
    const cells = this.#cells;
    this.#setTime(nowMs);
    for (let target: Cell | undefined = cell; target !== undefined; target = target.overflow) {
      cells.identify(target);
      const locks = cells.lockBit(target.low);
      this.#locks.lock(locks);
      const place = cells.place(target);
      if (place >= 0) {
        cells.values.roll(place);
        change(place);
      }
      this.#locks.unlock(locks);
      if (place >= 0) return;
    }
  }

  /**
   * `endedAtMs`: by the clock that dates records, and what ended is over. Where that clock is ahead of this one by as little as
   * clocks that are read apart are, a period has begun with it: else what ended first in a new day would be charged to none.
   */
  #setTime(nowMs: number, endedAtMs = 0): void {
    const wallMs = nowMs + this.clock.wallShiftMs;
    const aheadMs = endedAtMs - wallMs;
    this.#cells.values.setTime(nowMs, aheadMs > 0 && aheadMs < CLOCKS_APART_MS ? endedAtMs : wallMs);
  }

  /** Gives back all that relay thread `thread` held. The main thread calls it after its death and before it begins again. */
  reclaim(thread: number): void {
    this.#locks.release(thread);
    this.#setTime(this.clock.now());
    const cells = this.#cells;
    const dead = new ReservationSlots(this.#layout, thread);
    dead.clear((slot) => {
      const locks = cells.lockBit(dead.low(slot));
      this.#locks.lock(locks);
      const place = cells.find(dead.high(slot), dead.low(slot), dead.place(slot));
      if (place >= 0) {
        cells.values.roll(place);
        cells.values.settle(place, dead.tick(slot), dead.amount(slot), 0, 0);
      }
      this.#locks.unlock(locks);
    });
  }

  get buffer(): SharedArrayBuffer {
    return this.#layout.buffer;
  }

  /** Over all threads. */
  get openReservations(): number {
    let open = 0;
    for (let thread = 0; thread < this.#layout.threads; thread += 1) {
      open += Atomics.load(this.#layout.lines, thread * LINE_INTS + OPEN);
    }
    return open;
  }

  /** How often a group found no room of its own and was counted with others of its rule, since the start. */
  get overflowed(): number {
    return Atomics.load(this.#layout.header, OVERFLOWED);
  }
}

/** More is a clock that was set, which the main thread tells of. */
const CLOCKS_APART_MS = 100;

/** Full where no place may be taken and nothing may pass uncounted. */
const NOTHING_CAN_BE_COUNTED: Refusal = { refusedLeg: -1, used: 0, retryAfterMs: 1_000 };

function counted(cell: Cell): Cell {
  return cell.place === NO_ROOM && cell.overflow !== undefined ? cell.overflow : cell;
}

class MemoryReservation implements Reservation {
  readonly #counters: MemoryCounters;
  readonly #legs: readonly Leg[];
  #head: number;

  constructor(counters: MemoryCounters, legs: readonly Leg[], head: number) {
    this.#counters = counters;
    this.#legs = legs;
    this.#head = head;
  }

  over(): void {
    if (this.#head !== NO_SLOT) this.#counters.over(this.#head);
  }

  settle(actual: readonly number[], endedAtMs: number): void {
    const head = this.#head;
    if (head === NO_SLOT) return;
    this.#head = NO_SLOT;
    this.#counters.settle(this.#legs, head, actual, endedAtMs);
  }

  extend(leg: number, more: number, nowMs: number): boolean {
    return this.#head !== NO_SLOT && this.#counters.extend(this.#legs, this.#head, leg, more, nowMs);
  }
}
