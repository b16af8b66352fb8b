import { hash, timingSafeEqual } from 'node:crypto';
import { bearerKey } from '../../authentication/presented-key.ts';
import type { Log } from '../../core/log.ts';

/** One line of log in so long, however many keys are tried. */
const LOG_EVERY_MS = 10_000;

/** The key of the admin API. A try costs one hash and one comparison whose time says nothing, and leaves nothing behind. */
export class AdminKey {
  readonly #digest: Buffer;
  readonly #log: Log | undefined;
  #wrong = 0;
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(key: string, log: Log | undefined) {
    this.#digest = sha256(key);
    this.#log = log;
  }

  /** Why not, as an error code; undefined: it is the key. */
  refuses(authorization: string | undefined): 'missing_api_key' | 'invalid_api_key' | undefined {
    const presented = authorization === undefined ? '' : bearerKey(authorization);
    if (presented === '') return 'missing_api_key';
    if (timingSafeEqual(sha256(presented), this.#digest)) return undefined;
    this.#count();
    return 'invalid_api_key';
  }

  #count(): void {
    this.#wrong += 1;
    const now = performance.now();
    if (now - this.#loggedAt < LOG_EVERY_MS) return;
    this.#loggedAt = now;
    this.#log?.warn({ attempts: this.#wrong }, 'the admin API was asked with a wrong key');
    this.#wrong = 0;
  }
}

function sha256(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
