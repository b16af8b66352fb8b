import { randomBytes } from 'node:crypto';
import type { Selectable } from 'kysely';
import { z } from 'zod';
import type { Database } from './database.ts';
import type { ApiKeysTable } from './tables.ts';

/** A key that `sluice keys` made: all of it except the token, which is kept nowhere. */
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
  readonly revokedAt?: Date;
}

/** A revoked key stays on the list so long after its expiry, for gateways whose clocks are behind. */
const CLOCK_DIFFERENCE_MS = 86_400_000;

export function newKeyId(): string {
  return `key_${randomBytes(9).toString('hex')}`;
}

export async function insertKey(database: Database, key: ApiKey): Promise<void> {
  await database.query.insertInto('api_keys').values(toRow(key)).execute();
}

/** Oldest first. */
export async function listKeys(database: Database): Promise<ApiKey[]> {
  const rows = await database.query.selectFrom('api_keys').selectAll().orderBy('created_at').orderBy('id').execute();
  return rows.map(fromRow);
}

/** A second revocation leaves the time of the first. */
export async function revokeKey(database: Database, id: string, at: Date): Promise<'revoked' | 'already' | 'unknown'> {
  const changed = await database.query
    .updateTable('api_keys')
    .set({ revoked_at: at.toISOString() })
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  if (changed.numUpdatedRows > 0n) return 'revoked';
  const known = await database.query.selectFrom('api_keys').select('id').where('id', '=', id).executeTakeFirst();
  return known === undefined ? 'unknown' : 'already';
}

/** Sorted, without those that would be refused as expired anyway. */
export async function revokedKeyIds(database: Database, now: Date): Promise<string[]> {
  const expiredBefore = new Date(now.getTime() - CLOCK_DIFFERENCE_MS).toISOString();
  const rows = await database.query
    .selectFrom('api_keys')
    .select('id')
    .where('revoked_at', 'is not', null)
    .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', expiredBefore)]))
    .orderBy('id')
    .execute();
  return rows.map((row) => row.id);
}

/** Whether anybody was ever given a key that was not taken back. */
export async function hasIssuedKeys(database: Database): Promise<boolean> {
  const row = await database.query
    .selectFrom('api_keys')
    .select('id')
    .where('revoked_at', 'is', null)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

const names = z.array(z.string());
const metadata = z.record(z.string(), z.string());

function toRow(key: ApiKey): ApiKeysTable {
  return {
    id: key.id,
    name: key.name ?? null,
    subject: key.subject,
    teams: JSON.stringify(key.teams),
    models: key.models === undefined ? null : JSON.stringify(key.models),
    metadata: JSON.stringify(key.metadata),
    created_at: key.createdAt.toISOString(),
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
  };
}

function fromRow(row: Selectable<ApiKeysTable>): ApiKey {
  return {
    id: row.id,
    name: row.name ?? undefined,
    subject: row.subject,
    teams: names.parse(JSON.parse(row.teams)),
    models: row.models === null ? undefined : names.parse(JSON.parse(row.models)),
    metadata: metadata.parse(JSON.parse(row.metadata)),
    createdAt: new Date(row.created_at),
    expiresAt: row.expires_at === null ? undefined : new Date(row.expires_at),
    revokedAt: row.revoked_at === null ? undefined : new Date(row.revoked_at),
  };
}
