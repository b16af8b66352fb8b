/** How many lines for one model its provider takes at once, as far as it says so by refusing some. */
export class LinePace {
  running = 0;
  #pausedUntil = 0;
  #window = Number.POSITIVE_INFINITY;

  isOpen(now: number): boolean {
    return this.running < this.#window && now >= this.#pausedUntil;
  }

  /** Nothing is known of it that a new one would not say. */
  isIdle(now: number): boolean {
    return this.running === 0 && now >= this.#pausedUntil;
  }

  succeeded(): void {
    this.#window += 1 / this.#window;
  }

  /** `isTold`: that long is what provider or gateway said. `isPressed`: because of too many. */
  failed({ delayMs, isTold, isPressed }: { delayMs: number; isTold: boolean; isPressed: boolean }): void {
    if (isTold) this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + delayMs);
    if (isPressed) this.#window = Math.max(1, Math.min(this.#window, this.running + 1) / 2);
  }
}

/** Beyond so many the idle ones are forgotten. */
const MAX_PACES = 256;

/**
 * The paces of all models that lines ask for. Each caller has its own, since rate limits are a caller's; batches of one
 * caller share it. A model that is too busy keeps no line waiting that asks another one.
 */
export class LinePaces {
  readonly #paces = new Map<string, LinePace>();

  of(caller: string, model: string): LinePace {
    const key = `${model}\n${caller}`;
    let pace = this.#paces.get(key);
    if (pace === undefined) {
      if (this.#paces.size >= MAX_PACES) this.#forgetIdle();
      pace = new LinePace();
      this.#paces.set(key, pace);
    }
    return pace;
  }

  #forgetIdle(): void {
    const now = performance.now();
    for (const [key, pace] of this.#paces) if (pace.isIdle(now)) this.#paces.delete(key);
  }
}
