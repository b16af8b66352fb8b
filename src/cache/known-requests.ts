import { Buffer } from 'node:buffer';
import type { Dialect } from '../dialects/dialect.ts';
import { type CacheKey, type KeyedRequest, surroundingsOf } from './cache-key.ts';
import type { StoredAnswer } from './stored-answer.ts';

/** A power of two. */
const PLACES = 1_024;
/** All bodies and answers that are remembered take at most so much. */
const MAX_BYTES = 8_388_608;
/** So that one request cannot drive out all others. */
const MAX_BYTES_EACH = MAX_BYTES / 64;
/** Bytes of a body that its place is chosen by. */
const SAMPLED_BYTES = 64;

/** An answer as it was read from the memory of all threads, and its place there: while that is the same, so is it. */
export interface HeldAnswer {
  readonly place: number;
  readonly stored: StoredAnswer;
}

/** A request that got an answer of the cache. */
export interface KnownRequest {
  readonly body: Buffer;
  readonly dialect: Dialect;
  /** See `surroundingsOf`. */
  readonly surroundings: readonly (string | boolean)[];
  readonly key: CacheKey;
  readonly held: HeldAnswer;
}

/**
 * Requests that came before, by their very bytes: to read one for its key, hash it and decode its answer takes ten times as
 * long as to compare it, and was a third of what a hit costs a relay thread (load: cache-whole).
 */
export class KnownRequests {
  readonly #places: (KnownRequest | undefined)[] = new Array(PLACES).fill(undefined);
  #bytes = 0;

  find(request: KeyedRequest): KnownRequest | undefined {
    const { body } = request.exchange;
    const known = this.#places[placeOf(body)];
    if (known === undefined || known.dialect !== request.dialect || !known.body.equals(body)) return undefined;
    const { surroundings } = known;
    const now = surroundingsOf(request);
    if (now.length !== surroundings.length) return undefined;
    for (let index = 0; index < now.length; index += 1) if (now[index] !== surroundings[index]) return undefined;
    return known;
  }

  /** Drops whoever has its place. */
  add(request: KeyedRequest, key: CacheKey, held: HeldAnswer): void {
    const { body } = request.exchange;
    const bytes = body.length + held.stored.bytes;
    if (bytes > MAX_BYTES_EACH) return;
    const place = placeOf(body);
    this.#bytes += bytes - bytesOf(this.#places[place]);
    if (this.#bytes > MAX_BYTES) {
      this.#places.fill(undefined);
      this.#bytes = bytes;
    }
    const { dialect } = request;
    this.#places[place] = { body: Buffer.from(body), dialect, surroundings: surroundingsOf(request), key, held };
  }
}

function bytesOf(known: KnownRequest | undefined): number {
  return known === undefined ? 0 : known.body.length + known.held.stored.bytes;
}

/** By its length and bytes spread over it: whoever has the same place is told apart by comparing. */
function placeOf(body: Buffer): number {
  const { length } = body;
  const step = Math.max(1, Math.floor(length / SAMPLED_BYTES));
  let digest = length;
  for (let at = length - 1; at >= 0; at -= step) digest = Math.imul(digest ^ body[at]!, 0x0100_0193);
  return (digest ^ (digest >>> 15)) & (PLACES - 1);
}
