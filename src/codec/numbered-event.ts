import { closingQuote, type Gap, isAlike, viewOf } from './familiar-event.ts';

const ZERO = 0x30;
const NINE = 0x39;
const NOTHING: DataView = new DataView(new ArrayBuffer(0));

/** `text`: of a JSON string, and not empty. `padding`: of a string that says nothing. `number`: digits. */
export interface NumberedGap extends Gap {
  readonly kind: 'text' | 'padding' | 'number';
}

/**
 * As FamiliarEvent, for forms that number their events: one that differs from an event that was parsed in its text, its
 * number and its padding alone, in whatever order they stand (bench: stream-passthrough).
 */
export class NumberedEvent {
  #known = NOTHING;
  #gaps: readonly NumberedGap[] = [];

  /** Remembers the event in bytes[start, end); the gaps are offsets within it, in order. */
  learn(bytes: Buffer, start: number, end: number, gaps: readonly NumberedGap[]): void {
    const { buffer, byteOffset } = bytes;
    this.#known = new DataView(buffer.slice(byteOffset + start, byteOffset + end));
    this.#gaps = gaps;
  }

  /** Offset behind the event that begins at `at`, where it is such a one; else -1. */
  match(bytes: Buffer, at: number): number {
    const known = this.#known;
    const gaps = this.#gaps;
    if (gaps.length === 0) return -1;
    const view = viewOf(bytes);
    const offset = bytes.byteOffset;
    const { length } = bytes;
    let from = 0;
    let place = at;
    for (let index = 0; index < gaps.length; index += 1) {
      const gap = gaps[index]!;
      const gapStart = place + gap.start - from;
      if (gapStart >= length || !isAlike(known, from, gap.start, view, offset + place)) return -1;
      place = gap.kind === 'number' ? digitsEnd(bytes, gapStart) : closingQuote(bytes, gapStart);
      if (place < gapStart || (place === gapStart && gap.kind !== 'padding')) return -1;
      from = gap.end;
    }
    const end = place + known.byteLength - from;
    return end <= length && isAlike(known, from, known.byteLength, view, offset + place) ? end : -1;
  }
}

function digitsEnd(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at]! >= ZERO && bytes[at]! <= NINE) at += 1;
  return at;
}
