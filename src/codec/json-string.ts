const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const SMALL_U = 0x75;

/**
 * Of each string, what is checked before the native search takes over: most texts of people are shorter, and a picture
 * of megabytes costs no more than without (bench: json-peek).
 */
export const CHECKED_BYTES = 512;
/** Bytes looked at one by one before four at a time are: most keys and short values end within. */
const SHORT_BYTES = 16;
/** Bytes looked at one by one before the native search: quotes stand close where JSON is quoted in JSON. */
const NEAR_BYTES = 24;

/** Letters that may follow a backslash; `u` is followed by four hexadecimal digits. */
const SIMPLE = 1;
const escapes = new Uint8Array(256);
for (const letter of '"\\/bfnrt') escapes[letter.charCodeAt(0)] = SIMPLE;

const NO_WORDS: Int32Array = new Int32Array(0);

/** Finds where JSON strings end, and checks their first CHECKED_BYTES (RFC 8259 §7) on the way. */
export class JsonStringScan {
  /** Offset of the first byte of the string at hand, behind its quote. */
  from = 0;
  /** Where `end` came to: there it goes on when more bytes have arrived, or there is the fault. */
  at = 0;
  /** What had to stand at `at`; undefined: nothing is wrong. */
  expected: string | undefined;
  #viewed: Buffer | undefined;
  /** Its bytes in fours; its first byte is the one at `#shift` of the first four. */
  #words = NO_WORDS;
  #shift = 0;

  /** Offset behind the closing quote; -1: it does not end before `end`, or there is a fault. */
  end(buffer: Buffer, searchFrom: number, end: number): number {
    const { from } = this;
    const near = from + CHECKED_BYTES < end ? from + CHECKED_BYTES : end;
    const inFours = from + SHORT_BYTES;
    let at = searchFrom;
    while (at < near) {
      const byte = buffer[at]!;
      if (byte > BACKSLASH || (byte >= SPACE && byte !== QUOTE && byte !== BACKSLASH)) {
        at += 1;
        if (at >= inFours) at = this.#ordinaryEnd(buffer, at, near);
      } else if (byte === QUOTE) return at + 1;
      else if (byte < SPACE) return this.#fault(at, 'a control character to be escaped');
      else {
        const behind = this.#escapeEnd(buffer, at, end);
        if (behind < 0) {
          // It is read again from its backslash when the rest of it is there.
          this.at = at;
          return -1;
        }
        at = behind;
      }
    }
    const behind = at < end ? quoteEnd(buffer, at, end, from) : -1;
    this.at = end;
    return behind;
  }

  /** Lets go of the bytes. */
  close(): void {
    this.#viewed = undefined;
    this.#words = NO_WORDS;
  }

  /** Four bytes at a time, up to one that is a quote, a backslash or a control character, or a little before it. */
  #ordinaryEnd(buffer: Buffer, from: number, near: number): number {
    if (this.#viewed !== buffer) this.#view(buffer);
    const words = this.#words;
    const shift = this.#shift;
    if (((from + shift) & 3) !== 0) return from;
    const end = (near + shift) >> 2;
    let word = (from + shift) >> 2;
    for (; word < end; word += 1) {
      // https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord: the high bit of a byte tells that it is one.
      const four = words[word]!;
      const quotes = four ^ 0x22222222;
      const backslashes = four ^ 0x5c5c5c5c;
      const found =
        ((four - 0x20202020) & ~four) | ((quotes - 0x01010101) & ~quotes) | ((backslashes - 0x01010101) & ~backslashes);
      if ((found & 0x80808080) !== 0) break;
    }
    return word * 4 - shift;
  }

  #view(buffer: Buffer): void {
    const shift = buffer.byteOffset & 3;
    this.#viewed = buffer;
    this.#shift = shift;
    this.#words = new Int32Array(buffer.buffer, buffer.byteOffset - shift, (buffer.length + shift) >> 2);
  }

  /** Offset behind the escape whose backslash is at `at`; -1: it does not end before `end`, or there is a fault. */
  #escapeEnd(buffer: Buffer, at: number, end: number): number {
    if (at + 1 >= end) return -1;
    const letter = buffer[at + 1]!;
    if (escapes[letter] === SIMPLE) return at + 2;
    if (letter !== SMALL_U) return this.#fault(at, 'a valid escape');
    for (let digit = at + 2; digit < at + 6; digit += 1) {
      if (digit >= end) return -1;
      if (!isHexDigit(buffer[digit]!)) return this.#fault(at, 'a valid escape');
    }
    return at + 6;
  }

  #fault(at: number, expected: string): -1 {
    this.at = at;
    this.expected = expected;
    return -1;
  }
}

function isHexDigit(byte: number): boolean {
  const letter = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (letter >= 0x61 && letter <= 0x66);
}

/** Without a check. Offset behind the closing quote of a string whose first byte is at `from`; -1: not before `end`. */
function quoteEnd(buffer: Buffer, searchFrom: number, end: number, from: number): number {
  let at = searchFrom;
  while (at < end) {
    const quote = quoteWithin(buffer, at, end);
    if (quote < 0) return -1;
    let before = quote - 1;
    while (before >= from && buffer[before] === BACKSLASH) before -= 1;
    if (((quote - 1 - before) & 1) === 0) return quote + 1;
    at = quote + 1;
  }
  return -1;
}

function quoteWithin(buffer: Buffer, from: number, end: number): number {
  const near = Math.min(from + NEAR_BYTES, end);
  for (let at = from; at < near; at += 1) if (buffer[at] === QUOTE) return at;
  if (near === end) return -1;
  // A buffer that still fills is searched up to `end` only: each step would else search all of it, 20 MB a hundred times.
  if (end === buffer.length) return buffer.indexOf(QUOTE, near);
  const at = buffer.subarray(near, end).indexOf(QUOTE);
  return at < 0 ? -1 : near + at;
}
