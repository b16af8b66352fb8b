import { isSame } from '../codec/familiar-event.ts';

/** Lines beyond these bounds are read anew each time. */
const MAX_LINES = 48;
const MAX_LINE_BYTES = 512;
/** A line whose value differed so often always differs, as an id does. */
const MAX_LESSONS = 3;
/** A line that stayed the same for so many heads is learned anew: a date stays so for a second. */
const HEADS_FOR_A_LESSON = 8;

/** A line of a head that was read and found valid. */
export interface HeadLine {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
  /** The whole line, its end included. */
  readonly bytes: DataView;
  /** Up to and with the colon. */
  readonly nameBytes: number;
}

/**
 * The lines of the heads that one origin sends. Most come again and again, with the same bytes at the same place, and are then
 * neither checked nor decoded again.
 */
export class HeadLines {
  readonly #lines: HeadLine[] = [];
  readonly #lessons: number[] = [];
  /** The head in which a line was last seen to differ. */
  readonly #differed: number[] = [];
  #heads = 0;
  #memory: ArrayBufferLike | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** Before the lines of one head, which lies in `bytes`. */
  begin({ buffer }: Buffer): void {
    this.#heads += 1;
    if (buffer === this.#memory) return;
    this.#memory = buffer;
    this.#view = new DataView(buffer);
  }

  /** The line that was seen in this place; undefined: none. */
  at(index: number): HeadLine | undefined {
    return this.#lines[index];
  }

  /** Whether `line` stands at `from` in the memory that was begun with, of which [from, to) may be looked at. */
  isLine({ bytes }: HeadLine, from: number, to: number): boolean {
    const { byteLength } = bytes;
    return from + byteLength <= to && isSame(bytes, 0, byteLength, this.#view, from);
  }

  /** Whether a line of the same name stands there. */
  hasName({ bytes, nameBytes }: HeadLine, from: number, to: number): boolean {
    return from + nameBytes <= to && isSame(bytes, 0, nameBytes, this.#view, from);
  }

  /** A line that was found valid in [from, to) of the memory that was begun with. */
  learn(index: number, name: string, value: string, from: number, nameBytes: number, to: number): void {
    const isSteady = this.#heads - (this.#differed[index] ?? 0) > HEADS_FOR_A_LESSON;
    const lessons = isSteady ? 0 : (this.#lessons[index] ?? 0);
    if (index <= this.#lines.length && index < MAX_LINES) this.#differed[index] = this.#heads;
    if (index > this.#lines.length || index >= MAX_LINES || lessons >= MAX_LESSONS || to - from > MAX_LINE_BYTES)
      return;
    this.#lessons[index] = lessons + 1;
    this.#lines[index] = { name, value, nameBytes, bytes: new DataView(this.#view.buffer.slice(from, to)) };
  }
}
