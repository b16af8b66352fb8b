import type { AnswerKey } from './shared-answers.ts';

/** Answers that are on their way at the same time; two of one place are not shared over threads. */
const MAX_CLAIMS = 16_384;
const THREAD_BITS = 8;
/** Threads from 0 on; the word of a free place is 0. */
const MAX_THREADS = 2 ** THREAD_BITS - 1;

/**
 * Which relay thread asks for which answer, in memory that all of them share. A word holds a part of the key and the
 * number of the thread: whoever is sent to a thread in vain asks for itself.
 */
export class FlightClaims {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #thread: number;

  /** `thread`: of whoever claims. */
  constructor(thread: number, buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(4 * MAX_CLAIMS);
    this.#words = new Int32Array(this.buffer);
    this.#thread = thread;
  }

  /** The thread that asks for it, which is this one where nobody did; undefined: nobody can be told of it. */
  claim(key: AnswerKey): number | undefined {
    if (this.#thread >= MAX_THREADS) return undefined;
    const tag = tagOf(key);
    const before = Atomics.compareExchange(this.#words, placeOf(key), 0, tag | (this.#thread + 1));
    if (before === 0) return this.#thread;
    return (before & ~MAX_THREADS) === tag ? (before & MAX_THREADS) - 1 : undefined;
  }

  release(key: AnswerKey): void {
    Atomics.compareExchange(this.#words, placeOf(key), tagOf(key) | (this.#thread + 1), 0);
  }

  /** The main thread, after `thread` died. */
  releaseAll(thread: number): void {
    for (let at = 0; at < MAX_CLAIMS; at += 1) {
      const word = Atomics.load(this.#words, at);
      if ((word & MAX_THREADS) === thread + 1) Atomics.compareExchange(this.#words, at, word, 0);
    }
  }
}

function placeOf(key: AnswerKey): number {
  return (key[0]! >>> 0) % MAX_CLAIMS;
}

function tagOf(key: AnswerKey): number {
  return key[1]! & ~MAX_THREADS;
}
