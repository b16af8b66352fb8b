import { createHash, hash } from 'node:crypto';

export interface HashedFrame {
  readonly chain: number;
  /** Number in the chain of its first row. */
  readonly seq: number;
  readonly rows: number;
  readonly endedFrom: number;
  readonly endedTo: number;
  readonly data: Uint8Array;
}

/**
 * What a frame's hash is made of: the hash of the frame before it, then what its columns say, one a line, then its bytes.
 * Labels, series and price tables come in by the hash of their content. The rule is for ever: changing it makes every older
 * chain look forged.
 */
export function frameHash(previousHash: string, { chain, seq, rows, endedFrom, endedTo, data }: HashedFrame): string {
  return createHash('sha256')
    .update(`${previousHash}\n${chain}\n${seq}\n${rows}\n${endedFrom}\n${endedTo}\n`)
    .update(data)
    .digest('base64url');
}

/** Names what is kept once by its content (labels, series, price tables): 96 bits of its SHA-256. */
export function contentHash(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 16);
}
