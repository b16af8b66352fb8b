import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { isSecret } from './sessions.ts';

/** Somebody is on the way to the identity provider and back. */
export interface Journey {
  /** Comes back in the address. */
  readonly state: string;
  readonly verifier: string;
  readonly nonce: string;
  readonly redirectUri: string;
  readonly provider: string;
  /** Milliseconds since the Unix epoch. */
  readonly untilMs: number;
}

const journeySchema = z.strictObject({
  state: z.string(),
  verifier: z.string(),
  nonce: z.string(),
  redirectUri: z.string(),
  provider: z.string(),
  untilMs: z.number(),
});

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MAX_SEALED_CHARACTERS = 4_096;
/** Ends of journeys that are remembered. The oldest goes first: then its code, which a provider takes once, protects it. */
const MAX_FINISHED = 10_000;

/**
 * Journeys lie in the cookies of their browsers, sealed with a key of this process: the gateway keeps nothing of a journey
 * that goes on, so no number of strangers who begin one crowds out another's. A restart ends them.
 */
export class Journeys {
  readonly #key = randomBytes(32);
  readonly #now: () => number;
  /** Their states, with when they would have ended anyway; in the order of their ends. */
  readonly #finished = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** For the cookie of the browser that begins it. */
  sealed(journey: Journey): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES });
    const text = Buffer.concat([cipher.update(JSON.stringify(journey)), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64url');
  }

  /** Once. Undefined: this browser did not begin it, it is too old, or it was finished before. */
  finished(cookie: string | undefined, state: string): Journey | undefined {
    const journey = cookie === undefined ? undefined : this.#opened(cookie);
    const now = this.#now();
    if (journey === undefined || now >= journey.untilMs || !isSecret(state, journey.state)) return undefined;
    if (this.#finished.has(journey.state)) return undefined;
    for (const [old, untilMs] of this.#finished) {
      if (untilMs > now && this.#finished.size < MAX_FINISHED) break;
      this.#finished.delete(old);
    }
    this.#finished.set(journey.state, journey.untilMs);
    return journey;
  }

  #opened(cookie: string): Journey | undefined {
    if (cookie.length > MAX_SEALED_CHARACTERS) return undefined;
    const bytes = Buffer.from(cookie, 'base64url');
    if (bytes.length <= NONCE_BYTES + TAG_BYTES) return undefined;
    const decipher = createDecipheriv(CIPHER, this.#key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    try {
      const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
      return journeySchema.parse(JSON.parse(text.toString()));
    } catch {
      // Of another process, or made up by somebody.
      return undefined;
    }
  }
}
