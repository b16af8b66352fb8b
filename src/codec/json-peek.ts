/**
 * Finds the values of a few top-level keys in a JSON object without parsing it, and checks what can be checked on the
 * way: strings, brackets, depth, trailing bytes. Everything inside values is jumped over; a long string costs one
 * native search (bench: json-peek). What is finer than that is for whoever parses the value.
 *
 * The scan can go on as bytes arrive: `advance(buffer, end)` takes up where it stopped, so a 20 MB body costs each turn
 * of the loop only the bytes of that turn. The buffer may be another one each time if it begins with the same bytes.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON = 0x3a;
const COMMA = 0x2c;

/** Deeper nesting is refused: recursive parsers further on would die of it. */
export const MAX_DEPTH = 256;
/** Bytes looked at one by one before the native search takes over; most keys and short values end within. */
const SHORT_STRING = 24;

const STATE = {
  start: 0,
  keyOrEnd: 1,
  key: 2,
  colon: 3,
  value: 4,
  scalar: 5,
  string: 6,
  nested: 7,
  commaOrEnd: 8,
  done: 9,
  keyNext: 10,
} as const;
type State = (typeof STATE)[keyof typeof STATE];

export type PeekFault =
  | { kind: 'syntax'; at: number; expected: string }
  | { kind: 'depth'; at: number }
  | { kind: 'repeated' | 'escaped' | 'case'; key: string; at: number };

/** Names of the keys to find → their index in `starts` and `ends`. */
export class PeekKeys {
  readonly names: readonly string[];
  /** -1 for each key. */
  readonly nowhere: readonly number[];
  /** By length: most keys of a body are none of ours and are told apart by that alone. */
  readonly #byLength: { index: number; bytes: Buffer }[][] = [];

  constructor(names: readonly string[]) {
    this.names = names;
    this.nowhere = names.map(() => -1);
    for (const [index, name] of names.entries()) {
      const bytes = Buffer.from(name, 'latin1');
      this.#byLength[bytes.length] = [...(this.#byLength[bytes.length] ?? []), { index, bytes }];
    }
  }

  /** Compares bytes: making a string of every key of a body cost a sixth of an exchange (bench: pipeline). */
  find(buffer: Buffer, from: number, end: number): number {
    const candidates = this.#byLength[end - from];
    if (candidates === undefined) return -1;
    for (const { index, bytes } of candidates) if (matchAt(buffer, from, bytes, 0)) return index;
    return -1;
  }

  /** The name that the key is but for the case of its letters. */
  findInOtherCase(buffer: Buffer, from: number, end: number): number {
    const candidates = this.#byLength[end - from];
    if (candidates === undefined) return -1;
    for (const { index, bytes } of candidates) if (matchAt(buffer, from, bytes, CASE_BIT)) return index;
    return -1;
  }
}

const CASE_BIT = 0x20;
/** Shared by all: never pushed to. */
const NO_WORDS: number[] = [];

/** Equal but for the bits of `except` in letters. */
function matchAt(buffer: Buffer, from: number, bytes: Buffer, except: number): boolean {
  for (let i = 0; i < bytes.length; i += 1) {
    const difference = buffer[from + i]! ^ bytes[i]!;
    if (difference !== 0 && (difference !== except || bytes[i]! < 0x61)) return false;
  }
  return true;
}

export class JsonPeek {
  /** Offset of the first and behind the last byte of each key's value; -1 where the key was not seen. */
  readonly starts: number[];
  readonly ends: number[];
  fault: PeekFault | undefined;
  readonly #keys: PeekKeys;
  #state: State = STATE.start;
  #at = 0;
  /** Where the string, key or value being read began. */
  #from = 0;
  #currentKey = -1;
  #inNestedString = false;
  #depth = 0;
  /** Kinds of the open brackets, one bit each, 32 to a word: set = object. */
  #brackets = 0;
  /** The words of the outer ones, where they are so many. */
  #outerBrackets: number[] = NO_WORDS;

  /** `within`: offset in an object where a key begins; undefined: the object is all of the buffer. */
  constructor(keys: PeekKeys, within?: number) {
    this.#keys = keys;
    if (within !== undefined) {
      this.#at = within;
      this.#state = STATE.keyOrEnd;
    }
    // Copied rather than filled by pushing, which makes room for 17 each time.
    this.starts = keys.nowhere.slice();
    this.ends = keys.nowhere.slice();
  }

  /** Scans buffer[… end). False: there is a fault, see `fault`; do not go on. */
  advance(buffer: Buffer, end: number): boolean {
    let at = this.#at;
    let state = this.#state;
    while (at < end) {
      const byte = buffer[at]!;
      if (state === STATE.nested) {
        at = this.#skipNested(buffer, at, end);
        if (at < 0) return false;
        if (this.#depth === 0) {
          this.#valueEnds(at);
          state = STATE.commaOrEnd;
        }
        continue;
      }
      if (state === STATE.key || state === STATE.string) {
        at = stringEnd(buffer, at, end, this.#from);
        if (at < 0) {
          at = end;
          break;
        }
        if (state === STATE.key) {
          if (!this.#keyEnds(buffer, at - 1)) return false;
          state = STATE.colon;
        } else {
          this.#valueEnds(at);
          state = STATE.commaOrEnd;
        }
        continue;
      }
      if (state === STATE.scalar) {
        if (isScalarByte(byte)) {
          at += 1;
          continue;
        }
        this.#valueEnds(at);
        state = STATE.commaOrEnd;
      }
      if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
        at += 1;
        continue;
      }
      switch (state) {
        case STATE.keyOrEnd:
        case STATE.keyNext:
          if (byte === QUOTE) {
            at += 1;
            this.#from = at;
            state = STATE.key;
          } else if (byte === CLOSE_BRACE && state === STATE.keyOrEnd) {
            at += 1;
            state = STATE.done;
          } else return this.#syntax(at, 'a key in double quotes');
          break;
        case STATE.colon:
          if (byte !== COLON) return this.#syntax(at, 'a colon');
          at += 1;
          state = STATE.value;
          break;
        case STATE.value:
          this.#from = at;
          if (this.#currentKey >= 0) this.starts[this.#currentKey] = at;
          if (byte === QUOTE) {
            at += 1;
            this.#from = at;
            state = STATE.string;
          } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
            state = STATE.nested;
          } else if (isScalarByte(byte)) {
            state = STATE.scalar;
          } else return this.#syntax(at, 'a value');
          break;
        case STATE.commaOrEnd:
          if (byte === COMMA) state = STATE.keyNext;
          else if (byte === CLOSE_BRACE) state = STATE.done;
          else return this.#syntax(at, 'a comma or }');
          at += 1;
          break;
        case STATE.start:
          if (byte !== OPEN_BRACE) return this.#syntax(at, 'one JSON object');
          at += 1;
          state = STATE.keyOrEnd;
          break;
        default:
          return this.#syntax(at, 'nothing after the object');
      }
    }
    this.#at = at;
    this.#state = state;
    return true;
  }

  /** After the last byte: whether the object was complete. */
  finish(): boolean {
    if (this.fault) return false;
    if (this.#state === STATE.done) return true;
    return this.#syntax(this.#at, this.#at === 0 ? 'one JSON object' : 'more: the object does not end');
  }

  #skipNested(buffer: Buffer, from: number, end: number): number {
    let at = from;
    while (at < end) {
      if (this.#inNestedString) {
        at = stringEnd(buffer, at, end, this.#from);
        if (at < 0) return end;
        this.#inNestedString = false;
        continue;
      }
      const byte = buffer[at]!;
      at += 1;
      if (byte === QUOTE) {
        this.#from = at;
        this.#inNestedString = true;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (this.#depth === MAX_DEPTH) {
          this.fault = { kind: 'depth', at: at - 1 };
          return -1;
        }
        this.#pushBracket(byte === OPEN_BRACE);
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (this.#popBracket() !== (byte === CLOSE_BRACE)) {
          this.#syntax(at - 1, 'the other closing bracket');
          return -1;
        }
        if (this.#depth === 0) return at;
      } else if (byte < 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) {
        this.#syntax(at - 1, 'no control character');
        return -1;
      }
    }
    return at;
  }

  #pushBracket(isObject: boolean): void {
    const place = this.#depth & 31;
    if (place === 0 && this.#depth > 0) {
      if (this.#outerBrackets === NO_WORDS) this.#outerBrackets = [this.#brackets];
      else this.#outerBrackets.push(this.#brackets);
    }
    const bit = 1 << place;
    this.#brackets = isObject ? this.#brackets | bit : this.#brackets & ~bit;
    this.#depth += 1;
  }

  #popBracket(): boolean {
    this.#depth -= 1;
    const place = this.#depth & 31;
    const isObject = (this.#brackets & (1 << place)) !== 0;
    if (place === 0 && this.#depth > 0) this.#brackets = this.#outerBrackets.pop()!;
    return isObject;
  }

  #keyEnds(buffer: Buffer, keyEnd: number): boolean {
    const from = this.#from;
    this.#currentKey = -1;
    const length = keyEnd - from;
    // A key we read is short; with escapes (\u006d) it could be up to six times as long.
    if (length > 6 * 40) return true;
    for (let at = from; at < keyEnd; at += 1) {
      if (buffer[at] === BACKSLASH) return this.#escapedKeyEnds(buffer, keyEnd);
    }
    const index = this.#keys.find(buffer, from, keyEnd);
    if (index < 0) return this.#otherKeyEnds(buffer, keyEnd);
    if (this.starts[index] !== -1) {
      this.fault = { kind: 'repeated', key: this.#keys.names[index]!, at: from };
      return false;
    }
    this.#currentKey = index;
    return true;
  }

  /** Parsers that match names without case (Go's) would read `Model` for `model`, and the last of both. */
  #otherKeyEnds(buffer: Buffer, keyEnd: number): boolean {
    const index = this.#keys.findInOtherCase(buffer, this.#from, keyEnd);
    if (index < 0) return true;
    this.fault = { kind: 'case', key: this.#keys.names[index]!, at: this.#from };
    return false;
  }

  #escapedKeyEnds(buffer: Buffer, keyEnd: number): boolean {
    const index = this.#keys.names.indexOf(unescaped(buffer.toString('latin1', this.#from, keyEnd)));
    if (index < 0) return true;
    this.fault = { kind: 'escaped', key: this.#keys.names[index]!, at: this.#from };
    return false;
  }

  #valueEnds(at: number): void {
    if (this.#currentKey >= 0) this.ends[this.#currentKey] = at;
  }

  #syntax(at: number, expected: string): false {
    this.fault = { kind: 'syntax', at, expected };
    return false;
  }
}

/** Offset behind the closing quote of a string whose first byte is at `from`; -1: it does not end before `end`. */
function stringEnd(buffer: Buffer, searchFrom: number, end: number, from: number): number {
  let at = searchFrom;
  while (at < end) {
    const near = Math.min(at + SHORT_STRING, end);
    let quote = -1;
    for (; at < near; at += 1) {
      if (buffer[at] === QUOTE) {
        quote = at;
        break;
      }
    }
    if (quote < 0) {
      if (at >= end) return -1;
      quote = quoteWithin(buffer, at, end);
      if (quote < 0) return -1;
    }
    let before = quote - 1;
    while (before >= from && buffer[before] === BACKSLASH) before -= 1;
    if (((quote - 1 - before) & 1) === 0) return quote + 1;
    at = quote + 1;
  }
  return -1;
}

/** A buffer that still fills is searched up to `end` only: each step would else search all of it, 20 MB a hundred times. */
function quoteWithin(buffer: Buffer, from: number, end: number): number {
  if (end === buffer.length) return buffer.indexOf(QUOTE, from);
  const at = buffer.subarray(from, end).indexOf(QUOTE);
  return at < 0 ? -1 : from + at;
}

/** Bytes of numbers and of true, false, null. */
function isScalarByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x2b ||
    byte === 0x45
  );
}

function unescaped(raw: string): string {
  try {
    return String(JSON.parse(`"${raw}"`));
  } catch {
    // Not a valid JSON string: whoever parses it will refuse it, and it is no key of ours.
    return '';
  }
}
