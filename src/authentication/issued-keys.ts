import type { Principal } from '../core/exchange.ts';
import { isLongExpired, type KeyNote, type OpaqueKey } from '../store/key-notes.ts';
import type { KeyNews } from '../store/key-watch.ts';
import { type AcceptedKey, EXPIRED, type KeyVerdict, REVOKED } from './key-verdict.ts';

const NEVER = Number.POSITIVE_INFINITY;
/** Notes between two looks for those that are no longer needed. */
const PRUNE_EVERY = 10_000;

/** What a relay thread knows of keys that were issued: who the opaque ones stand for, and which of all are revoked, or when. */
export class IssuedKeys {
  readonly #opaque = new Map<string, KeyNote & { opaque: OpaqueKey }>();
  readonly #revoked = new Map<string, KeyNote>();
  #sincePruned = 0;

  /** Ids of the keys that are not as they were; undefined: any may be. */
  take(news: KeyNews, nowMs: number): ReadonlySet<string> | undefined {
    if (news.startsAnew) {
      this.#opaque.clear();
      this.#revoked.clear();
    }
    for (const note of news.notes) {
      if (note.revokedAtMs === undefined) this.#revoked.delete(note.id);
      else this.#revoked.set(note.id, note);
      const { opaque } = note;
      if (opaque !== undefined) this.#opaque.set(opaque.hash, { ...note, opaque });
    }
    this.#sincePruned += news.notes.length;
    if (this.#sincePruned > PRUNE_EVERY) this.#prune(nowMs);
    return news.startsAnew ? undefined : new Set(news.notes.map((note) => note.id));
  }

  /** Notes held. */
  get size(): number {
    return this.#opaque.size + this.#revoked.size;
  }

  /** Milliseconds since the Unix epoch, perhaps ahead; Infinity: it is not revoked. */
  revokedAt(id: string): number {
    return this.#revoked.get(id)?.revokedAtMs ?? NEVER;
  }

  /** `digest`: hex SHA-256 of what was presented. Whoever tries keys cannot steer it. */
  judge(digest: string, now: number): KeyVerdict | undefined {
    const note = this.#opaque.get(digest);
    if (note === undefined) return undefined;
    const revokedAtMs = this.revokedAt(note.id);
    if (now >= revokedAtMs) return REVOKED;
    const expiresAtMs = note.expiresAtMs ?? NEVER;
    return now >= expiresAtMs ? EXPIRED : accepted(note, Math.min(revokedAtMs, expiresAtMs));
  }

  /** Short-lived keys that are made all the time would fill the memory in the end. */
  #prune(nowMs: number): void {
    this.#sincePruned = 0;
    for (const notes of [this.#opaque, this.#revoked]) {
      for (const [key, note] of notes) if (isLongExpired(note, nowMs)) notes.delete(key);
    }
  }
}

function accepted({ id, opaque }: KeyNote & { opaque: OpaqueKey }, expiresAtMs: number): AcceptedKey {
  const { subject, teams, models, metadata } = opaque;
  const principal: Principal = { subject, keyId: id, teams, models, metadata };
  return { principal, expiresAtMs, from: 'issued' };
}
