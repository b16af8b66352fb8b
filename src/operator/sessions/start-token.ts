import { randomBytes } from 'node:crypto';
import { isSecret } from './sessions.ts';

const LIFE_MS = 3_600_000;

/** What a start prints where there is no admin key: it opens the console once, to look only. */
export class StartToken {
  readonly #now: () => number;
  readonly #untilMs: number;
  #text: string | undefined = randomBytes(24).toString('base64url');

  constructor(now: () => number) {
    this.#now = now;
    this.#untilMs = now() + LIFE_MS;
  }

  /** To be printed; undefined: it was used. */
  get text(): string | undefined {
    return this.#text;
  }

  get isOpen(): boolean {
    return this.#text !== undefined && this.#now() < this.#untilMs;
  }

  /** True once. */
  spend(presented: string): boolean {
    if (this.#text === undefined || !this.isOpen || !isSecret(presented, this.#text)) return false;
    this.#text = undefined;
    return true;
  }
}
