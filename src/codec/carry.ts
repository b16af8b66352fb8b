const FIRST_BYTES = 512;
/** Memory beyond this is not kept for what may come later. */
const MAX_KEPT_BYTES = 65_536;

/**
 * What is unfinished at the end of what came. Copied, since what it came in may be large, into memory that doubles:
 * whoever sends single bytes must not cost a copy of it for each of them. Whoever appends says how much it may become.
 */
export class Carry {
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

  /** The first so many bytes, which are nobody else's any more; they are dropped here. */
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

  /** Drops all but at most so many bytes. */
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
