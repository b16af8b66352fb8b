import { lastingMemory } from '../core/lasting-memory.ts';
import type { BodyBlock, BodyBlocks } from './body-blocks.ts';

export interface BodyOwner {
  /** Takes so many bytes of the memory that all bodies share; false where there is no room. */
  holdBody(bytes: number): boolean;
}

/**
 * Collects one request body. The addon takes its chunks back when the callback returns, so every byte is copied once,
 * into a buffer of the declared length, or into one that doubles where the length is not declared (chunked).
 * Bounded by `maxBytes`; what it holds is counted through `holdBody` before it is allocated.
 */
export class RequestBody {
  buffer: Buffer = EMPTY;
  length = 0;
  heldBytes = 0;
  /** The block that the buffer lies in; undefined: memory of its own. */
  block: BodyBlock | undefined;
  readonly #declaredBytes: number | undefined;
  readonly #maxBytes: number;
  readonly #owner: BodyOwner;
  readonly #blocks: BodyBlocks;

  constructor(declaredBytes: number | undefined, maxBytes: number, owner: BodyOwner, blocks: BodyBlocks) {
    this.#blocks = blocks;
    this.#declaredBytes = declaredBytes;
    this.#maxBytes = maxBytes;
    this.#owner = owner;
  }

  /** Copies the chunk. Otherwise says which bound was hit; nothing is kept then. */
  append(chunk: Uint8Array): 'ok' | 'too-large' | 'memory-full' {
    const needed = this.length + chunk.byteLength;
    if (needed > this.#maxBytes) return 'too-large';
    if (needed > this.buffer.length) {
      const capacity = this.#declaredBytes ?? Math.min(this.#maxBytes, Math.max(needed, this.buffer.length * 2));
      if (needed > capacity) return 'too-large';
      if (!this.#owner.holdBody(capacity - this.heldBytes)) return 'memory-full';
      this.heldBytes = capacity;
      const block = this.#blocks.take(capacity);
      const larger = block ? block.memory.subarray(0, capacity) : lastingMemory(capacity);
      this.buffer.copy(larger, 0, 0, this.length);
      this.block?.release();
      this.block = block;
      this.buffer = larger;
    }
    this.buffer.set(chunk, this.length);
    this.length = needed;
    return 'ok';
  }

  /** The body; valid until the exchange lets go of it. */
  whole(): Buffer {
    return this.length === this.buffer.length ? this.buffer : this.buffer.subarray(0, this.length);
  }
}

const EMPTY = Buffer.alloc(0);
