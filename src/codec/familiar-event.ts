const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
/** So much is compared at the beginning and at the end of what is around a text; between them only its length. */
const FIRST_BYTES = 16;
const LAST_BYTES = 48;
const NOTHING: DataView = new DataView(new ArrayBuffer(0));

/** Offsets in an event of the text between the quotes of one JSON string. */
export interface Gap {
  readonly start: number;
  readonly end: number;
}

/**
 * An event that differs from one that was parsed in nothing but the text of one JSON string, or of two. The stream of a
 * provider is hundreds of such events: each is recognised for a tenth of what parsing it would cost (bench:
 * stream-passthrough).
 *
 * What is around the text has to have the same length, beginning and end, and the text must not be empty. An event that
 * says something else beside such a text, in exactly as many bytes, would be made to deceive.
 */
export class FamiliarEvent {
  #known = NOTHING;
  #textStart = 0;
  #textEnd = 0;
  /** Of a second text, which only hides the length of the first; both are `#textEnd` where there is none. */
  #paddingStart = 0;
  #paddingEnd = 0;

  /** Remembers the event in bytes[start, end), in memory of its own. */
  learn(bytes: Buffer, start: number, end: number, text: Gap, padding: Gap | undefined): void {
    const { buffer, byteOffset } = bytes;
    this.#known = new DataView(buffer.slice(byteOffset + start, byteOffset + end));
    this.#textStart = text.start - start;
    this.#textEnd = text.end - start;
    this.#paddingStart = padding === undefined ? this.#textEnd : padding.start - start;
    this.#paddingEnd = padding === undefined ? this.#textEnd : padding.end - start;
  }

  forget(): void {
    this.#known = NOTHING;
    this.#textStart = 0;
  }

  /** Offset behind the event that begins at `at`, where it is such a one; else -1. */
  match(bytes: Buffer, at: number): number {
    const textStart = at + this.#textStart;
    if (textStart === at || textStart >= bytes.length || bytes[textStart - 1] !== QUOTE) return -1;
    const textEnd = closingQuote(bytes, textStart);
    if (textEnd <= textStart) return -1;
    const paddingStart = textEnd + this.#paddingStart - this.#textEnd;
    let paddingEnd = paddingStart;
    if (paddingStart > textEnd) {
      if (paddingStart >= bytes.length) return -1;
      paddingEnd = closingQuote(bytes, paddingStart);
      if (paddingEnd < 0) return -1;
    }
    const known = this.#known;
    const end = paddingEnd + known.byteLength - this.#paddingEnd;
    if (end > bytes.length) return -1;
    const view = viewOf(bytes);
    const offset = bytes.byteOffset;
    const isFamiliar =
      isAlike(known, this.#paddingEnd, known.byteLength, view, offset + paddingEnd) &&
      isAlike(known, 0, this.#textStart, view, offset + at) &&
      isAlike(known, this.#textEnd, this.#paddingStart, view, offset + textEnd);
    return isFamiliar ? end : -1;
  }
}

/** Offset of the quote that ends the string whose text begins at `from`; -1: nothing does. */
export function closingQuote(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at += 1;
    else if (byte < SPACE) return -1;
  }
  return -1;
}

/** Whether `view` has at `at` what `known` has in [from, to), as far as it is compared. */
export function isAlike(known: DataView, from: number, to: number, view: DataView, at: number): boolean {
  const shift = at - from;
  if (to - from <= FIRST_BYTES + LAST_BYTES) return isSame(known, from, to, view, shift);
  return isSame(known, from, from + FIRST_BYTES, view, shift) && isSame(known, to - LAST_BYTES, to, view, shift);
}

/** All of it. Eight bytes at a time, as numbers: three times as fast as byte by byte. */
export function isSame(known: DataView, from: number, to: number, view: DataView, shift: number): boolean {
  let i = from;
  for (; i + 8 <= to; i += 8) if (view.getFloat64(i + shift, true) !== known.getFloat64(i, true)) return false;
  // The last eight once more, where they are not a multiple.
  if (i < to && to - from >= 8) return view.getFloat64(to - 8 + shift, true) === known.getFloat64(to - 8, true);
  for (; i < to; i += 1) if (view.getUint8(i + shift) !== known.getUint8(i)) return false;
  return true;
}

let lastBuffer: ArrayBufferLike | undefined;
let lastView = NOTHING;

/** Small reads share the memory they are in, so one view serves many of them. */
export function viewOf({ buffer }: Buffer): DataView {
  if (buffer !== lastBuffer) {
    lastBuffer = buffer;
    lastView = new DataView(buffer);
  }
  return lastView;
}
