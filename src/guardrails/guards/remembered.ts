import { createHash, randomBytes } from 'node:crypto';
import type { Verdict } from '../guard.ts';

export interface RememberOptions {
  readonly ttlMs: number;
  readonly maxAnswers: number;
}

/** Texts of an answer that changes more are not kept. */
const MAX_CHARACTERS = 16_384;

/**
 * Answers of one guard to what it was asked, word for word. What was asked is kept as a keyed hash alone; the key is this
 * thread's own. The oldest make room.
 */
export class RememberedAnswers {
  readonly #options: RememberOptions;
  readonly #key = randomBytes(32);
  readonly #answers = new Map<string, { readonly verdict: Verdict; readonly until: number }>();
  readonly #now: () => number;

  constructor(options: RememberOptions, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#now = now;
  }

  keyOf(url: string, body: string): string {
    return createHash('sha256').update(this.#key).update(url).update('\n').update(body).digest('base64');
  }

  find(key: string): Verdict | undefined {
    const known = this.#answers.get(key);
    if (known === undefined) return undefined;
    if (known.until > this.#now()) return known.verdict;
    this.#answers.delete(key);
    return undefined;
  }

  /** An error is no answer. */
  keep(key: string, verdict: Verdict): void {
    if (verdict.result === 'error') return;
    if (verdict.result === 'mutated' && charactersOf(verdict.texts) > MAX_CHARACTERS) return;
    const { ttlMs, maxAnswers } = this.#options;
    this.#answers.delete(key);
    this.#answers.set(key, { verdict, until: this.#now() + ttlMs });
    if (this.#answers.size <= maxAnswers) return;
    const [oldest] = this.#answers.keys();
    if (oldest !== undefined) this.#answers.delete(oldest);
  }
}

function charactersOf(texts: readonly string[]): number {
  return texts.reduce((sum, { length }) => sum + length, 0);
}
