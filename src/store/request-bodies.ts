import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Database } from './database-engine.ts';
import { storableText } from './storable-text.ts';

/** Of a request or an answer, redacted. */
export interface KeptBody {
  readonly content_type: string | null;
  /** All that there were, kept or not. */
  readonly bytes: number;
  /** Longer than what is kept, or not all of it was seen. */
  readonly truncated: boolean;
  /** Undefined: it is no text, was not seen, or is an event stream of which something is to be blacked out. */
  readonly text?: string | undefined;
  /** Of an event stream: its texts, each put together, by where they stand in its events. */
  readonly texts?: readonly { readonly at: string; readonly text: string }[] | undefined;
}

export interface KeptBodies {
  readonly request: KeptBody;
  readonly response: KeptBody & { readonly status: number };
}

export interface RequestBodiesRow {
  readonly id: string;
  readonly subject: string | undefined;
  readonly project: string | undefined;
  readonly expiresAt: number;
  readonly data: Uint8Array;
}

const ROWS_PER_QUERY = 50;
const IDS_PER_QUERY = 400;
/** Rows that are taken away in one statement, so that nobody waits long for it. */
const EXPIRED_AT_ONCE = 500;

export function packedBodies(bodies: KeptBodies): Uint8Array {
  return deflateRawSync(storableText(JSON.stringify(bodies)));
}

/** The same exchange twice is kept once. */
export async function insertBodies(
  { query }: Pick<Database, 'query'>,
  rows: readonly RequestBodiesRow[],
): Promise<void> {
  for (let from = 0; from < rows.length; from += ROWS_PER_QUERY) {
    const values = rows.slice(from, from + ROWS_PER_QUERY).map(({ id, subject, project, expiresAt, data }) => ({
      id,
      subject: subject ?? null,
      project: project === undefined ? null : storableText(project),
      expires_at: expiresAt,
      data,
    }));
    await query
      .insertInto('request_bodies')
      .values(values)
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute();
  }
}

/** Undefined: nothing is kept of it (any more). */
export async function findBodies(
  { query }: Pick<Database, 'query'>,
  id: string,
  now: number,
): Promise<{ readonly project: string | null; readonly shown: unknown } | undefined> {
  const row = await query
    .selectFrom('request_bodies')
    .select(['project', 'data'])
    .where('id', '=', id)
    .where('expires_at', '>', now)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return { project: row.project, shown: JSON.parse(inflateRawSync(row.data).toString()) };
}

/** Those of `ids` of which something is kept, with their projects. */
export async function idsWithBodies(
  { query }: Pick<Database, 'query'>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string | null>> {
  const known = new Map<string, string | null>();
  for (let from = 0; from < ids.length; from += IDS_PER_QUERY) {
    const rows = await query
      .selectFrom('request_bodies')
      .select(['id', 'project'])
      .where('id', 'in', ids.slice(from, from + IDS_PER_QUERY))
      .execute();
    for (const { id, project } of rows) known.set(id, project);
  }
  return known;
}

/** Gives how many went; there may be more. */
export async function deleteExpiredBodies({ query }: Pick<Database, 'query'>, now: number): Promise<number> {
  const old = await query
    .selectFrom('request_bodies')
    .select('id')
    .where('expires_at', '<=', now)
    .orderBy('expires_at')
    .limit(EXPIRED_AT_ONCE)
    .execute();
  if (old.length === 0) return 0;
  const ids = old.map(({ id }) => id);
  await query.deleteFrom('request_bodies').where('id', 'in', ids).execute();
  return ids.length;
}

export async function eraseBodiesOf({ query }: Pick<Database, 'query'>, subject: string): Promise<void> {
  await query.deleteFrom('request_bodies').where('subject', '=', subject).execute();
}
