import type { ExpressionBuilder, Kysely, Selectable } from 'kysely';
import type { Database } from './database.ts';
import type { PageEnd } from './page-end.ts';
import { storableText } from './storable-text.ts';
import type { FilesTable } from './tables/file-tables.ts';
import type { Tables } from './tables.ts';

/** A file without its bytes. Times in milliseconds since the Unix epoch. */
export interface StoredFile {
  readonly id: string;
  /** Its owner: a subject, or `team:NAME`. */
  readonly owner: string;
  /** The subject that uploaded it. */
  readonly createdBy: string;
  readonly filename: string;
  readonly purpose: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
}

export interface FileFilter {
  /** Subject and teams of who asks: of others' files nothing is found. */
  readonly owners: readonly string[];
  readonly purpose: string | undefined;
  readonly order: 'asc' | 'desc';
  /** Id of the last file of the page before. */
  readonly after: string | undefined;
  readonly limit: number;
}

export async function insertFile({ query }: Pick<Database, 'query'>, file: StoredFile): Promise<void> {
  const row: FilesTable = {
    id: file.id,
    owner: file.owner,
    created_by: file.createdBy,
    filename: storableText(file.filename),
    purpose: file.purpose,
    bytes: file.bytes,
    sha256: file.sha256,
    created_at: file.createdAt,
    expires_at: file.expiresAt ?? null,
  };
  await query.insertInto('files').values(row).execute();
}

/** Undefined: there is none that these owners see. */
export async function findFile(
  database: Database,
  id: string,
  owners: readonly string[],
  now: number,
): Promise<StoredFile | undefined> {
  const row = await living(database, owners, now).where('id', '=', id).executeTakeFirst();
  return row && fileOf(row);
}

/** The files of all owners that have not expired, the newest first. */
export async function allFiles({ query }: Database, after: PageEnd | undefined, limit: number): Promise<StoredFile[]> {
  const now = Date.now();
  let rows = query
    .selectFrom('files')
    .selectAll()
    .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', now)]));
  if (after !== undefined) {
    const { createdAt, id } = after;
    rows = rows.where((where) =>
      where.or([
        where('created_at', '<', createdAt),
        where.and([where('created_at', '=', createdAt), where('id', '<', id)]),
      ]),
    );
  }
  const found = await rows.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit).execute();
  return found.map(fileOf);
}

/** By the time of upload; undefined: there is no file `after`. */
export async function pageOfFiles(
  database: Database,
  filter: FileFilter,
  now: number,
): Promise<StoredFile[] | undefined> {
  const { owners, purpose, order, after, limit } = filter;
  let query = living(database, owners, now);
  if (purpose !== undefined) query = query.where('purpose', '=', purpose);
  if (after !== undefined) {
    const last = await findFile(database, after, owners, now);
    if (last === undefined) return undefined;
    const beyond = order === 'asc' ? '>' : '<';
    query = query.where((where) =>
      where.or([
        where('created_at', beyond, last.createdAt),
        where.and([where('created_at', '=', last.createdAt), where('id', beyond, after)]),
      ]),
    );
  }
  const rows = await query.orderBy('created_at', order).orderBy('id', order).limit(limit).execute();
  return rows.map(fileOf);
}

/** False: there is none that these owners see. */
export async function deleteFile(database: Database, id: string, owners: readonly string[]): Promise<boolean> {
  const deleted = await database.query
    .deleteFrom('files')
    .where('id', '=', id)
    .where('owner', 'in', owners)
    .executeTakeFirst();
  return deleted.numDeletedRows > 0n;
}

/** Whether there is a row of it, whosever it is. */
export async function fileExists(database: Database, id: string): Promise<boolean> {
  const row = await database.query.selectFrom('files').select('id').where('id', '=', id).executeTakeFirst();
  return row !== undefined;
}

/** Ids of files that have expired and that no batch reads any more, the oldest first. */
export async function expiredFiles(database: Database, now: number, limit: number): Promise<string[]> {
  const rows = await database.query
    .selectFrom('files')
    .select('id')
    .where('expires_at', '<=', now)
    .where((where) => where.not(where.exists(batchesThatRead(where))))
    .orderBy('expires_at')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

function batchesThatRead(where: ExpressionBuilder<Tables, 'files'>) {
  return where
    .selectFrom('batches')
    .select('batches.id')
    .whereRef('batches.input_file_id', '=', 'files.id')
    .where('batches.ended_at', 'is', null);
}

export async function deleteExpired(database: Database, id: string, now: number): Promise<void> {
  await database.query.deleteFrom('files').where('id', '=', id).where('expires_at', '<=', now).execute();
}

/**
 * Ends the files of a subject, which the gateway then removes, and takes its name from those that it uploaded for a team.
 */
export async function eraseFilesOf(
  transaction: Kysely<Tables>,
  subject: string,
  instead: string,
  now: number,
): Promise<void> {
  await transaction
    .updateTable('files')
    .set({ owner: instead, created_by: instead, filename: 'erased', expires_at: now })
    .where('owner', '=', subject)
    .execute();
  await transaction.updateTable('files').set({ created_by: instead }).where('created_by', '=', subject).execute();
}

function living({ query }: { query: Kysely<Tables> }, owners: readonly string[], now: number) {
  return query
    .selectFrom('files')
    .selectAll()
    .where('owner', 'in', owners)
    .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', now)]));
}

function fileOf(row: Selectable<FilesTable>): StoredFile {
  return {
    id: row.id,
    owner: row.owner,
    createdBy: row.created_by,
    filename: row.filename,
    purpose: row.purpose,
    bytes: row.bytes,
    sha256: row.sha256,
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
  };
}
