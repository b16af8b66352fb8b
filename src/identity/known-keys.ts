import { isEmpty, isLongExpired, type KeyNote } from '../store/key-notes.ts';
import type { KeyNews } from '../store/key-watch.ts';
import type { VerificationKey } from '../store/token-form.ts';

/** About 400 bytes each, in each thread. Beyond it keys that are new are not known, and refused. */
const MAX_OPAQUE_KEYS = 1_000_000;
/** Notes between two looks for those that are no longer needed. */
const PRUNE_EVERY = 10_000;

/** All notes on keys that were issued, as a thread that is born needs them. Lives on the main thread. */
export class KnownKeys {
  readonly #notes = new Map<string, KeyNote>();
  #signingKeys: readonly VerificationKey[];
  /** Always among the signing keys, whatever the database says. */
  own: VerificationKey;
  #opaque = 0;
  #sincePruned = 0;
  #refused = 0;

  constructor(own: VerificationKey) {
    this.own = own;
    this.#signingKeys = [own];
  }

  /** Keys that were not taken because there are too many. */
  get refused(): number {
    return this.#refused;
  }

  /** What of the news relay threads shall be told. */
  take(news: KeyNews, nowMs: number): KeyNews {
    if (news.startsAnew) {
      this.#notes.clear();
      this.#opaque = 0;
    }
    const notes = news.notes.filter((note) => this.#takeNote(note));
    this.#signingKeys = news.signingKeys.some(({ keyId }) => keyId === this.own.keyId)
      ? news.signingKeys
      : [...news.signingKeys, this.own];
    this.#sincePruned += notes.length;
    if (this.#sincePruned > PRUNE_EVERY) this.#prune(nowMs);
    return { startsAnew: news.startsAnew, notes, signingKeys: this.#signingKeys };
  }

  all(): KeyNews {
    return { startsAnew: true, notes: [...this.#notes.values()], signingKeys: this.#signingKeys };
  }

  #takeNote(note: KeyNote): boolean {
    const before = this.#notes.get(note.id);
    if (isEmpty(note)) {
      // A key that was never spoken of needs no word: most news is of JWTs that were just made.
      if (before === undefined) return false;
      this.#forget(before);
      return true;
    }
    if (note.opaque !== undefined && before?.opaque === undefined) {
      if (this.#opaque >= MAX_OPAQUE_KEYS) {
        this.#refused += 1;
        return false;
      }
      this.#opaque += 1;
    }
    this.#notes.set(note.id, note);
    return true;
  }

  #forget(note: KeyNote): void {
    if (note.opaque !== undefined) this.#opaque -= 1;
    this.#notes.delete(note.id);
  }

  #prune(nowMs: number): void {
    this.#sincePruned = 0;
    for (const note of this.#notes.values()) if (isLongExpired(note, nowMs)) this.#forget(note);
  }
}
