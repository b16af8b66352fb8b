/** Shared by all: never pushed to. */
const NOTHING: Uint8Array[] = [];

/** Taken chunks are joined here, and written to a socket at once. It has room for what one read brings. */
const joined = Buffer.allocUnsafeSlow(65_536);

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

  /** All waiting bytes as one; undefined if none wait. Valid until the next call of this or of `take`: `kept` makes it last. */
  takeAll(): Uint8Array | undefined {
    const chunks = this.#chunks;
    if (chunks.length === 0) return undefined;
    const { bytes } = this;
    this.clear();
    if (chunks.length === 1) return chunks[0]!;
    return bytes <= joined.length ? join(chunks, chunks.length, bytes) : Buffer.concat(chunks, bytes);
  }

  /** Taken bytes in memory that lasts. */
  kept(taken: Uint8Array): Uint8Array {
    return taken.buffer === joined.buffer ? Buffer.from(taken) : taken;
  }

  /**
   * At least one byte and at most `maxBytes` (up to 16 KiB), undefined if nothing waits: a part of one chunk, or as many
   * whole ones as fit. Valid until the next call, on any instance.
   */
  take(maxBytes: number): Uint8Array | undefined {
    const chunks = this.#chunks;
    const first = chunks[0];
    if (first === undefined) return undefined;
    if (first.length > maxBytes) {
      chunks[0] = first.subarray(maxBytes);
      this.bytes -= maxBytes;
      return first.subarray(0, maxBytes);
    }
    let count = 1;
    let bytes = first.length;
    while (count < chunks.length && bytes + chunks[count]!.length <= maxBytes) {
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
