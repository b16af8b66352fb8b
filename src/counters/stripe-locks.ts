import { LINE_INTS, LOCKS, type SharedLayout, TAKEN_OVER } from './shared-layout.ts';

/**
 * Locks that are held for some hundred nanoseconds, by threads that do nothing meanwhile but add numbers. Not lock-free,
 * because one decision is about several cells (all legs or none), each of 61 buckets of 53-bit numbers, and a cell may be
 * evicted at the same time: no single 64-bit exchange says that.
 *
 * A word is 0 (free) or the holder's thread + 1 in its low bits with a number above them that changes with each section,
 * so that one who waits can tell a thread that is stuck from one that comes again and again. A holder that is off its
 * processor costs the others a millisecond of sleep; one that died in the middle, a quarter of a second, once.
 */
const THREAD_BITS = 10;
const MOST_THREADS = 2 ** THREAD_BITS - 2;
const SECTION_MASK = 2 ** (31 - THREAD_BITS) - 1;
const SPINS = 400;
const WAIT_MS = 1;
/** Waits, not milliseconds: a whole process that was stopped for a minute has no dead thread in it. */
const WAITS_UNTIL_DEAD = 250;

export class StripeLocks {
  readonly #locks: Int32Array;
  readonly #header: Int32Array;
  readonly #thread: number;
  #section = 0;
  #word = 0;

  constructor(layout: Pick<SharedLayout, 'locks' | 'header'>, thread: number) {
    if (thread > MOST_THREADS) throw new RangeError(`more than ${MOST_THREADS} threads`);
    this.#locks = layout.locks;
    this.#header = layout.header;
    this.#thread = thread;
  }

  /** All that `mask` names, always in the same order, so that two threads never wait for each other. */
  lock(mask: number): void {
    this.#section = (this.#section + 1) & SECTION_MASK;
    const word = (this.#section << THREAD_BITS) | (this.#thread + 1);
    this.#word = word;
    for (let rest = mask; rest !== 0; ) {
      const lock = 31 - Math.clz32(rest);
      rest &= ~(1 << lock);
      const at = lock * LINE_INTS;
      if (Atomics.compareExchange(this.#locks, at, 0, word) !== 0) this.#waitFor(at, word);
    }
  }

  unlock(mask: number): void {
    const word = this.#word;
    for (let rest = mask; rest !== 0; ) {
      const lock = 31 - Math.clz32(rest);
      rest &= ~(1 << lock);
      // Not a plain store: whoever took it over from us, thinking us dead, still holds it.
      Atomics.compareExchange(this.#locks, lock * LINE_INTS, word, 0);
    }
  }

  #waitFor(at: number, word: number): void {
    const locks = this.#locks;
    for (let spin = 0; spin < SPINS; spin += 1) {
      if (Atomics.load(locks, at) === 0 && Atomics.compareExchange(locks, at, 0, word) === 0) return;
    }
    let seen = 0;
    for (let waits = 0; ; waits += 1) {
      const holder = Atomics.compareExchange(locks, at, 0, word);
      if (holder === 0) return;
      if (holder !== seen) {
        seen = holder;
        waits = 0;
      } else if (waits >= WAITS_UNTIL_DEAD && Atomics.compareExchange(locks, at, holder, word) === holder) {
        Atomics.add(this.#header, TAKEN_OVER, 1);
        return;
      }
      Atomics.wait(locks, at, holder, WAIT_MS);
    }
  }

  /** The main thread, after `thread` died: what it held is free. */
  release(thread: number): void {
    for (let lock = 0; lock < LOCKS; lock += 1) {
      const at = lock * LINE_INTS;
      const holder = Atomics.load(this.#locks, at);
      if (holder !== 0 && (holder & (2 ** THREAD_BITS - 1)) === thread + 1) {
        Atomics.compareExchange(this.#locks, at, holder, 0);
      }
    }
  }
}
