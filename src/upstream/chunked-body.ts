const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;
/** The bytes of data in one chunk. */
const MAX_CHUNK_BYTES = 0xffff_ffff;
/** The digits of its size, with the zeros that some put before it. */
const MAX_SIZE_DIGITS = 32;
/** The digits of the size of a chunk that is not larger than what is read at once, and of some that are. */
const MAX_USUAL_DIGITS = 6;
/** The bound of extensions in one chunk's line, and of the lines behind the last chunk. */
const MAX_FRAMING_BYTES = 16_384;

/** What the next byte has to be. */
const SIZE = 0;
const EXTENSION = 1;
const SIZE_LF = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILER_START = 6;
const TRAILER = 7;
const TRAILER_LF = 8;
const END_LF = 9;
const NOTHING = 10;
const FAILED = 11;

/**
 * Takes a chunked body apart (RFC 9112 §7.1) in the memory of its read: it closes the gaps between chunks, so that the data
 * of one read lies in one piece. Extensions and trailers are skipped.
 */
export class ChunkedBody {
  /** Where reading stopped; bytes behind it belong to another answer. */
  read = 0;
  /** How many pieces the last bytes held: chunks, or parts of one. */
  pieces = 0;
  #expects: number = SIZE;
  #left = 0;
  #digits = 0;
  #framingBytes = 0;

  begin(): void {
    this.#expects = SIZE;
    this.#left = 0;
    this.#digits = 0;
    this.#framingBytes = 0;
  }

  get isWhole(): boolean {
    return this.#expects === NOTHING;
  }

  get isInvalid(): boolean {
    return this.#expects === FAILED;
  }

  /** Moves the data within `bytes` from `from` to `to` up to `from`; returns where it ends then. */
  close(bytes: Buffer, from: number, to: number): number {
    let end = from;
    let at = from;
    this.pieces = 0;
    while (at < to) {
      if (this.#expects === DATA) {
        const length = Math.min(this.#left, to - at);
        if (end !== at) bytes.copyWithin(end, at, at + length);
        end += length;
        at += length;
        this.pieces += 1;
        this.#left -= length;
        if (this.#left === 0) at = this.#nextData(bytes, at, to);
      } else if (this.#expects === NOTHING || this.#expects === FAILED) break;
      else {
        this.#frame(bytes[at]!);
        at += 1;
      }
    }
    this.read = at;
    return end;
  }

  /**
   * Behind the data of a chunk. Where its end and the size line of the next one have come, as they nearly always have, goes
   * on to the next data; else leaves the byte at `at` to `#frame`.
   */
  #nextData(bytes: Buffer, at: number, to: number): number {
    this.#expects = DATA_CR;
    // One digit and the ends of two lines.
    if (at + 5 > to || bytes[at] !== CR || bytes[at + 1] !== LF) return at;
    let place = at + 2;
    let size = 0;
    const last = Math.min(to - 2, place + MAX_USUAL_DIGITS);
    for (; place < last; place += 1) {
      const digit = digitOf(bytes[place]!);
      if (digit < 0) break;
      size = size * 16 + digit;
    }
    if (size === 0 || bytes[place] !== CR || bytes[place + 1] !== LF) return at;
    this.#expects = DATA;
    this.#left = size;
    return place + 2;
  }

  #frame(byte: number): void {
    switch (this.#expects) {
      case SIZE:
        this.#size(byte);
        return;
      case EXTENSION:
        if (byte === CR) this.#expects = SIZE_LF;
        else this.#readOver(byte);
        return;
      case SIZE_LF:
        this.#digits = 0;
        this.#framingBytes = 0;
        this.#then(byte === LF, this.#left > 0 ? DATA : TRAILER_START);
        return;
      case DATA_CR:
        this.#then(byte === CR, DATA_LF);
        return;
      case DATA_LF:
        this.#then(byte === LF, SIZE);
        return;
      case TRAILER_START:
        if (byte === CR) this.#expects = END_LF;
        else {
          this.#expects = TRAILER;
          this.#readOver(byte);
        }
        return;
      case TRAILER:
        if (byte === CR) this.#expects = TRAILER_LF;
        else this.#readOver(byte);
        return;
      case TRAILER_LF:
        this.#then(byte === LF, TRAILER_START);
        return;
      default:
        this.#then(byte === LF, NOTHING);
    }
  }

  #size(byte: number): void {
    const digit = digitOf(byte);
    if (digit >= 0) {
      this.#digits += 1;
      this.#left = this.#left * 16 + digit;
      if (this.#left > MAX_CHUNK_BYTES || this.#digits > MAX_SIZE_DIGITS) this.#expects = FAILED;
    } else if (this.#digits === 0) this.#expects = FAILED;
    else if (byte === CR) this.#expects = SIZE_LF;
    else this.#then(byte === SEMICOLON, EXTENSION);
  }

  #readOver(byte: number): void {
    this.#framingBytes += 1;
    if (byte === LF || byte === 0 || this.#framingBytes > MAX_FRAMING_BYTES) this.#expects = FAILED;
  }

  #then(asExpected: boolean, next: number): void {
    this.#expects = asExpected ? next : FAILED;
  }
}

/** The value of a hexadecimal digit; -1: it is none. */
function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
