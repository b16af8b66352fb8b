import type { KeyNews } from '../store/key-watch.ts';
import type { IdentityMessage } from '../threads/identity-messages.ts';

/** A thread that is stuck for longer is told all the same; only whoever waits for it no longer does. */
const WAIT_MS = 1000;

interface Waiting {
  readonly number: number;
  readonly timer: NodeJS.Timeout;
  resolve(): void;
}

/** Tells relay threads of keys and knows how far each has heard, so that an answer can say "this key works". */
export class KeyBroadcast {
  readonly #threads: number;
  readonly #send: (message: IdentityMessage) => void;
  /** By thread: the last number it has heard; Infinity while it is dead. */
  readonly #heard: number[];
  #number = 0;
  #waiting: Waiting[] = [];

  constructor(threads: number, send: (message: IdentityMessage) => void) {
    this.#threads = threads;
    this.#send = send;
    this.#heard = Array.from({ length: threads }, () => 0);
  }

  tell(news: KeyNews): void {
    this.#number += 1;
    this.#send({ type: 'keys', number: this.#number, news });
  }

  /** A thread is made, with all that was told so far. */
  born(thread: number): void {
    this.heard(thread, this.#number);
  }

  /** A thread has heard everything up to `number`. */
  heard(thread: number, number: number): void {
    if (thread < this.#threads) this.#heard[thread] = number;
    this.#wake();
  }

  /** Nobody waits for it; the one that takes its place is born with everything. */
  died(thread: number): void {
    this.heard(thread, Number.POSITIVE_INFINITY);
  }

  /** Resolves when every relay thread has heard what was told so far, or after a second. */
  async settled(): Promise<void> {
    const number = this.#number;
    if (this.#heardEverywhere(number)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((each) => each.timer !== timer);
        resolve();
      }, WAIT_MS).unref();
      this.#waiting.push({ number, timer, resolve });
    });
  }

  #heardEverywhere(number: number): boolean {
    return this.#heard.every((heard) => heard >= number);
  }

  #wake(): void {
    const still: Waiting[] = [];
    for (const waiting of this.#waiting) {
      if (this.#heardEverywhere(waiting.number)) {
        clearTimeout(waiting.timer);
        waiting.resolve();
      } else still.push(waiting);
    }
    this.#waiting = still;
  }
}
