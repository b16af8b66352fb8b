import type { Principal } from '../core/exchange.ts';
import type { KeyNote, OpaqueKey } from '../store/key-notes.ts';
import type { KeyNews } from '../store/key-watch.ts';
import { type AcceptedKey, EXPIRED, type KeyVerdict, REVOKED } from './key-verdict.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** What a relay thread knows of keys that were issued: who the opaque ones stand for, and which of all are revoked, or when. */
export class IssuedKeys {
  readonly #opaque = new Map<string, KeyNote & { opaque: OpaqueKey }>();
  readonly #revokedAt = new Map<string, number>();

  /** Ids of the keys that are not as they were; undefined: any may be. */
  take(news: KeyNews): ReadonlySet<string> | undefined {
    if (news.startsAnew) {
      this.#opaque.clear();
      this.#revokedAt.clear();
    }
    for (const note of news.notes) {
      if (note.revokedAtMs === undefined) this.#revokedAt.delete(note.id);
      else this.#revokedAt.set(note.id, note.revokedAtMs);
      const { opaque } = note;
      if (opaque !== undefined) this.#opaque.set(opaque.hash, { ...note, opaque });
    }
    return news.startsAnew ? undefined : new Set(news.notes.map((note) => note.id));
  }

  /** Milliseconds since the Unix epoch, perhaps ahead; Infinity: it is not revoked. */
  revokedAt(id: string): number {
    return this.#revokedAt.get(id) ?? NEVER;
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
}

function accepted({ id, opaque }: KeyNote & { opaque: OpaqueKey }, expiresAtMs: number): AcceptedKey {
  const { subject, teams, models, metadata } = opaque;
  const principal: Principal = { subject, keyId: id, teams, models, metadata };
  return { principal, expiresAtMs, from: 'issued' };
}
