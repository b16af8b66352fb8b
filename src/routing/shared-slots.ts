import { createHash } from 'node:crypto';

/** Words in front of every slot: what it is for. */
const KEY_WORDS = 2;

/**
 * Numbers by name in memory that all threads share, changed with Atomics. A slot is claimed when a configuration is
 * compiled, never on the way of a request, and is kept for the life of the process: what is known of a target outlives
 * a reload. Where no slot is left a name has none, and nothing is known of it.
 */
export class SharedSlots {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly #stride: number;
  readonly #slots: number;

  constructor(slots: number, wordsOfEach: number, buffer?: SharedArrayBuffer) {
    this.#stride = KEY_WORDS + wordsOfEach;
    this.#slots = slots;
    this.buffer = buffer ?? new SharedArrayBuffer(4 * slots * this.#stride);
    this.words = new Int32Array(this.buffer);
  }

  /** Index of the first word of a name's slot; undefined: there is no room for it. */
  claim(name: string): number | undefined {
    const digest = createHash('sha256').update(name).digest();
    // 0 stands for an empty slot.
    const [first, second] = [digest.readInt32LE(0) | 1, digest.readInt32LE(4) | 1];
    const begin = digest.readUInt32LE(8) % this.#slots;
    for (let probe = 0; probe < this.#slots; probe += 1) {
      const at = ((begin + probe) % this.#slots) * this.#stride;
      if (this.#take(at, first) === first && this.#take(at + 1, second) === second) return at + KEY_WORDS;
    }
    return undefined;
  }

  /** Every slot that a name has claimed: the hex digits of its name's digest, and the index of its first word. */
  *claimed(): Iterable<readonly [digest: string, at: number]> {
    for (let at = 0; at < this.words.length; at += this.#stride) {
      const [first, second] = [Atomics.load(this.words, at), Atomics.load(this.words, at + 1)];
      if (first !== 0 && second !== 0) yield [hex(first) + hex(second), at + KEY_WORDS];
    }
  }

  /** The first to store wins. */
  #take(at: number, value: number): number {
    const before = Atomics.compareExchange(this.words, at, 0, value);
    return before === 0 ? value : before;
  }
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
