import { ContentDecoder, type ContentEncoding } from '../codec/content-decoder.ts';

export interface DecodedBodyOwner {
  /** One piece of the body as the client meant it. */
  decoded(bytes: Uint8Array): void;
  /** All of it is there. */
  decodedAll(): void;
  undecodable(detail: string): void;
  /** Takes so many bytes of the memory that all bodies share; false where there is no room. */
  holdBody(bytes: number): boolean;
}

/** Memory of the decoder itself, above all its window: it counts as body. */
const DECODER_BYTES = 262_144;

/**
 * Decodes a compressed request body for the RequestBody that collects it. Bytes that are not decoded yet have the bound of
 * a body, and count in the memory that all bodies share.
 */
export class BodyDecoder {
  readonly #owner: DecodedBodyOwner;
  readonly #decoder: ContentDecoder;
  readonly #maxBytes: number;
  #receivedBytes = 0;
  /** In whole KiB, taken from the owner. */
  heldBytes = 0;

  constructor(encoding: ContentEncoding, maxBytes: number, owner: DecodedBodyOwner) {
    this.#owner = owner;
    this.#maxBytes = maxBytes;
    this.#decoder = new ContentDecoder(encoding, owner);
  }

  /** Copies the chunk. Otherwise says which bound was hit. */
  append(chunk: ArrayBuffer): 'ok' | 'too-large' | 'memory-full' {
    this.#receivedBytes += chunk.byteLength;
    if (this.#receivedBytes > this.#maxBytes) return 'too-large';
    const needed = this.#receivedBytes + DECODER_BYTES;
    if (needed > this.heldBytes) {
      // In doubling steps: the count is shared by all threads.
      const hold = Math.max(DECODER_BYTES * Math.ceil(needed / DECODER_BYTES), 2 * this.heldBytes);
      if (!this.#owner.holdBody(hold - this.heldBytes)) return 'memory-full';
      this.heldBytes = hold;
    }
    const copy = Buffer.allocUnsafe(chunk.byteLength);
    copy.set(new Uint8Array(chunk));
    this.#decoder.write(copy);
    return 'ok';
  }

  end(): void {
    this.#decoder.end();
  }

  destroy(): void {
    this.#decoder.destroy();
  }
}
