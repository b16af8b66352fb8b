/*
 * Numbers one after the other, each in as many bytes as it needs, seven bits a byte with the low ones first. 0 is an
 * unknown one and 1 announces one that is written as a double: negative, with a fraction, or too large. All others are
 * written as themselves and two more.
 */
const UNKNOWN = 0;
const AS_DOUBLE = 1;
const FIRST = 2;
const MOST = Number.MAX_SAFE_INTEGER - FIRST;
/** The longest encoding of one number: a varint of 53 bits, or the mark and a double. */
const LONGEST_BYTES = 9;
const SMALL = 2 ** 31;

export class NumberColumn {
  #bytes: Buffer;
  #at = 0;

  constructor(bytes = 1024) {
    this.#bytes = Buffer.allocUnsafe(bytes);
  }

  /** All that was added; good until the next call. */
  taken(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  clear(): void {
    this.#at = 0;
  }

  add(value: number | undefined): void {
    if (this.#bytes.length - this.#at < LONGEST_BYTES) this.#grow();
    if (value === undefined) this.#bytes[this.#at++] = UNKNOWN;
    else if (Number.isInteger(value) && value >= 0 && value <= MOST) this.#varint(value + FIRST);
    else {
      this.#bytes[this.#at] = AS_DOUBLE;
      this.#at = this.#bytes.writeDoubleLE(value, this.#at + 1);
    }
  }

  /** A whole number that may be negative, and is mostly near zero. */
  addSigned(value: number): void {
    this.add(value < 0 ? -2 * value - 1 : 2 * value);
  }

  #varint(value: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    let left = value;
    // Beyond 31 bits the operators of bits do not reach.
    while (left >= SMALL) {
      bytes[at++] = (left % 128) | 128;
      left = Math.floor(left / 128);
    }
    while (left >= 128) {
      bytes[at++] = (left & 127) | 128;
      left >>>= 7;
    }
    bytes[at++] = left;
    this.#at = at;
  }

  #grow(): void {
    const larger = Buffer.allocUnsafe(this.#bytes.length * 2);
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

/** Reads them in order. Throws a RangeError behind the last one. */
export class NumberReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Where the next one begins. */
  get at(): number {
    return this.#at;
  }

  next(): number | undefined {
    const written = this.#varint();
    if (written === UNKNOWN) return undefined;
    if (written !== AS_DOUBLE) return written - FIRST;
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  /** One that must be there. */
  known(): number {
    const value = this.next();
    if (value === undefined) throw new RangeError('a number is missing');
    return value;
  }

  signed(): number {
    const value = this.known();
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }

  #varint(): number {
    const bytes = this.#bytes;
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[this.#at++];
      if (byte === undefined) throw new RangeError('a column ends too early');
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }
}
