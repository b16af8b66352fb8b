/** Shared by all: never pushed to. */
const NOTHING: Uint8Array[] = [];

/** Chunks in the order in which they came, not copied until they are taken. */
export class WaitingChunks {
  bytes = 0;
  #chunks = NOTHING;

  add(chunk: Uint8Array): void {
    // Mostly it is the only one; an array that grows from nothing makes room for seventeen.
    if (this.#chunks === NOTHING) this.#chunks = [chunk];
    else this.#chunks.push(chunk);
    this.bytes += chunk.length;
  }

  /** All that waits, as one; undefined if nothing does. */
  takeAll(): Uint8Array | undefined {
    const chunks = this.#chunks;
    if (chunks.length === 0) return undefined;
    const all = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, this.bytes);
    this.clear();
    return all;
  }

  /** At least one byte and at most `most`, without copying: of one chunk, or several whole ones that must be joined. */
  take(most: number): Uint8Array | undefined {
    if (this.bytes <= most) return this.takeAll();
    const chunks = this.#chunks;
    const first = chunks[0]!;
    if (first.length > most) {
      chunks[0] = first.subarray(most);
      this.bytes -= most;
      return first.subarray(0, most);
    }
    let count = 1;
    let bytes = first.length;
    while (bytes + chunks[count]!.length <= most) {
      bytes += chunks[count]!.length;
      count += 1;
    }
    const taken = chunks.splice(0, count);
    this.bytes -= bytes;
    return count === 1 ? first : Buffer.concat(taken, bytes);
  }

  clear(): void {
    this.#chunks = NOTHING;
    this.bytes = 0;
  }
}
