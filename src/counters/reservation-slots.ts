import { LINE_INTS, OPEN, type SharedLayout, SLOT_DOUBLES, SLOT_INTS, SLOTS_EVER_USED } from './shared-layout.ts';

/**
 * What one thread holds, leg by leg, in memory that outlives it: so that after its death another can give it all back.
 * The slots of one reservation are a chain. Free ones are a chain too, kept in the same lane, so nothing grows.
 *
 * ints     [0] high lane  [1] low lane (0: free)  [2] place  [3] next
 * doubles  [2] tick  [3] amount
 */
const HIGH = 0;
const LOW = 1;
const PLACE = 2;
const NEXT = 3;
const TICK = 2;
const AMOUNT = 3;

/** The end of a chain. */
export const NO_SLOT = -1;

export class ReservationSlots {
  readonly #ints: Int32Array;
  readonly #doubles: Float64Array;
  readonly #lines: Int32Array;
  readonly #line: number;
  readonly #first: number;
  readonly #end: number;
  #free = NO_SLOT;
  #unused: number;

  constructor(layout: SharedLayout, thread: number) {
    this.#ints = layout.slotInts;
    this.#doubles = layout.slotDoubles;
    this.#lines = layout.lines;
    this.#line = thread * LINE_INTS;
    this.#first = thread * layout.slots;
    this.#end = this.#first + layout.slots;
    this.#unused = this.#first;
  }

  /** NO_SLOT: this thread holds as much as there is room to remember. */
  take(high: number, low: number, place: number): number {
    let slot = this.#free;
    if (slot !== NO_SLOT) this.#free = this.#ints[slot * SLOT_INTS + NEXT]!;
    else {
      if (this.#unused === this.#end) return NO_SLOT;
      slot = this.#unused;
      this.#unused += 1;
      Atomics.store(this.#lines, this.#line + SLOTS_EVER_USED, this.#unused - this.#first);
    }
    const at = slot * SLOT_INTS;
    // Nothing is given back for it before an amount was held.
    this.#doubles[slot * SLOT_DOUBLES + AMOUNT] = 0;
    this.#ints[at + HIGH] = high;
    this.#ints[at + LOW] = low;
    this.#ints[at + PLACE] = place;
    this.#ints[at + NEXT] = NO_SLOT;
    return slot;
  }

  set(slot: number, tick: number, amount: number): void {
    this.#doubles[slot * SLOT_DOUBLES + TICK] = tick;
    this.#doubles[slot * SLOT_DOUBLES + AMOUNT] = amount;
  }

  link(slot: number, next: number): void {
    this.#ints[slot * SLOT_INTS + NEXT] = next;
  }

  /** A whole chain at once; `last` is its end. */
  free(head: number, last: number): void {
    for (let slot = head; slot !== NO_SLOT; slot = this.next(slot)) this.#ints[slot * SLOT_INTS + LOW] = 0;
    this.link(last, this.#free);
    this.#free = head;
  }

  high(slot: number): number {
    return this.#ints[slot * SLOT_INTS + HIGH]!;
  }

  low(slot: number): number {
    return this.#ints[slot * SLOT_INTS + LOW]!;
  }

  place(slot: number): number {
    return this.#ints[slot * SLOT_INTS + PLACE]!;
  }

  next(slot: number): number {
    return this.#ints[slot * SLOT_INTS + NEXT]!;
  }

  tick(slot: number): number {
    return this.#doubles[slot * SLOT_DOUBLES + TICK]!;
  }

  amount(slot: number): number {
    return this.#doubles[slot * SLOT_DOUBLES + AMOUNT]!;
  }

  /** One reservation more or less; only its own thread writes it. */
  countOpen(change: 1 | -1): void {
    this.#lines[this.#line + OPEN]! += change;
  }

  /** Gives back every slot that a dead thread may have left in use; then it is as new. */
  clear(giveBack: (slot: number) => void): void {
    const used = Atomics.load(this.#lines, this.#line + SLOTS_EVER_USED);
    for (let slot = this.#first; slot < this.#first + used; slot += 1) {
      if (this.low(slot) === 0) continue;
      giveBack(slot);
      this.#ints[slot * SLOT_INTS + LOW] = 0;
    }
    Atomics.store(this.#lines, this.#line + SLOTS_EVER_USED, 0);
    Atomics.store(this.#lines, this.#line + OPEN, 0);
  }
}
