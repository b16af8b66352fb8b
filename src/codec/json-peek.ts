import { afterNumberByte, firstOfNumber, NO_NUMBER, NUMBER_ENDED } from './json-number.ts';
import { stringEnd, stringFault, wordsOf } from './json-string.ts';
import { NO_KEY, type PeekKeys } from './peek-keys.ts';

/**
 * Finds the values of a few top-level keys in a JSON object without parsing it, and checks its grammar on the way
 * (RFC 8259): structure, numbers, words, depth, trailing bytes, and of each string the first `CHECKED_BYTES`. Behind
 * those a long string costs one native search for its end (bench: json-peek): an unescaped control character or an
 * invalid escape there changes nothing of the structure, and is left to whoever parses the value. So is invalid UTF-8.
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
const SPACE = 0x20;
const SMALL_F = 0x66;
const SMALL_N = 0x6e;
const SMALL_T = 0x74;

/** Deeper nesting is refused: recursive parsers further on would die of it. Counted within a value of the object. */
export const MAX_DEPTH = 1_000;
/** A key we read is short; with escapes (\u006d) it could be up to six times as long. */
const MAX_KEY_BYTES = 6 * 40;

const STATE = {
  start: 0,
  keyOrEnd: 1,
  keyNext: 2,
  key: 3,
  colon: 4,
  value: 5,
  valueOrEnd: 6,
  string: 7,
  word: 8,
  commaOrEnd: 9,
  done: 10,
  number: 11,
} as const;
type State = (typeof STATE)[keyof typeof STATE];

/** How a state is told what it expected. */
const EXPECTED: Partial<Record<State, string>> = {
  [STATE.start]: 'one JSON object',
  [STATE.keyOrEnd]: 'a key in double quotes',
  [STATE.keyNext]: 'a key in double quotes',
  [STATE.colon]: 'a colon',
  [STATE.value]: 'a value',
  [STATE.valueOrEnd]: 'a value',
  [STATE.done]: 'nothing after the object',
  [STATE.number]: 'a digit',
};

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

export type PeekFault =
  | { kind: 'syntax'; at: number; expected: string }
  | { kind: 'depth'; at: number }
  | { kind: 'repeated' | 'escaped' | 'case'; key: string; at: number };

/** Shared by all: never pushed to. */
const NO_WORDS: number[] = [];

export class JsonPeek {
  /** Offset of the first and behind the last byte of each key's value; -1 where the key was not seen. */
  readonly starts: number[];
  readonly ends: number[];
  fault: PeekFault | undefined;
  readonly #keys: PeekKeys;
  #state: State = STATE.start;
  #at = 0;
  /** Where the word, or the text of the string, being read began. */
  #from = 0;
  /** How far the number being read has come. */
  #number = NO_NUMBER;
  #currentKey = -1;
  /** Open brackets within the object. */
  #depth = 0;
  /** The innermost of them is an object's. */
  #inObject = true;
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
    const words = wordsOf(buffer);
    const shift = buffer.byteOffset;
    let at = this.#at;
    let state = this.#state;
    while (at < end) {
      const byte = buffer[at]!;
      switch (state) {
        case STATE.commaOrEnd:
          if (byte === COMMA) {
            at += 1;
            if (!this.#inObject) state = STATE.value;
            else if (at < end && buffer[at] === QUOTE) {
              at += 1;
              this.#from = at;
              state = STATE.key;
            } else state = STATE.keyNext;
          } else if (byte === (this.#inObject ? CLOSE_BRACE : CLOSE_BRACKET)) {
            at += 1;
            state = this.#close(at);
          } else if (isSpace(byte)) at += 1;
          else return this.#unexpected(at, state);
          continue;
        case STATE.key:
          at = stringEnd(buffer, words, shift, this.#from, at, end);
          if (at < 0) return this.#rest(buffer, ~at, end, state);
          if (this.#depth === 0 && !this.#keyEnds(buffer, at - 1)) return false;
          if (at < end && buffer[at] === COLON) {
            at += 1;
            state = STATE.value;
          } else state = STATE.colon;
          continue;
        case STATE.value:
        case STATE.valueOrEnd:
          if (byte === QUOTE) {
            if (this.#depth === 0) this.#valueStarts(at);
            at += 1;
            this.#from = at;
            state = STATE.string;
          } else if (byte === OPEN_BRACE) {
            if (!this.#open(at)) return false;
            this.#brackets |= 1 << ((this.#depth - 1) & 31);
            this.#inObject = true;
            at += 1;
            state = STATE.keyOrEnd;
          } else if (byte === OPEN_BRACKET) {
            if (!this.#open(at)) return false;
            this.#brackets &= ~(1 << ((this.#depth - 1) & 31));
            this.#inObject = false;
            at += 1;
            state = STATE.valueOrEnd;
          } else if (byte === CLOSE_BRACKET && state === STATE.valueOrEnd) {
            at += 1;
            state = this.#close(at);
          } else if (isSpace(byte)) at += 1;
          else {
            if (this.#depth === 0) this.#valueStarts(at);
            this.#from = at;
            this.#number = firstOfNumber(byte);
            if (this.#number !== NO_NUMBER) state = STATE.number;
            else if (byte === SMALL_T || byte === SMALL_F || byte === SMALL_N) state = STATE.word;
            else return this.#unexpected(at, state);
            at += 1;
          }
          continue;
        case STATE.string:
          at = stringEnd(buffer, words, shift, this.#from, at, end);
          if (at < 0) return this.#rest(buffer, ~at, end, state);
          if (this.#depth === 0) this.#valueEnds(at);
          state = STATE.commaOrEnd;
          continue;
        case STATE.keyOrEnd:
        case STATE.keyNext:
          if (byte === QUOTE) {
            at += 1;
            this.#from = at;
            state = STATE.key;
          } else if (byte === CLOSE_BRACE && state === STATE.keyOrEnd) {
            at += 1;
            state = this.#close(at);
          } else if (isSpace(byte)) at += 1;
          else return this.#unexpected(at, state);
          continue;
        case STATE.colon:
          if (byte === COLON) state = STATE.value;
          else if (!isSpace(byte)) return this.#unexpected(at, state);
          at += 1;
          continue;
        case STATE.word: {
          const word = wordOf(buffer[this.#from]!);
          const ends = this.#from + word.length;
          while (at < ends && at < end) {
            if (buffer[at] !== word[at - this.#from]) return this.#syntax(at, `the word ${word}`);
            at += 1;
          }
          if (at < ends) continue;
          if (this.#depth === 0) this.#valueEnds(at);
          state = STATE.commaOrEnd;
          continue;
        }
        case STATE.start:
          if (byte === OPEN_BRACE) state = STATE.keyOrEnd;
          else if (!isSpace(byte)) return this.#unexpected(at, state);
          at += 1;
          continue;
        case STATE.done:
          if (!isSpace(byte)) return this.#unexpected(at, state);
          at += 1;
          continue;
        case STATE.number: {
          let number = afterNumberByte(this.#number, byte);
          while (number >= 0) {
            at += 1;
            if (at === end) break;
            number = afterNumberByte(number, buffer[at]!);
          }
          this.#number = number;
          if (number === NO_NUMBER) return this.#unexpected(at, state);
          if (number === NUMBER_ENDED) {
            if (this.#depth === 0) this.#valueEnds(at);
            state = STATE.commaOrEnd;
          }
        }
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

  /** The string does not end in what came, or it is at fault. */
  #rest(buffer: Buffer, at: number, end: number, state: State): boolean {
    const expected = stringFault(buffer, at, end);
    if (expected !== undefined) return this.#syntax(at, expected);
    this.#at = at;
    this.#state = state;
    return true;
  }

  /** A bracket opens; its kind is for the caller to note. */
  #open(at: number): boolean {
    const depth = this.#depth;
    if (depth === 0) this.#valueStarts(at);
    else if (depth === MAX_DEPTH) {
      this.fault = { kind: 'depth', at };
      return false;
    } else if ((depth & 31) === 0) {
      if (this.#outerBrackets === NO_WORDS) this.#outerBrackets = [this.#brackets];
      else this.#outerBrackets.push(this.#brackets);
    }
    this.#depth = depth + 1;
    return true;
  }

  /** The innermost bracket closed, the object's own at depth 0. */
  #close(at: number): State {
    if (this.#depth === 0) return STATE.done;
    const depth = this.#depth - 1;
    this.#depth = depth;
    if (depth === 0) {
      this.#inObject = true;
      this.#valueEnds(at);
    } else {
      if ((depth & 31) === 0) this.#brackets = this.#outerBrackets.pop()!;
      this.#inObject = (this.#brackets & (1 << ((depth - 1) & 31))) !== 0;
    }
    return STATE.commaOrEnd;
  }

  #keyEnds(buffer: Buffer, keyEnd: number): boolean {
    const from = this.#from;
    this.#currentKey = -1;
    if (keyEnd - from > MAX_KEY_BYTES) return true;
    const index = this.#keys.find(buffer, from, keyEnd);
    if (index < 0) return this.#otherKeyEnds(buffer, keyEnd, index);
    if (this.starts[index] !== -1) {
      this.fault = { kind: 'repeated', key: this.#keys.names[index]!, at: from };
      return false;
    }
    this.#currentKey = index;
    return true;
  }

  /** `found`: as PeekKeys.find. */
  #otherKeyEnds(buffer: Buffer, keyEnd: number, found: number): boolean {
    const from = this.#from;
    let highest = 0;
    for (let at = from; at < keyEnd; at += 1) {
      const byte = buffer[at]!;
      if (byte === BACKSLASH) return this.#escapedKeyEnds(buffer, keyEnd);
      if (byte > highest) highest = byte;
    }
    if (highest > 0x7f) return this.#isNoOther(this.#keys.findFolded(buffer.toString('utf8', from, keyEnd)), 'case');
    return found === NO_KEY || this.#isNoOther(~found, 'case');
  }

  #escapedKeyEnds(buffer: Buffer, keyEnd: number): boolean {
    // Its escapes were checked.
    const text: unknown = JSON.parse(buffer.toString('utf8', this.#from - 1, keyEnd + 1));
    return this.#isNoOther(this.#keys.findFolded(String(text)), 'escaped');
  }

  /** Parsers that match names without case (Go's) would read `Model` for `model`, and the last of both. */
  #isNoOther(index: number, kind: 'case' | 'escaped'): boolean {
    if (index < 0) return true;
    this.fault = { kind, key: this.#keys.names[index]!, at: this.#from };
    return false;
  }

  #valueStarts(at: number): void {
    if (this.#currentKey >= 0) this.starts[this.#currentKey] = at;
  }

  #valueEnds(at: number): void {
    if (this.#currentKey >= 0) this.ends[this.#currentKey] = at;
  }

  #unexpected(at: number, state: State): false {
    return this.#syntax(at, EXPECTED[state] ?? `a comma or ${this.#inObject ? '}' : ']'}`);
  }

  #syntax(at: number, expected: string): false {
    this.fault = { kind: 'syntax', at, expected };
    return false;
  }
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function wordOf(first: number): Buffer {
  return first === SMALL_T ? TRUE : first === SMALL_F ? FALSE : NULL;
}
