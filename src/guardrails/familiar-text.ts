import { isSame, viewOf } from '../codec/familiar-event.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const DIGIT_FIRST = 0x30;
const DIGIT_LAST = 0x39;
const NOTHING: DataView = new DataView(new ArrayBuffer(0));

/** What differs in events that are alike. */
interface Gap {
  readonly kind: 'words' | 'padding' | 'number';
  /** Offsets in the event that is known. */
  readonly start: number;
  readonly end: number;
}

/** What of an event means nothing, beside its words. */
export interface Meaningless {
  /** A text that hides the length of the words. */
  readonly padding?: string | undefined;
  /** The key of a number that counts the events. */
  readonly counter?: string | undefined;
}

/**
 * Events of a stream differ in nothing but their words, a text that hides the length of those, and their number: one that
 * is known but for these is not parsed, which would cost more than all the rest. Everything else is compared to the byte, so
 * that no words stand where nobody reads them.
 */
export class FamiliarText {
  /** Where the words of the event stand that was matched last. */
  textStart = 0;
  textEnd = 0;
  #known = NOTHING;
  #gaps: readonly Gap[] = [];

  /** Remembers an event in memory of its own; where it does not tell for sure what is meant, it knows none. */
  learn(event: Buffer, words: string, { padding, counter }: Meaningless): void {
    this.#gaps = [];
    const gaps = [
      textGap(event, words, 'words'),
      ...(padding === undefined ? [] : [textGap(event, padding, 'padding')]),
      ...(counter === undefined ? [] : [numberGap(event, counter)]),
    ].filter((each) => each !== undefined);
    const wanted = 1 + Number(padding !== undefined) + Number(counter !== undefined);
    if (gaps.length < wanted) return;
    const { buffer, byteOffset, length } = event;
    this.#known = new DataView(buffer.slice(byteOffset, byteOffset + length));
    this.#gaps = gaps.sort((one, other) => one.start - other.start);
  }

  /** Offset behind the event that begins at `at`, where it is such a one; else -1. */
  match(bytes: Buffer, at: number): number {
    if (this.#gaps.length === 0) return -1;
    const known = this.#known;
    const view = viewOf(bytes);
    const offset = bytes.byteOffset;
    let from = 0;
    let place = at;
    for (const { kind, start, end } of this.#gaps) {
      const gap = place + start - from;
      if (gap >= bytes.length || !isSame(known, from, start, view, offset + place - from)) return -1;
      place = kind === 'number' ? digitsEnd(bytes, gap) : plainEnd(bytes, gap);
      if (place < 0 || (place === gap && kind !== 'padding')) return -1;
      if (kind === 'words') {
        this.textStart = gap;
        this.textEnd = place;
      }
      from = end;
    }
    const last = place + known.byteLength - from;
    if (last > bytes.length || !isSame(known, from, known.byteLength, view, offset + place - from)) return -1;
    return last;
  }
}

/** The place between quotes of a text that stands there as it is, and but once. */
function textGap(event: Buffer, text: string, kind: Gap['kind']): Gap | undefined {
  const quoted = Buffer.from(`"${text}"`);
  const at = event.indexOf(quoted);
  if (at < 0 || text === '' || event.indexOf(quoted, at + 1) >= 0) return undefined;
  const end = at + quoted.length - 1;
  return plainEnd(event, at + 1) === end ? { kind, start: at + 1, end } : undefined;
}

function numberGap(event: Buffer, key: string): Gap | undefined {
  const named = Buffer.from(`"${key}":`);
  const at = event.indexOf(named);
  if (at < 0 || event.indexOf(named, at + 1) >= 0) return undefined;
  const start = at + named.length;
  const end = digitsEnd(event, start);
  return end > start ? { kind: 'number', start, end } : undefined;
}

/** Offset of the quote that ends a text in which nothing stands for something else; -1: it does, or no quote comes. */
function plainEnd(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH || byte < SPACE) return -1;
  }
  return -1;
}

/** Offset behind the digits that begin at `from`. */
function digitsEnd(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at]! >= DIGIT_FIRST && bytes[at]! <= DIGIT_LAST) at += 1;
  return at;
}
