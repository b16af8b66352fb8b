/**
 * HalfSipHash-2-4 with 64 bits of output (https://github.com/veorq/SipHash): a keyed hash made for 32-bit words, which
 * is what JavaScript multiplies and rotates without allocating. Keyed, because clients choose metadata values: with a
 * hash that anybody can compute, a few thousand values that collide would push everybody else's counts out of a stripe.
 */
export class CellHash {
  readonly #key0: number;
  readonly #key1: number;
  /** The upper half of the hash of the last text. */
  high = 0;
  low = 0;

  constructor(key0: number, key1: number) {
    this.#key0 = key0 | 0;
    this.#key1 = key1 | 0;
  }

  /** Leaves its answer in `high` and `low`, which are never both zero: that means an empty place. */
  hash(text: string): void {
    const { length } = text;
    let v0 = this.#key0;
    let v1 = this.#key1 ^ 0xee;
    let v2 = this.#key0 ^ 0x6c796765;
    let v3 = this.#key1 ^ 0x74656462;
    const round = (): void => {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    };
    // UTF-16 units, two to a word; the length stands at the end, as in the original.
    for (let at = 0; at <= length; at += 2) {
      const last = at + 1 >= length;
      const first = at < length ? text.charCodeAt(at) : 0;
      const word = first | ((last ? length & 0xffff : text.charCodeAt(at + 1)) << 16);
      v3 ^= word;
      round();
      round();
      v0 ^= word;
    }
    v2 ^= 0xee;
    for (let i = 0; i < 4; i += 1) round();
    this.high = v1 ^ v3;
    v1 ^= 0xdd;
    for (let i = 0; i < 4; i += 1) round();
    this.low = v1 ^ v3 || 1;
  }
}
