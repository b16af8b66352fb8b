/** Smaller pieces are put together: an object and an array slot for each single byte would be a hundred times its size. */
const SMALL_BYTES = 512;
const ROOM_BYTES = 8_192;

/**
 * Bytes that arrive in pieces and leave in one. Larger pieces are kept by reference, small ones copied into shared room,
 * so that what is held is about what was received, however it was cut.
 */
export class ByteList {
  length = 0;
  #pieces: Buffer[] = [];
  /** The last piece, where it is room of ours that is not full. */
  #room: Buffer | undefined;
  #used = 0;

  push(bytes: Buffer): void {
    this.length += bytes.length;
    if (bytes.length >= SMALL_BYTES || this.#pieces.length === 0) {
      this.#closeRoom();
      this.#pieces.push(bytes);
      return;
    }
    if (this.#room === undefined || this.#room.length - this.#used < bytes.length) {
      this.#closeRoom();
      this.#room = Buffer.allocUnsafe(ROOM_BYTES);
      this.#used = 0;
      this.#pieces.push(this.#room);
    }
    this.#used += bytes.copy(this.#room, this.#used);
    if (this.#used === ROOM_BYTES) this.#room = undefined;
  }

  /** The pieces in order; more may be pushed behind them. */
  pieces(): readonly Buffer[] {
    this.#closeRoom();
    return this.#pieces;
  }

  /** All of it as one; the list keeps it. */
  whole(): Buffer {
    this.#closeRoom();
    if (this.#pieces.length !== 1) this.#pieces = [Buffer.concat(this.#pieces, this.length)];
    return this.#pieces[0]!;
  }

  /** Lets go of whole pieces at the front while at least `bytes` are left. */
  keepLast(bytes: number): void {
    // The room that is being filled stays open: closing it each time would begin a new one for every byte.
    const droppable = this.#pieces.length - (this.#room ? 1 : 0);
    let outdated = 0;
    let left = this.length;
    while (outdated < droppable && left - this.#pieces[outdated]!.length >= bytes) {
      left -= this.#pieces[outdated]!.length;
      outdated += 1;
    }
    // Each drop moves the rest, so not for every piece.
    if (outdated * 2 <= this.#pieces.length) return;
    this.#pieces.splice(0, outdated);
    this.length = left;
  }

  #closeRoom(): void {
    if (this.#room === undefined) return;
    this.#pieces[this.#pieces.length - 1] = this.#room.subarray(0, this.#used);
    this.#room = undefined;
  }
}
