/** The receiver of pieces of an answer out of a read. */
export interface PieceTaker {
  /** All that was taken for it, as one; `pieces`: of how many it was made. */
  deliver(bytes: Buffer, pieces: number): void;
}

/**
 * What one read of a connection of undici's brought, while it is taken apart. A provider that sends an event in each HTTP chunk
 * brings a hundred of them in one read, and whoever looks at each pays a hundred times: so they are handed on as one, when
 * undici has seen the whole read. They lie in its memory one behind the other with only their framing between them;
 * each is moved up to the end of the one before, over bytes that undici has read (load: chat-burst).
 */
class OneRead {
  #memory: Buffer | undefined;
  #buffer: ArrayBufferLike | undefined;
  #taker: PieceTaker | undefined;
  #start = 0;
  #end = 0;
  #pieces = 0;

  /** The part of `memory` behind a piece is undici's until it hands that on as well; what is before it is ours. */
  begin(memory: Buffer): void {
    this.#memory = memory;
    this.#buffer = memory.buffer;
    this.#end = 0;
  }

  /** False: it is no part of the read at hand, and whoever has it must hand it on. */
  take(taker: PieceTaker, piece: Buffer): boolean {
    const memory = this.#memory;
    if (memory === undefined || piece.buffer !== this.#buffer) return false;
    const at = piece.byteOffset - memory.byteOffset;
    if (at < this.#end || at + piece.length > memory.length) return false;
    if (this.#taker === undefined) {
      this.#taker = taker;
      this.#start = at;
      this.#end = at;
    } else if (this.#taker !== taker) return false;
    if (at > this.#end) memory.set(piece, this.#end);
    this.#end += piece.length;
    this.#pieces += 1;
    return true;
  }

  /** Hands on what was taken until now, if it was for this one. */
  deliver(taker: PieceTaker): void {
    if (this.#taker === taker) this.#deliver(taker);
  }

  /** undici has seen all of it. Who is told may go on reading, which is no part of this read. */
  end(): void {
    const memory = this.#memory;
    this.#memory = undefined;
    this.#buffer = undefined;
    if (this.#taker !== undefined) this.#deliver(this.#taker, memory);
  }

  #deliver(taker: PieceTaker, memory = this.#memory): void {
    const pieces = this.#pieces;
    this.#taker = undefined;
    this.#pieces = 0;
    const bytes = memory!.subarray(this.#start, this.#end);
    // Keeping a piece keeps all of the read: of a read that was mostly framing only the bytes are kept.
    taker.deliver(bytes.length * 2 < memory!.length ? Buffer.from(bytes) : bytes, pieces);
  }
}

/** A thread hands over one read at a time. */
export const oneRead = new OneRead();
