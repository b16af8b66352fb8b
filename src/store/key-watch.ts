import type { Database } from './database.ts';
import { type KeyNote, readKeyNotes } from './key-notes.ts';
import { readKeyVersion } from './key-version.ts';
import { listSigningKeys } from './signing-keys.ts';
import type { VerificationKey } from './token-form.ts';

/** Half of the second within which a revoked key must stop working everywhere. */
const WATCH_INTERVAL_MS = 500;

/** What changed since the last look. */
export interface KeyNews {
  /** Nothing else is true any more: the first look, or the database was put back to an earlier state. */
  readonly startsAnew: boolean;
  readonly notes: readonly KeyNote[];
  /** All of them. */
  readonly signingKeys: readonly VerificationKey[];
}

export interface KeyWatchOptions {
  onNews(news: KeyNews): void;
  /** The database could not be read; told once, until it can be read again. What is known stays in force. */
  onFault(error: unknown): void;
  intervalMs?: number;
}

/**
 * Sees keys that any process made, rotated or revoked, by one row every half second. Does not keep the process alive.
 * Looks never overlap, so news comes in the order of the writes and none comes twice.
 */
export class KeyWatch {
  readonly #database: Database;
  readonly #options: KeyWatchOptions;
  #seen = -1;
  #faulty = false;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #look: Promise<void> = Promise.resolve();

  constructor(database: Database, options: KeyWatchOptions) {
    this.#database = database;
    this.#options = options;
  }

  /** The first look; rejects if the database cannot be read: nobody may serve who does not know what is revoked. */
  async start(): Promise<void> {
    await this.#readNews();
    this.#schedule();
  }

  /** Looks at once; resolves when everything written before has been told. Rejects if it cannot be read. */
  look(): Promise<void> {
    const next = this.#look.then(() => this.#readNews());
    this.#look = next.catch(() => {});
    return next;
  }

  /** After it no news comes. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #readNews(): Promise<void> {
    const version = await readKeyVersion(this.#database.query);
    if (version === this.#seen || this.#stopped) return;
    const startsAnew = this.#seen < 0 || version < this.#seen;
    // A note written between the two readings comes with a higher number, and is told again by the next look.
    const notes = await readKeyNotes(this.#database, startsAnew ? -1 : this.#seen, new Date());
    const signingKeys = await listSigningKeys(this.#database);
    if (this.#stopped) return;
    this.#seen = version;
    this.#options.onNews({ startsAnew, notes, signingKeys });
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(async () => {
      try {
        await this.look();
        this.#faulty = false;
      } catch (error) {
        if (!this.#faulty && !this.#stopped) this.#options.onFault(error);
        this.#faulty = true;
      }
      this.#schedule();
    }, this.#options.intervalMs ?? WATCH_INTERVAL_MS).unref();
  }
}
