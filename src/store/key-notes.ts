import type { Selectable } from 'kysely';
import { apiKeyOf } from './api-keys.ts';
import type { Database } from './database.ts';
import type { ApiKeysTable } from './tables.ts';

/**
 * What a gateway must keep in memory of the keys it issued: which are revoked, and whom the opaque ones stand for. A JWT
 * that is in force needs no note. Plain enough to cross threads; no token can be made from it.
 */
export interface KeyNote {
  readonly id: string;
  /** Milliseconds since the Unix epoch, perhaps ahead; absent: not revoked. */
  readonly revokedAtMs?: number;
  /** Absent: never. */
  readonly expiresAtMs?: number;
  /** Absent: a JWT. */
  readonly opaque?: OpaqueKey;
}

export interface OpaqueKey {
  /** Hex SHA-256. */
  readonly hash: string;
  readonly subject: string;
  readonly teams: readonly string[];
  readonly models?: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Notes are kept so long after a key's expiry, for gateways whose clocks are behind. */
const CLOCK_DIFFERENCE_MS = 86_400_000;
const PAGE_ROWS = 5000;

/** Notes on all keys written after version `after`, in order; a key that needs none any more has an empty one. */
export async function readKeyNotes(database: Database, after: number, now: Date): Promise<KeyNote[]> {
  const notes: KeyNote[] = [];
  const long = new Date(now.getTime() - CLOCK_DIFFERENCE_MS).toISOString();
  let last: { version: number; id: string } | undefined;
  for (;;) {
    let query = database.query.selectFrom('api_keys').selectAll();
    if (last === undefined) query = query.where('version', '>', after);
    else {
      const { version, id } = last;
      query = query.where((where) =>
        where.or([where('version', '>', version), where.and([where('version', '=', version), where('id', '>', id)])]),
      );
    }
    // From the beginning only what matters; later also that a key no longer does.
    if (after < 0) {
      query = query
        .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', long)]))
        .where((where) => where.or([where('revoked_at', 'is not', null), where('token_type', '=', 'opaque')]));
    }
    const rows = await query.orderBy('version').orderBy('id').limit(PAGE_ROWS).execute();
    for (const row of rows) notes.push(noteOf(row));
    const end = rows.at(-1);
    if (end === undefined || rows.length < PAGE_ROWS) return notes;
    last = { version: end.version, id: end.id };
  }
}

/** True of a note that says nothing: its key may be forgotten. */
export function isEmpty(note: KeyNote): boolean {
  return note.revokedAtMs === undefined && note.opaque === undefined;
}

/** Whether the key would be refused as expired anyway, on every clock. */
export function isLongExpired(note: KeyNote, nowMs: number): boolean {
  return note.expiresAtMs !== undefined && note.expiresAtMs + CLOCK_DIFFERENCE_MS < nowMs;
}

function noteOf(row: Selectable<ApiKeysTable>): KeyNote {
  const key = apiKeyOf(row);
  const { id, tokenHash: hash, subject, teams, models, metadata } = key;
  const revokedAtMs = key.revokedAt?.getTime();
  const expiresAtMs = key.expiresAt?.getTime();
  return {
    id,
    ...(revokedAtMs === undefined ? {} : { revokedAtMs }),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    ...(hash === undefined ? {} : { opaque: { hash, subject, teams, ...(models && { models }), metadata } }),
  };
}
