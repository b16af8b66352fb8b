/** Something with waits that can run out. */
export interface Swept {
  /** Called about every SWEEP_MS while added; `now` is performance.now(). May remove itself. */
  sweep(now: number): void;
  /** Place in the sweeper; owned by it. */
  sweepIndex: number;
}

/** How late a wait may be noticed. One timer per thread looks at all open waits, so no exchange owns a timer. */
export const SWEEP_MS = 50;

/** Runs only while something is added, so an idle thread sleeps. */
export class Sweeper {
  readonly #items: Swept[] = [];
  #timer: NodeJS.Timeout | undefined;

  add(item: Swept): void {
    item.sweepIndex = this.#items.length;
    this.#items.push(item);
    this.#timer ??= setInterval(this.#run, SWEEP_MS);
  }

  /** O(1): the last one takes the place that falls free. */
  remove(item: Swept): void {
    const index = item.sweepIndex;
    if (index < 0) return;
    item.sweepIndex = -1;
    const last = this.#items.pop()!;
    if (last !== item) {
      this.#items[index] = last;
      last.sweepIndex = index;
    }
  }

  get size(): number {
    return this.#items.length;
  }

  #run = (): void => {
    const now = performance.now();
    // Backwards: removing the one at hand moves only an item that was already looked at.
    for (let i = this.#items.length - 1; i >= 0; i -= 1) this.#items[i]?.sweep(now);
    if (this.#items.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  };
}
