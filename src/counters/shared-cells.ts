import type { Cell, CellWindow } from './cell.ts';
import { CellHash } from './cell-hash.ts';
import { CellValues } from './cell-values.ts';
import { KEPT_WAYS, LOCKS, type SharedLayout, WAYS } from './shared-layout.ts';

/**
 * A set-associative table of cells: a name's hash chooses a stripe of 64 places, and the cell may stand in any of them.
 * Bounded whatever clients send: an idle cell makes room for a new one. `find`, `room` and all that is done with a place
 * happen under the lock of its stripe.
 */
export class SharedCells {
  readonly values: CellValues;
  readonly #tags: Int32Array;
  readonly #stripeMask: number;
  readonly #hash: CellHash;

  constructor(layout: SharedLayout, baseMs: number) {
    this.values = new CellValues(layout.values, baseMs);
    this.#tags = layout.tags;
    this.#stripeMask = layout.stripes - 1;
    this.#hash = new CellHash(...layout.hashKeys);
  }

  /** Gives a cell its two lanes, once: a hash of its name and its window, so that a changed window begins anew. */
  identify(cell: Cell): void {
    if (cell.low !== 0) return;
    const { window } = cell;
    const length = window.kind === 'sliding' ? window.ms : window.kind === 'calendar' ? window.period : '';
    this.#hash.hash(`${cell.name}|${window.kind}|${length}`);
    cell.high = this.#hash.high;
    cell.low = this.#hash.low;
  }

  /** The bit of the lock under which cells with this lane stand. */
  lockBit(low: number): number {
    return 1 << (low & this.#stripeMask & (LOCKS - 1));
  }

  /** `hint`: where it stood last time. −1: it is not there. */
  find(high: number, low: number, hint: number): number {
    const tags = this.#tags;
    if (hint >= 0 && tags[hint * 2 + 1] === low && tags[hint * 2] === high) return hint;
    const first = (low & this.#stripeMask) * WAYS;
    for (let place = first; place < first + WAYS; place += 1) {
      if (tags[place * 2 + 1] === low && tags[place * 2] === high) return place;
    }
    return -1;
  }

  /** Finds it or makes room for it; −1: every place it may take is busy. */
  place(cell: Cell): number {
    const { high, low } = cell;
    let place = this.find(high, low, cell.place);
    if (place >= 0) {
      cell.place = place;
      return place;
    }
    place = this.#room(low, cell.overflow === undefined ? WAYS : WAYS - KEPT_WAYS);
    if (place >= 0) this.#begin(place, high, low, cell.window);
    cell.place = place;
    return place;
  }

  /** The same for one that was evicted while somebody remembered its lanes. */
  placeAgain(high: number, low: number, window: CellWindow): number {
    const place = this.#room(low, WAYS - KEPT_WAYS);
    if (place >= 0) this.#begin(place, high, low, window);
    return place;
  }

  #begin(place: number, high: number, low: number, window: CellWindow): void {
    this.#tags[place * 2] = high;
    this.#tags[place * 2 + 1] = low;
    this.values.begin(place, window);
  }

  #room(low: number, ways: number): number {
    const first = (low & this.#stripeMask) * WAYS;
    let idle = -1;
    for (let place = first; place < first + ways; place += 1) {
      if (this.#tags[place * 2 + 1] === 0) return place;
      if (idle < 0 && this.values.idle(place)) idle = place;
    }
    return idle;
  }
}
