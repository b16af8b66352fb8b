import { isSame, viewOf } from '../codec/familiar-event.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const NOTHING: DataView = new DataView(new ArrayBuffer(0));

/**
 * Events of a stream differ in nothing but their words, and in a text that hides the length of those: one that is known but
 * for these is not parsed, which would cost more than all the rest. Everything else is compared to the byte, so that no
 * words stand where nobody reads them.
 */
export class FamiliarText {
  /** Offset behind the words of the event that was matched last. */
  textEnd = 0;
  #known = NOTHING;
  /** Offsets in the known event: of its words, and of what hides their length (both its end, where nothing does). */
  #textStart = 0;
  #textEnd = 0;
  #paddingStart = 0;
  #paddingEnd = 0;

  /** Where its words begin, of an event that begins at 0; 0: none is known. */
  get textStart(): number {
    return this.#textStart;
  }

  /** Remembers an event in memory of its own; where it does not tell for sure which words are meant, it knows none. */
  learn(event: Buffer, text: string, padding: string | undefined): void {
    this.#textStart = 0;
    const words = gapOf(event, text);
    const hides = padding === undefined ? undefined : gapOf(event, padding);
    const isPlaced = padding === undefined || (hides !== undefined && words !== undefined && hides.start > words.end);
    if (words === undefined || !isPlaced) return;
    const { buffer, byteOffset, length } = event;
    this.#known = new DataView(buffer.slice(byteOffset, byteOffset + length));
    this.#textStart = words.start;
    this.#textEnd = words.end;
    this.#paddingStart = hides?.start ?? length;
    this.#paddingEnd = hides?.end ?? length;
  }

  /** Offset behind the event that begins at `at`, where it is such a one; else -1. */
  match(bytes: Buffer, at: number): number {
    const textStart = at + this.#textStart;
    if (textStart === at) return -1;
    const textEnd = plainEnd(bytes, textStart);
    if (textEnd <= textStart) return -1;
    const known = this.#known;
    const paddingStart = textEnd + this.#paddingStart - this.#textEnd;
    const hasPadding = this.#paddingStart < known.byteLength;
    const paddingEnd = hasPadding ? plainEnd(bytes, paddingStart) : paddingStart;
    const end = paddingEnd + known.byteLength - this.#paddingEnd;
    if (paddingEnd < 0 || end > bytes.length) return -1;
    const view = viewOf(bytes);
    const offset = bytes.byteOffset;
    const isKnown =
      isSame(known, this.#textEnd, this.#paddingStart, view, offset + textEnd - this.#textEnd) &&
      isSame(known, 0, this.#textStart, view, offset + at) &&
      isSame(known, this.#paddingEnd, known.byteLength, view, offset + paddingEnd - this.#paddingEnd);
    if (!isKnown) return -1;
    this.textEnd = textEnd;
    return end;
  }
}

/** The place between quotes of a text that stands there as it is, and but once. */
function gapOf(event: Buffer, text: string): { readonly start: number; readonly end: number } | undefined {
  const quoted = Buffer.from(`"${text}"`);
  const at = event.indexOf(quoted);
  if (at < 0 || text === '' || event.indexOf(quoted, at + 1) >= 0) return undefined;
  const start = at + 1;
  return plainEnd(event, start) === at + quoted.length - 1 ? { start, end: at + quoted.length - 1 } : undefined;
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
