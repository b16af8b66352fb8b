import { randomBytes } from 'node:crypto';
import type { Kysely, Selectable } from 'kysely';
import type { Database } from './database.ts';
import { writeKeys } from './key-version.ts';
import { storedTextMap, storedTexts } from './stored-json.ts';
import type { ApiKeysTable, Tables } from './tables.ts';

export type TokenType = 'jwt' | 'opaque';

/** A key that was issued: all of it except the token, which is kept nowhere. */
export interface ApiKey {
  readonly id: string;
  readonly name?: string;
  readonly subject: string;
  readonly teams: readonly string[];
  /** Absent: all models. */
  readonly models?: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  readonly expiresAt?: Date;
  /** May lie ahead: a key that was rotated works until then. */
  readonly revokedAt?: Date;
  /** Absent: `jwt`. */
  readonly tokenType?: TokenType;
  /** Hex SHA-256 of an opaque key. */
  readonly tokenHash?: string;
  /** The key that took its place when it was rotated. */
  readonly replacedBy?: string;
}

/** `rotated`: another one took its place, and it works until its grace ends. */
export type KeyState = 'active' | 'rotated' | 'revoked' | 'expired';

export function stateOf(key: ApiKey, now: Date): KeyState {
  if (key.revokedAt !== undefined && key.revokedAt <= now) return 'revoked';
  if (key.expiresAt !== undefined && key.expiresAt <= now) return 'expired';
  return key.revokedAt === undefined ? 'active' : 'rotated';
}

export function newKeyId(): string {
  return `key_${randomBytes(9).toString('hex')}`;
}

export function insertKey(database: Database, key: ApiKey): Promise<void> {
  return writeKeys(database, (transaction, version) => insert(transaction, key, version));
}

export async function findKey(database: Database, id: string): Promise<ApiKey | undefined> {
  const row = await database.query.selectFrom('api_keys').selectAll().where('id', '=', id).executeTakeFirst();
  return row && apiKeyOf(row);
}

/** A second revocation leaves the time of the first, unless that still lies ahead. */
export function revokeKey(database: Database, id: string, at: Date): Promise<'revoked' | 'already' | 'unknown'> {
  return writeKeys(database, async (transaction, version) => {
    const changed = await transaction
      .updateTable('api_keys')
      .set({ revoked_at: at.toISOString(), version })
      .where('id', '=', id)
      .where((where) => where.or([where('revoked_at', 'is', null), where('revoked_at', '>', at.toISOString())]))
      .executeTakeFirst();
    if (changed.numUpdatedRows > 0n) return 'revoked';
    const known = await transaction.selectFrom('api_keys').select('id').where('id', '=', id).executeTakeFirst();
    return known === undefined ? 'unknown' : 'already';
  });
}

/** The old key works until `worksUntil`; both are written or none. False: it was revoked or rotated meanwhile. */
export function replaceKey(database: Database, oldId: string, replacement: ApiKey, worksUntil: Date): Promise<boolean> {
  return writeKeys(database, async (transaction, version) => {
    const changed = await transaction
      .updateTable('api_keys')
      .set({ revoked_at: worksUntil.toISOString(), replaced_by: replacement.id, version })
      .where('id', '=', oldId)
      .where('revoked_at', 'is', null)
      .executeTakeFirst();
    if (changed.numUpdatedRows === 0n) return false;
    await insert(transaction, replacement, version);
    return true;
  });
}

/** Whether anybody was ever given a key that was not taken back. */
export async function hasIssuedKeys(database: Database): Promise<boolean> {
  const now = new Date().toISOString();
  const row = await database.query
    .selectFrom('api_keys')
    .select('id')
    .where((where) => where.or([where('revoked_at', 'is', null), where('revoked_at', '>', now)]))
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Ids of the keys of a subject that still work, or will until their grace ends. */
export async function workingKeysOf(database: Database, subject: string, now: Date): Promise<string[]> {
  const rows = await database.query
    .selectFrom('api_keys')
    .selectAll()
    .where('subject', '=', subject)
    .orderBy('id')
    .execute();
  return rows
    .map(apiKeyOf)
    .filter((key) => ['active', 'rotated'].includes(stateOf(key, now)))
    .map(({ id }) => id);
}

/** Leaves of keys that have ended what they may not become again. Gives how many there were. */
export async function eraseKeysOf(transaction: Kysely<Tables>, subject: string, instead: string): Promise<number> {
  const changed = await transaction
    .updateTable('api_keys')
    .set({ subject: instead, name: null, teams: '[]', metadata: '{}' })
    .where('subject', '=', subject)
    .executeTakeFirst();
  return Number(changed.numUpdatedRows);
}

async function insert(transaction: Kysely<Tables>, key: ApiKey, version: number): Promise<void> {
  const row: ApiKeysTable = {
    id: key.id,
    name: key.name ?? null,
    subject: key.subject,
    teams: JSON.stringify(key.teams),
    models: key.models === undefined ? null : JSON.stringify(key.models),
    metadata: JSON.stringify(key.metadata),
    created_at: key.createdAt.toISOString(),
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    token_type: key.tokenType ?? 'jwt',
    token_hash: key.tokenHash ?? null,
    replaced_by: key.replacedBy ?? null,
    version,
  };
  await transaction.insertInto('api_keys').values(row).execute();
}

export function apiKeyOf(row: Selectable<ApiKeysTable>): ApiKey {
  return {
    id: row.id,
    name: row.name ?? undefined,
    subject: row.subject,
    teams: storedTexts(row.teams),
    models: row.models === null ? undefined : storedTexts(row.models),
    metadata: storedTextMap(row.metadata),
    createdAt: new Date(row.created_at),
    expiresAt: row.expires_at === null ? undefined : new Date(row.expires_at),
    revokedAt: row.revoked_at === null ? undefined : new Date(row.revoked_at),
    tokenType: tokenTypeOf(row.token_type),
    tokenHash: row.token_hash ?? undefined,
    replacedBy: row.replaced_by ?? undefined,
  };
}

function tokenTypeOf(stored: string): TokenType {
  if (stored === 'jwt' || stored === 'opaque') return stored;
  throw new TypeError('what is stored is no type of token');
}
