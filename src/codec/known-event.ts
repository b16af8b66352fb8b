import { closingQuote, isSame, viewOf } from './familiar-event.ts';
import { isArray, isObject, type JsonObject } from './json-value.ts';

/** Keys of strings that may differ from stream to stream. */
export interface LooseKeys {
  /** A text says that there is one: an empty string is another event. */
  readonly texts: ReadonlySet<string>;
  /** Nobody reads these: ids, padding. */
  readonly idle: ReadonlySet<string>;
}

const TEXT = 0;
const IDLE = 1;
const NUMBER = 2;

/** A place where streams differ. The bytes [from, to) of the known event stand in front of it and are compared. */
interface KnownGap {
  readonly kind: number;
  readonly from: number;
  readonly to: number;
}

/** Where a number stands in the parsed event. */
interface Slot {
  readonly holder: Record<string | number, unknown>;
  readonly key: string | number;
}

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
const KEY_END = /\s*:/y;
const NUMBER_FORM = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** JavaScript puts the first of these in front of all others, and does not set the second. */
const UNORDERED_KEY = /^(?:\d+|__proto__)$/;
/** Digits that a number holds exactly. */
const MAX_DIGITS = 15;
const ZERO = 0x30;
const TEN = 10;
/** In the place of a text: nothing of what a provider said is kept. */
const SOME_TEXT = ' ';

/**
 * An event that was parsed, for all that differ from it in nothing but their numbers and in strings that nobody reads. What
 * one of them says stands in `event` until the next is matched: to find it there costs a tenth of parsing it (bench:
 * stream-passthrough). Every byte outside of the gaps is compared.
 */
export class KnownEvent {
  readonly event: JsonObject;
  readonly #known: DataView;
  readonly #gaps: readonly KnownGap[];
  /** Where what stands behind the last gap begins. */
  readonly #tail: number;
  readonly #slots: readonly Slot[];
  /** The values that the slots hold. */
  readonly #held: number[];
  readonly #found: number[];

  private constructor(event: JsonObject, known: Buffer, gaps: readonly KnownGap[], slots: readonly Slot[]) {
    this.event = event;
    this.#known = new DataView(known.buffer, known.byteOffset, known.length);
    this.#gaps = gaps;
    this.#tail = gaps.at(-1)?.to ?? 0;
    this.#slots = slots;
    this.#held = slots.map(({ holder, key }) => holder[key] as number);
    this.#found = [...this.#held];
  }

  /**
   * `event`: what the bytes [start, end) were parsed to, which is its from here on. Undefined: its numbers and strings
   * do not stand in the bytes as they do in the object.
   */
  static of(bytes: Buffer, start: number, end: number, event: JsonObject, keys: LooseKeys): KnownEvent | undefined {
    const slots: Slot[] = [];
    if (!loosen(event as Slot['holder'], keys, slots)) return undefined;
    const text = bytes.toString('latin1', start, end);
    const gaps: KnownGap[] = [];
    const parts: string[] = [];
    let length = 0;
    let from = 0;
    let numbers = 0;
    const gap = (kind: number, gapStart: number, gapEnd: number): void => {
      parts.push(text.slice(from, gapStart));
      gaps.push({ kind, from: length, to: length + gapStart - from });
      length += gapStart - from;
      from = gapEnd;
    };
    let key = '';
    for (const { 0: token, index } of text.matchAll(TOKEN)) {
      const tokenEnd = index + token.length;
      if (token[0] !== '"') {
        const slot = slots[numbers];
        if (slot === undefined || slot.holder[slot.key] !== Number(token)) return undefined;
        numbers += 1;
        gap(NUMBER, index, tokenEnd);
        continue;
      }
      KEY_END.lastIndex = tokenEnd;
      if (KEY_END.test(text)) key = token.slice(1, -1);
      else if (keys.idle.has(key)) gap(IDLE, index + 1, tokenEnd - 1);
      else if (keys.texts.has(key) && token.length > 2) gap(TEXT, index + 1, tokenEnd - 1);
    }
    if (numbers !== slots.length) return undefined;
    parts.push(text.slice(from));
    return new KnownEvent(event, Buffer.from(parts.join(''), 'latin1'), gaps, slots);
  }

  /** Offset behind the event that begins at `at`, where it is such a one; else -1. */
  match(bytes: Buffer, at: number): number {
    const known = this.#known;
    const view = viewOf(bytes);
    const offset = bytes.byteOffset;
    const { length } = bytes;
    let place = at;
    let numbers = 0;
    for (const { kind, from, to } of this.#gaps) {
      const start = place + to - from;
      if (start >= length || !isSame(known, from, to, view, offset + place - from)) return -1;
      if (kind === NUMBER) {
        place = numberEnd(bytes, start);
        const value = numberIn(bytes, start, place);
        if (Number.isNaN(value)) return -1;
        this.#found[numbers] = value;
        numbers += 1;
      } else {
        place = closingQuote(bytes, start);
        if (place < start || (kind === TEXT && place === start)) return -1;
      }
    }
    const end = place + known.byteLength - this.#tail;
    if (end > length || !isSame(known, this.#tail, known.byteLength, view, offset + place - this.#tail)) return -1;
    this.#hold();
    return end;
  }

  #hold(): void {
    const held = this.#held;
    for (let index = 0; index < held.length; index += 1) {
      const value = this.#found[index]!;
      if (held[index] === value) continue;
      held[index] = value;
      const { holder, key } = this.#slots[index]!;
      holder[key] = value;
    }
  }
}

/** Collects where numbers stand, in their order, and takes texts out. False: that order is not the one in the bytes. */
function loosen(holder: Slot['holder'], keys: LooseKeys, slots: Slot[]): boolean {
  for (const [key, value] of Object.entries(holder)) {
    if (!isArray(holder) && UNORDERED_KEY.test(key)) return false;
    if (typeof value === 'number') slots.push({ holder, key });
    else if (typeof value === 'string') {
      if (keys.idle.has(key)) holder[key] = '';
      else if (keys.texts.has(key) && value !== '') holder[key] = SOME_TEXT;
    } else if ((isObject(value) || isArray(value)) && !loosen(value as Slot['holder'], keys, slots)) return false;
  }
  return true;
}

function numberEnd(bytes: Buffer, from: number): number {
  let at = from;
  for (; at < bytes.length; at += 1) {
    const byte = bytes[at]!;
    const digit = byte - ZERO;
    // A sign, a point, or an exponent.
    if ((digit < 0 || digit >= TEN) && byte !== 0x2d && byte !== 0x2e && byte !== 0x2b && (byte | 0x20) !== 0x65) break;
  }
  return at;
}

/** NaN: bytes[from, to) is no number as JSON has it. */
function numberIn(bytes: Buffer, from: number, to: number): number {
  const first = bytes[from]! - ZERO;
  if (to - from > MAX_DIGITS || to === from || (first === 0 && to - from > 1)) return otherNumber(bytes, from, to);
  let value = 0;
  for (let at = from; at < to; at += 1) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit >= TEN) return otherNumber(bytes, from, to);
    value = value * TEN + digit;
  }
  return value;
}

function otherNumber(bytes: Buffer, from: number, to: number): number {
  const text = bytes.toString('latin1', from, to);
  return NUMBER_FORM.test(text) ? Number(text) : Number.NaN;
}
