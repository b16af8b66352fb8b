import { closingQuote, type Gap, isAlike, viewOf } from './familiar-event.ts';

const ZERO = 0x30;
const TEN = 10;
const NOTHING: DataView = new DataView(new ArrayBuffer(0));
const TEXT = 0;
const PADDING = 1;
const NUMBER = 2;
const KINDS = { text: TEXT, padding: PADDING, number: NUMBER } as const;

/** `text`: of a JSON string, and not empty. `padding`: of a string that says nothing. `number`: digits. */
export interface NumberedGap extends Gap {
  readonly kind: keyof typeof KINDS;
}

/**
 * As FamiliarEvent, for forms that number their events: one that differs from an event that was parsed in its text, its
 * number and its padding alone, in whatever order they stand (bench: stream-passthrough).
 */
export class NumberedEvent {
  #known = NOTHING;
  #count = 0;
  /** Of each gap: its kind, the length of what stands before it, and where what stands behind it begins. */
  readonly #kinds: number[] = [TEXT, TEXT, TEXT];
  readonly #before: number[] = [0, 0, 0];
  readonly #behind: number[] = [0, 0, 0, 0];

  /** Remembers the event in bytes[start, end); the gaps, three at most, are offsets within it, in order. */
  learn(bytes: Buffer, start: number, end: number, gaps: readonly NumberedGap[]): void {
    const { buffer, byteOffset } = bytes;
    this.#known = new DataView(buffer.slice(byteOffset + start, byteOffset + end));
    this.#count = gaps.length;
    let from = 0;
    for (const [index, gap] of gaps.entries()) {
      this.#kinds[index] = KINDS[gap.kind];
      this.#before[index] = gap.start - from;
      from = gap.end;
      this.#behind[index + 1] = from;
    }
  }

  /** Offset behind the event that begins at `at`, where it is such a one; else -1. */
  match(bytes: Buffer, at: number): number {
    const count = this.#count;
    if (count === 0) return -1;
    const known = this.#known;
    const view = viewOf(bytes);
    const offset = bytes.byteOffset;
    const { length } = bytes;
    let from = 0;
    let place = at;
    for (let index = 0; index < count; index += 1) {
      const before = this.#before[index]!;
      const start = place + before;
      if (start >= length || !isAlike(known, from, from + before, view, offset + place)) return -1;
      const kind = this.#kinds[index]!;
      place = kind === NUMBER ? digitsEnd(view, offset, start, length) : closingQuote(bytes, start);
      if (place < start || (place === start && kind !== PADDING)) return -1;
      from = this.#behind[index + 1]!;
    }
    const end = place + known.byteLength - from;
    return end <= length && isAlike(known, from, known.byteLength, view, offset + place) ? end : -1;
  }
}

function digitsEnd(view: DataView, offset: number, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const digit = view.getUint8(offset + at) - ZERO;
    if (digit < 0 || digit >= TEN) break;
    at += 1;
  }
  return at;
}
