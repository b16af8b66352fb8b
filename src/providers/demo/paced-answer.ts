import type { AttemptControl, AttemptHandler } from '../provider.ts';

export interface AnswerParts {
  status: number;
  contentType: string;
  pieces: Iterator<Buffer, unknown>;
  /** Between two pieces; 0: all in one turn of the loop. */
  paceMs: number;
}

/**
 * Plays an answer to a handler as an upstream attempt would: head first, in a later turn of the loop than the call, so
 * that the caller holds the control before anything comes. One timer for the whole answer; none while it is paused.
 */
export class PacedAnswer implements AttemptControl {
  readonly #parts: AnswerParts;
  readonly #handler: AttemptHandler;
  #timer: NodeJS.Timeout | undefined;
  #started = false;
  #ahead: IteratorResult<Buffer, unknown> | undefined;
  #over = false;

  constructor(parts: AnswerParts, handler: AttemptHandler) {
    this.#parts = parts;
    this.#handler = handler;
    this.resume();
  }

  pause(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  resume(): void {
    if (this.#over || this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#step(), this.#parts.paceMs);
  }

  abort(): void {
    this.#over = true;
    this.pause();
  }

  #step(): void {
    if (!this.#started) {
      this.#started = true;
      this.#handler.started(this.#parts.status, { 'content-type': this.#parts.contentType });
    }
    do this.#next();
    while (this.#parts.paceMs === 0 && this.#timer !== undefined);
  }

  #next(): void {
    // A handler may pause or abort from within any call, also the one before this.
    if (this.#timer === undefined) return;
    const piece = this.#ahead ?? this.#parts.pieces.next();
    // One ahead: the last piece brings the end with it, not a pace later.
    this.#ahead = piece.done ? piece : this.#parts.pieces.next();
    if (!piece.done) this.#handler.chunk(piece.value);
    if (!this.#ahead.done || this.#over) return;
    this.abort();
    this.#handler.ended();
  }
}
