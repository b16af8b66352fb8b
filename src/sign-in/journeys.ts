import { createCipheriv, createDecipheriv, randomBytes, timingSafeEqual } from 'node:crypto';
import type { z } from 'zod';
import { parseObject } from '../codec/json-value.ts';
import type { OidcJourney } from './oidc-client.ts';

/** Somebody is on the way to the identity provider and back. */
export interface Journey extends OidcJourney {
  /** Comes back in the address. */
  readonly state: string;
  /** Milliseconds since the Unix epoch. */
  readonly untilMs: number;
}

export interface JourneysOptions<T extends Journey> {
  /** 32 bytes. Gateways that share it take each other's journeys. */
  readonly key: Uint8Array;
  readonly schema: z.ZodType<T>;
  now(): number;
}

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Browsers take cookies of 4,096 bytes, name and value together (RFC 6265bis §5.6). */
export const MAX_JOURNEY_CHARACTERS = 3_900;
/** Ends of journeys that are remembered. The oldest goes first: then its code, which a provider takes once, protects it. */
const MAX_FINISHED = 10_000;

/**
 * Journeys lie in the cookies of their browsers, sealed: the gateway keeps nothing of a journey that goes on, so no number
 * of strangers who begin one crowds out another's. `state` carries a name alone, since providers bound its length.
 */
export class Journeys<T extends Journey> {
  readonly #options: JourneysOptions<T>;
  /** Their states, with when they would have ended anyway; in the order of their ends. */
  readonly #finished = new Map<string, number>();

  constructor(options: JourneysOptions<T>) {
    this.#options = options;
  }

  /** The journey as a cookie of the browser that begins it. Undefined: it is longer than a cookie may be. */
  sealed(journey: T): string | undefined {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#options.key, nonce, { authTagLength: TAG_BYTES });
    const text = Buffer.concat([cipher.update(JSON.stringify(journey)), cipher.final()]);
    const sealed = Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64url');
    return sealed.length <= MAX_JOURNEY_CHARACTERS ? sealed : undefined;
  }

  /** Undefined: it is none of ours, or too old. */
  opened(cookie: string | undefined): T | undefined {
    if (cookie === undefined || cookie.length > MAX_JOURNEY_CHARACTERS) return undefined;
    const read = this.#options.schema.safeParse(this.#unsealed(cookie));
    return read.success && this.#options.now() < read.data.untilMs ? read.data : undefined;
  }

  /** Once. Undefined: this browser did not begin it, it is too old, or it was finished before. */
  finished(cookie: string | undefined, state: string): T | undefined {
    const journey = this.opened(cookie);
    if (journey === undefined || !isEqual(state, journey.state) || this.#finished.has(journey.state)) return undefined;
    const now = this.#options.now();
    for (const [old, untilMs] of this.#finished) {
      if (untilMs > now && this.#finished.size < MAX_FINISHED) break;
      this.#finished.delete(old);
    }
    this.#finished.set(journey.state, journey.untilMs);
    return journey;
  }

  #unsealed(cookie: string): unknown {
    const bytes = Buffer.from(cookie, 'base64url');
    if (bytes.length <= NONCE_BYTES + TAG_BYTES) return undefined;
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv(CIPHER, this.#options.key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    try {
      const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
      return parseObject(text.toString());
    } catch {
      // Sealed with another key, or made up by somebody.
      return undefined;
    }
  }
}

function isEqual(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}
