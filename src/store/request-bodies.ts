import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Database } from './database-engine.ts';
import { storableText } from './storable-text.ts';

/** The body of a request or an answer, redacted. */
export interface KeptBody {
  readonly content_type: string | null;
  /** All that there were, kept or not. */
  readonly bytes: number;
  /** Longer than what is kept, or not all of it was seen. */
  readonly truncated: boolean;
  /** Undefined: it is no text, was not seen, or is an event stream of which something is to be blacked out. */
  readonly text?: string | undefined;
  /** The texts of an event stream, each put together, by where they stand in its events. */
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

/** Where packed bodies lie in a blob. */
export interface BodiesPlace {
  readonly id: string;
  readonly at: number;
  readonly bytes: number;
}

/** With `blob` its data lies there, and the row has none. */
export interface StoredBodiesRow extends RequestBodiesRow {
  readonly blob?: BodiesPlace;
}

export interface BodiesBlob {
  readonly id: string;
  /** `bucket`, or the id of a gateway. */
  readonly place: string;
  readonly expiresAt: number;
}

const NO_DATA = new Uint8Array(0);
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
  rows: readonly StoredBodiesRow[],
): Promise<void> {
  for (let from = 0; from < rows.length; from += ROWS_PER_QUERY) {
    const values = rows.slice(from, from + ROWS_PER_QUERY).map(({ id, subject, project, expiresAt, data, blob }) => ({
      id,
      subject: subject ?? null,
      project: project === undefined ? null : storableText(project),
      expires_at: expiresAt,
      data: blob === undefined ? data : NO_DATA,
      blob: blob?.id ?? null,
      blob_at: blob?.at ?? null,
      blob_bytes: blob?.bytes ?? null,
    }));
    await query
      .insertInto('request_bodies')
      .values(values)
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute();
  }
}

export async function insertBodyBlobs({ query }: Pick<Database, 'query'>, blobs: readonly BodiesBlob[]): Promise<void> {
  const values = blobs.map(({ id, place, expiresAt }) => ({ id, place, expires_at: expiresAt }));
  if (values.length > 0) await query.insertInto('request_body_blobs').values(values).execute();
}

export async function isBodyBlob({ query }: Pick<Database, 'query'>, id: string): Promise<boolean> {
  const row = await query.selectFrom('request_body_blobs').select('id').where('id', '=', id).executeTakeFirst();
  return row !== undefined;
}

/** Ids of blobs at this place whose time is over. */
export async function expiredBodyBlobs(
  { query }: Pick<Database, 'query'>,
  place: string,
  now: number,
  limit: number,
): Promise<string[]> {
  const rows = await query
    .selectFrom('request_body_blobs')
    .select('id')
    .where('place', '=', place)
    .where('expires_at', '<=', now)
    .orderBy('expires_at')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

export async function deleteBodyBlob({ query }: Pick<Database, 'query'>, id: string): Promise<void> {
  await query.deleteFrom('request_body_blobs').where('id', '=', id).execute();
}

export interface FoundBodies {
  readonly project: string | null;
  /** Undefined: they are kept, and their blob cannot be read now. */
  readonly shown: unknown;
}

/** Reads a part of a blob that lies at a place; undefined: it cannot. */
export type BodiesReader = (place: string, part: BodiesPlace) => Promise<Uint8Array | undefined>;

/** Undefined: nothing is kept of it (any more). */
export async function findBodies(
  { query }: Pick<Database, 'query'>,
  id: string,
  now: number,
  read: BodiesReader,
): Promise<FoundBodies | undefined> {
  const row = await query
    .selectFrom('request_bodies')
    .leftJoin('request_body_blobs', 'request_body_blobs.id', 'request_bodies.blob')
    .select(['project', 'data', 'blob', 'blob_at', 'blob_bytes', 'place'])
    .where('request_bodies.id', '=', id)
    .where('request_bodies.expires_at', '>', now)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { project, data, blob, blob_at: at, blob_bytes: bytes, place } = row;
  const isHere = blob === null || at === null || bytes === null || place === null;
  const packed = isHere ? data : await read(place, { id: blob, at, bytes });
  if (packed === undefined || packed.length === 0) return { project, shown: undefined };
  return { project, shown: JSON.parse(inflateRawSync(packed).toString()) };
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
  // A gateway takes the blobs away: it alone may know their place.
  const theirs = query.selectFrom('request_bodies').select('blob').where('subject', '=', subject);
  await query.updateTable('request_body_blobs').set({ expires_at: 0 }).where('id', 'in', theirs).execute();
  await query.deleteFrom('request_bodies').where('subject', '=', subject).execute();
}
