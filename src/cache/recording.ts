import { Buffer } from 'node:buffer';

const FIRST_BYTES = 4_096;

/** The bytes of an answer: what a client of its form gets, and where its pieces end. */
export interface RecordedBytes {
  readonly bytes: Buffer;
  /** Behind each piece; a piece of a stream holds whole events. */
  readonly ends: readonly number[];
  /** Milliseconds from the first piece to each of them. */
  readonly times: readonly number[];
}

/**
 * An answer while it passes. Its bytes are copied once: those that pass may lie in a read of the connection that is a
 * hundred times as large. What was given away stays as it is when the memory grows.
 */
export class Recording implements RecordedBytes {
  readonly ends: number[] = [];
  readonly times: number[] = [];
  #memory: Buffer;
  #length = 0;
  #firstAt = 0;

  constructor() {
    this.#memory = Buffer.allocUnsafeSlow(FIRST_BYTES);
  }

  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  add(piece: Buffer): void {
    if (piece.length === 0) return;
    const needed = this.#length + piece.length;
    if (needed > this.#memory.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#memory.length));
      this.#memory.copy(larger, 0, 0, this.#length);
      this.#memory = larger;
    }
    piece.copy(this.#memory, this.#length);
    this.#length = needed;
    const now = performance.now();
    this.#firstAt ||= now;
    this.ends.push(needed);
    this.times.push(Math.round(now - this.#firstAt));
  }
}

/** The index behind the last piece that fits into so many bytes from `from` on and came within so many milliseconds. */
export function piecesUntil({ ends, times }: RecordedBytes, from: number, maxBytes: number, elapsedMs: number): number {
  const start = from === 0 ? 0 : ends[from - 1]!;
  let to = from;
  while (to < ends.length && times[to]! <= elapsedMs && (to === from || ends[to]! - start <= maxBytes)) to += 1;
  return to;
}

export function slicePieces({ bytes, ends }: RecordedBytes, from: number, to: number): Buffer {
  return bytes.subarray(from === 0 ? 0 : ends[from - 1]!, ends[to - 1]!);
}
