/** The receiver of the pieces of one answer in a read. */
export interface PieceTaker {
  /** All pieces that were taken for it, as one; `pieces`: how many they were. */
  deliver(bytes: Buffer, pieces: number): void;
}

/**
 * Joins the pieces that undici takes out of one read. A provider that sends an event in each HTTP chunk brings a hundred of
 * them in one read, and handling each would cost a hundred times as much: so they are handed on as one, when undici has
 * seen the whole read. They lie in its memory one behind the other, with only their framing between them; each is moved up
 * to the end of the one before, over bytes that undici has read (load: chat-burst).
 */
class ReadCoalescer {
  #memory: Buffer | undefined;
  #buffer: ArrayBufferLike | undefined;
  #taker: PieceTaker | undefined;
  #start = 0;
  #end = 0;
  #pieces = 0;

  /** `memory`: of the read. Bytes behind a piece are undici's until it hands them on; bytes before it are ours. */
  begin(memory: Buffer): void {
    this.#memory = memory;
    this.#buffer = memory.buffer;
    this.#end = 0;
  }

  /** False: the piece is no part of the present read, and its owner must hand it on. */
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

  /** Hands on the pieces that were taken until now, if they were for this receiver. */
  deliver(taker: PieceTaker): void {
    if (this.#taker === taker) this.#deliver(taker);
  }

  /** undici has seen the whole read. State is cleared before delivery: the receiver may resume reading re-entrantly. */
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
    // A kept piece keeps the memory of the whole read: where that was mostly framing, the bytes are copied.
    taker.deliver(bytes.length * 2 < memory!.length ? Buffer.from(bytes) : bytes, pieces);
  }
}

/** A thread hands over one read at a time. */
export const readCoalescer = new ReadCoalescer();
