const FIRST_BYTES = 512;
/** Memory beyond this is not kept for what may come later. */
const MAX_KEPT_BYTES = 65_536;

/**
 * The unfinished tail of a stream, copied so that the chunk it came in can be freed. Its memory doubles: a peer that sends
 * single bytes must not cause a copy of all of it for each of them. The caller bounds how much is appended.
 */
export class PartialBuffer {
  length = 0;
  #memory = EMPTY;

  /** Its first `length` bytes count, until something is appended or dropped. */
  get memory(): Buffer {
    return this.#memory;
  }

  append(bytes: Buffer, start = 0, end = bytes.length): void {
    const needed = this.length + end - start;
    if (needed > this.#memory.length) {
      const larger = Buffer.allocUnsafe(Math.max(FIRST_BYTES, needed, this.#memory.length * 2));
      this.#memory.copy(larger, 0, 0, this.length);
      this.#memory = larger;
    }
    bytes.copy(this.#memory, this.length, start, end);
    this.length = needed;
  }

  /** Removes the first so many bytes and gives them away: their memory is not written again. */
  take(bytes: number): Buffer {
    const first = this.#memory.subarray(0, bytes);
    if (this.#memory.length <= MAX_KEPT_BYTES) {
      const taken = Buffer.from(first);
      this.keepLast(this.length - bytes);
      return taken;
    }
    const rest = this.#memory.subarray(bytes, this.length);
    this.clear();
    this.append(rest);
    return first;
  }

  /** Drops all but at most so many of the last bytes. */
  keepLast(bytes: number): void {
    const kept = Math.min(bytes, this.length);
    this.#memory.copyWithin(0, this.length - kept, this.length);
    this.length = kept;
  }

  clear(): void {
    this.length = 0;
    if (this.#memory.length > MAX_KEPT_BYTES) this.#memory = EMPTY;
  }
}

const EMPTY = Buffer.alloc(0);
