/** Shared by all: never pushed to. */
const NOTHING: Uint8Array[] = [];

/** Where what is taken is joined: it is written to a socket at once, and never kept. */
const joined = Buffer.allocUnsafeSlow(16_384);

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

  /** All that waits, as one, to be kept; undefined if nothing does. */
  takeAll(): Uint8Array | undefined {
    const chunks = this.#chunks;
    if (chunks.length === 0) return undefined;
    const all = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, this.bytes);
    this.clear();
    return all;
  }

  /**
   * At least one byte and at most `most` (up to 16 KiB), undefined if nothing waits: a part of one chunk, or as many whole
   * ones as fit. Good until the next call, on whichever of these.
   */
  take(most: number): Uint8Array | undefined {
    const chunks = this.#chunks;
    const first = chunks[0];
    if (first === undefined) return undefined;
    if (first.length > most) {
      chunks[0] = first.subarray(most);
      this.bytes -= most;
      return first.subarray(0, most);
    }
    let count = 1;
    let bytes = first.length;
    while (count < chunks.length && bytes + chunks[count]!.length <= most) {
      bytes += chunks[count]!.length;
      count += 1;
    }
    const taken = count === 1 ? first : join(chunks, count, bytes);
    if (count === chunks.length) this.clear();
    else {
      chunks.splice(0, count);
      this.bytes -= bytes;
    }
    return taken;
  }

  clear(): void {
    this.#chunks = NOTHING;
    this.bytes = 0;
  }
}

function join(chunks: readonly Uint8Array[], count: number, bytes: number): Uint8Array {
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    joined.set(chunks[index]!, at);
    at += chunks[index]!.length;
  }
  return joined.subarray(0, bytes);
}
