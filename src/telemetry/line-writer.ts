/** Written into until less than this is free: more than the longest line has. */
const ROOM_BYTES = 32_768;
const CHUNK_BYTES = 262_144;
/** Chunks that have left and are used again. */
const MOST_FREE = 8;
const MOST_SMALL = 2 ** 31;
const MILLIARD = 1_000_000_000;

/**
 * Puts lines together as bytes, piece by piece: as texts, each line would be two kilobytes of garbage (bench: access-line).
 * Its chunks are used again: twenty megabytes a second of them, outside of the heap, made V8 mark all of it twice a second.
 */
export class LineWriter {
  #chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #from = 0;
  #at = 0;
  readonly #free: Buffer[] = [];

  /** There is room for another line. */
  get hasRoom(): boolean {
    return this.#chunk.length - this.#at >= ROOM_BYTES;
  }

  /** All that was written since the last time. Not written again until it is given back (see `renew`). */
  take(): Buffer {
    const taken = this.#chunk.subarray(this.#from, this.#at);
    this.#from = this.#at;
    return taken;
  }

  /** Begins another chunk, after all was taken. What it gives is called, or not, when nobody reads the old one any more. */
  renew(): () => void {
    const old = this.#chunk;
    this.#chunk = this.#free.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.#from = 0;
    this.#at = 0;
    return () => {
      if (this.#free.length < MOST_FREE) this.#free.push(old);
    };
  }

  bytes(bytes: Buffer): void {
    this.#chunk.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** A text of ours, of ASCII alone. */
  ascii(text: string): void {
    const chunk = this.#chunk;
    const { length } = text;
    const at = this.#at;
    for (let index = 0; index < length; index += 1) chunk[at + index] = text.charCodeAt(index);
    this.#at = at + length;
  }

  text(text: string): void {
    this.#at += this.#chunk.write(text, this.#at);
  }

  /** As `String` writes it; whole numbers, which nearly all are, digit by digit. */
  number(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) this.ascii(String(value));
    else if (value < MOST_SMALL) this.#digits(value, digitsOf(value));
    else {
      const high = Math.floor(value / MILLIARD);
      this.#digits(high, digitsOf(high));
      this.#digits(value - high * MILLIARD, 9);
    }
  }

  /** Three digits behind the point. */
  thousandths(value: number): void {
    const whole = Math.round(value * 1000);
    if (!(whole >= 0 && whole < MOST_SMALL)) {
      this.ascii((whole / 1000).toFixed(3));
      return;
    }
    const before = (whole / 1000) | 0;
    this.#digits(before, digitsOf(before));
    this.#chunk[this.#at] = POINT;
    this.#at += 1;
    this.#digits(whole - before * 1000, 3);
  }

  /** `value / 1e9` as `String` writes it. */
  milliardths(value: number): void {
    // Up to 15 digits every decimal is a double of its own, and so is its own shortest form; below 1e-6 that has an exponent.
    if (!Number.isSafeInteger(value) || value < 1000 || value >= 1e15) {
      this.ascii(String(value / MILLIARD));
      return;
    }
    const high = Math.floor(value / MILLIARD);
    let low = value - high * MILLIARD;
    this.#digits(high, digitsOf(high));
    if (low === 0) return;
    let places = 9;
    for (; low % 10 === 0; places -= 1) low /= 10;
    this.#chunk[this.#at] = POINT;
    this.#at += 1;
    this.#digits(low, places);
  }

  /** The last `count` digits. */
  #digits(value: number, count: number): void {
    const chunk = this.#chunk;
    let left = value | 0;
    for (let place = this.#at + count - 1; place >= this.#at; place -= 1) {
      const next = (left / 10) | 0;
      chunk[place] = ZERO + (left - next * 10);
      left = next;
    }
    this.#at += count;
  }
}

const ZERO = 0x30;
const POINT = 0x2e;

function digitsOf(value: number): number {
  let digits = 1;
  for (let bound = 10; value >= bound; bound *= 10) digits += 1;
  return digits;
}
