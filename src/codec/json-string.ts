const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const SMALL_U = 0x75;

/**
 * The bytes of a string that are checked before the native search takes over: most texts of people are shorter, and a
 * picture of megabytes costs no more than without (bench: json-peek).
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
/** Small buffers are mostly slices of a pool: bodies of one, answers of another. The views of both are kept. */
let latest = NO_WORDS;
let earlier = NO_WORDS;
/** A body of megabytes is not to be kept by its view. */
const KEPT_VIEW_BYTES = 65_536;

/** Its memory in fours, from its beginning on: what lies at `offset` is in word `(buffer.byteOffset + offset) >> 2`. */
export function wordsOf({ buffer }: Buffer): Int32Array {
  if (latest.buffer === buffer) return latest;
  const words = earlier.buffer === buffer ? earlier : new Int32Array(buffer, 0, buffer.byteLength >> 2);
  if (buffer.byteLength <= KEPT_VIEW_BYTES) {
    earlier = latest;
    latest = words;
  }
  return words;
}

/**
 * Where the JSON string ends whose first byte, behind its quote, is at `from`; its first CHECKED_BYTES are checked on
 * the way (RFC 8259 §7). The offset behind the closing quote; or, negative, `~offset` of where the search stopped: go on
 * there when more bytes have arrived, unless `stringFault` says what is wrong there. `words` are `wordsOf(buffer)`, and
 * `shift` is its byteOffset: told once for all strings of a scan.
 */
export function stringEnd(
  buffer: Buffer,
  words: Int32Array,
  shift: number,
  from: number,
  searchFrom: number,
  end: number,
): number {
  const near = from + CHECKED_BYTES < end ? from + CHECKED_BYTES : end;
  const inFours = from + SHORT_BYTES;
  let at = searchFrom;
  while (at < near) {
    const byte = buffer[at]!;
    if (byte > BACKSLASH || (byte >= SPACE && byte !== QUOTE && byte !== BACKSLASH)) {
      at += 1;
      if (at >= inFours && ((at + shift) & 3) === 0)
        at = ordinaryEnd(words, (at + shift) >> 2, (near + shift) >> 2) - shift;
    } else if (byte === QUOTE) return at + 1;
    else if (byte < SPACE) return ~at;
    else {
      const length = escapeLength(buffer, at, end);
      // It is read again from its backslash when the rest of it is there.
      if (length === 0) return ~at;
      at += length;
    }
  }
  return at < end ? quoteEnd(buffer, at, end, from) : ~end;
}

/** What had to stand where the search for an end stopped; undefined: nothing is wrong, more bytes are needed. */
export function stringFault(buffer: Buffer, at: number, end: number): string | undefined {
  if (at >= end) return undefined;
  if (buffer[at]! < SPACE) return 'a control character to be escaped';
  if (at + 1 === end) return undefined;
  if (buffer[at + 1] !== SMALL_U) return 'a valid escape';
  for (let digit = at + 2; digit < at + 6 && digit < end; digit += 1) {
    if (!isHexDigit(buffer[digit]!)) return 'a valid escape';
  }
  return undefined;
}

/** Offset in memory, at most a word before the first byte that is a quote, a backslash or a control character. */
function ordinaryEnd(words: Int32Array, from: number, end: number): number {
  let at = from;
  for (; at < end; at += 1) {
    // https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord: the high bit of a byte tells that it is one.
    const four = words[at]!;
    const found = (four - 0x20202020) | ((four ^ 0x22222222) - 0x01010101) | ((four ^ 0x5c5c5c5c) - 0x01010101);
    if ((found & ~four & 0x80808080) !== 0) break;
  }
  return at * 4;
}

/** Length of the escape whose backslash is at `at`; 0: it does not end before `end`, or is none. */
function escapeLength(buffer: Buffer, at: number, end: number): number {
  if (at + 1 >= end) return 0;
  const letter = buffer[at + 1]!;
  if (escapes[letter] === SIMPLE) return 2;
  if (letter !== SMALL_U || at + 6 > end) return 0;
  for (let digit = at + 2; digit < at + 6; digit += 1) if (!isHexDigit(buffer[digit]!)) return 0;
  return 6;
}

function isHexDigit(byte: number): boolean {
  const letter = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (letter >= 0x61 && letter <= 0x66);
}

/** Without a check. Offset behind the closing quote of a string whose first byte is at `from`; `~end`: not before it. */
function quoteEnd(buffer: Buffer, searchFrom: number, end: number, from: number): number {
  let at = searchFrom;
  while (at < end) {
    const quote = quoteWithin(buffer, at, end);
    if (quote < 0) return ~end;
    let before = quote - 1;
    while (before >= from && buffer[before] === BACKSLASH) before -= 1;
    if (((quote - 1 - before) & 1) === 0) return quote + 1;
    at = quote + 1;
  }
  return ~end;
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
