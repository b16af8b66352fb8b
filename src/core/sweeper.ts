/** Something with waits that can run out. */
export interface Swept {
  /** Called about every SWEEP_MS while added; `now` is performance.now(). May remove itself. */
  sweep(now: number): void;
  /** Place in the sweeper; owned by it. */
  sweepIndex: number;
}

/** How late a wait may be noticed. One timer per thread looks at all open waits, so no exchange owns a timer. */
export const SWEEP_MS = 50;
/**
 * A thread that did not run for so long has not read what came meanwhile: it reads that before a wait for it runs out. So
 * long a computation, a machine that has no time for the process, or one that was paused must not fail what is open.
 */
const STALLED_MS = 4 * SWEEP_MS;

/**
 * Runs only while something is added, so an idle thread sleeps. A plain array, not a Set: a Set that thousands enter and
 * leave each second leaves a chain of outgrown tables behind, each pointing to the next and to what was in it, and once
 * one of them is old the collector carries all of them on (measured: 50 times the survivors, a sixth of all CPU).
 */
export class Sweeper<T extends Swept = Swept> {
  readonly #items: T[] = [];
  readonly #keepsAlive: boolean;
  #timer: NodeJS.Timeout | undefined;
  #lastRun = 0;

  /** `idle`: what is in it is no reason for the thread to live on. */
  constructor(what: 'waits' | 'idle' = 'waits') {
    this.#keepsAlive = what === 'waits';
  }

  add(item: T): void {
    item.sweepIndex = this.#items.length;
    this.#items.push(item);
    if (this.#timer !== undefined) return;
    this.#lastRun = performance.now();
    this.#timer = setInterval(this.#run, SWEEP_MS);
    if (!this.#keepsAlive) this.#timer.unref();
  }

  /** O(1): the last one takes the place that falls free. */
  remove(item: T): void {
    const index = item.sweepIndex;
    if (index < 0) return;
    item.sweepIndex = -1;
    const last = this.#items.pop()!;
    if (last !== item) {
      this.#items[index] = last;
      last.sweepIndex = index;
    }
  }

  /** Those added now. */
  items(): T[] {
    return [...this.#items];
  }

  get size(): number {
    return this.#items.length;
  }

  #run = (): void => {
    const now = performance.now();
    const hasStalled = now - this.#lastRun > STALLED_MS;
    // The next run looks at all of them, however late it is.
    this.#lastRun = hasStalled ? Number.POSITIVE_INFINITY : now;
    if (hasStalled) return;
    let fault: { readonly cause: unknown } | undefined;
    // Backwards: removing the present item moves only one that was already looked at.
    for (let i = this.#items.length - 1; i >= 0; i -= 1) {
      try {
        this.#items[i]?.sweep(now);
      } catch (cause) {
        // Thrown at once, it would keep the waits of all that are left from ever running out.
        fault ??= { cause };
      }
    }
    if (this.#items.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    if (fault !== undefined) throw fault.cause;
  };
}
