import type { Insertable, Kysely, Selectable, Updateable } from 'kysely';
import type { Database } from './database.ts';
import type { PageEnd } from './page-end.ts';
import { storableText } from './storable-text.ts';
import type { BatchesTable } from './tables/batch-tables.ts';
import type { Tables } from './tables.ts';

export type BatchStatus =
  | 'validating'
  | 'failed'
  | 'in_progress'
  | 'finalizing'
  | 'completed'
  | 'expired'
  | 'cancelling'
  | 'cancelled';

export type FinalStatus = Extract<BatchStatus, 'completed' | 'failed' | 'expired' | 'cancelled'>;

export interface BatchFault {
  readonly code: string;
  readonly message: string;
  /** From 1; undefined: it is about the batch as a whole. */
  readonly line: number | undefined;
}

/** A batch. Times in milliseconds since the Unix epoch. */
export interface StoredBatch {
  readonly id: string;
  /** Its owner: a subject, or `team:NAME`. */
  readonly owner: string;
  readonly createdBy: string;
  /** JSON of whom its lines are run for. */
  readonly principalJson: string;
  /** Id of the gateway on whose disk the files are; empty: every gateway reads them. */
  readonly place: string;
  /** As it was written. */
  readonly endpoint: string;
  readonly inputFileId: string;
  readonly completionWindow: string;
  readonly metadataJson: string | undefined;
  readonly outputExpiresAfterMs: number | undefined;
  readonly status: BatchStatus;
  readonly endsAs: FinalStatus | undefined;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly inProgressAt: number | undefined;
  readonly cancellingAt: number | undefined;
  readonly finalizingAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
  readonly outputFileId: string | undefined;
  readonly errorFileId: string | undefined;
  readonly faults: readonly BatchFault[];
}

export interface BatchFilter {
  readonly owners: readonly string[];
  /** Id of the last batch of the page before. */
  readonly after: string | undefined;
  readonly limit: number;
}

/** The holder of a lease, and the instant until which nobody else may take it. */
export interface Lease {
  readonly by: string;
  readonly until: number;
}

export async function insertBatch(database: Database, batch: StoredBatch): Promise<void> {
  const row: Insertable<BatchesTable> = {
    id: batch.id,
    owner: batch.owner,
    created_by: batch.createdBy,
    principal: batch.principalJson,
    place: batch.place,
    endpoint: batch.endpoint,
    input_file_id: batch.inputFileId,
    completion_window: batch.completionWindow,
    metadata: batch.metadataJson === undefined ? null : storableText(batch.metadataJson),
    output_expires_after: batch.outputExpiresAfterMs ?? null,
    status: batch.status,
    created_at: batch.createdAt,
    expires_at: batch.expiresAt,
    total: 0,
    completed: 0,
    failed: 0,
    kept_until: 0,
  };
  await database.query.insertInto('batches').values(row).execute();
}

/** Undefined: there is none that these owners see. */
export async function findBatch(
  database: Database,
  id: string,
  owners: readonly string[],
): Promise<StoredBatch | undefined> {
  const row = await database.query
    .selectFrom('batches')
    .selectAll()
    .where('id', '=', id)
    .where('owner', 'in', owners)
    .executeTakeFirst();
  return row && batchOf(row);
}

/** The newest first; undefined: there is no batch `after`. */
export async function pageOfBatches(database: Database, filter: BatchFilter): Promise<StoredBatch[] | undefined> {
  const { owners, after, limit } = filter;
  let query = database.query.selectFrom('batches').selectAll().where('owner', 'in', owners);
  if (after !== undefined) {
    const last = await findBatch(database, after, owners);
    if (last === undefined) return undefined;
    query = query.where((where) =>
      where.or([
        where('created_at', '<', last.createdAt),
        where.and([where('created_at', '=', last.createdAt), where('id', '<', after)]),
      ]),
    );
  }
  const rows = await query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit).execute();
  return rows.map(batchOf);
}

/** The batches of all owners, the newest first. */
export async function allBatches(
  { query }: Database,
  after: PageEnd | undefined,
  limit: number,
): Promise<StoredBatch[]> {
  let rows = query.selectFrom('batches').selectAll();
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
  return found.map(batchOf);
}

/** Those that have not ended and whose files this gateway reads, the oldest first. */
export async function openBatches(database: Database, place: string): Promise<StoredBatch[]> {
  const rows = await database.query
    .selectFrom('batches')
    .selectAll()
    .where('ended_at', 'is', null)
    .where('place', 'in', ['', place])
    .orderBy('created_at')
    .execute();
  return rows.map(batchOf);
}

/** False: its status is none of these any more. */
export async function changeBatch(
  query: Kysely<Tables>,
  id: string,
  from: readonly BatchStatus[],
  change: Updateable<BatchesTable>,
): Promise<boolean> {
  const changed = await query
    .updateTable('batches')
    .set(change)
    .where('id', '=', id)
    .where('status', 'in', from)
    .executeTakeFirst();
  return changed.numUpdatedRows > 0n;
}

/** Nobody but `by` checks its lines or makes its files until then; false: somebody else does. */
export async function keepBatch(database: Database, id: string, { by, until }: Lease, now: number): Promise<boolean> {
  const kept = await database.query
    .updateTable('batches')
    .set({ kept_by: by, kept_until: until })
    .where('id', '=', id)
    .where('ended_at', 'is', null)
    .where((where) => where.or([where('kept_until', '<=', now), where('kept_by', '=', by)]))
    .executeTakeFirst();
  return kept.numUpdatedRows > 0n;
}

/** Whether a batch that has not ended reads this file. */
export async function isInput(database: Database, fileId: string): Promise<boolean> {
  const row = await database.query
    .selectFrom('batches')
    .select('id')
    .where('input_file_id', '=', fileId)
    .where('ended_at', 'is', null)
    .executeTakeFirst();
  return row !== undefined;
}

/** Ends the batches of a subject that is erased: what it is called goes, and nothing more is run for it. */
export async function eraseBatchesOf(
  query: Kysely<Tables>,
  subject: string,
  instead: string,
  now: number,
): Promise<void> {
  const own = await query
    .selectFrom('batches')
    .select(['id', 'ended_at'])
    .where((where) => where.or([where('owner', '=', subject), where('created_by', '=', subject)]))
    .execute();
  for (const { id, ended_at: endedAt } of own) {
    await query.deleteFrom('batch_result_blocks').where('batch_id', '=', id).execute();
    const erased = { created_by: instead, principal: '{}', metadata: null, faults: null };
    const ended = endedAt === null ? { status: 'cancelled', ended_at: now } : {};
    await query
      .updateTable('batches')
      .set({ ...erased, ...ended })
      .where('id', '=', id)
      .execute();
  }
  await query.updateTable('batches').set({ owner: instead }).where('owner', '=', subject).execute();
}

export function batchOf(row: Selectable<BatchesTable>): StoredBatch {
  return {
    id: row.id,
    owner: row.owner,
    createdBy: row.created_by,
    principalJson: row.principal,
    place: row.place,
    endpoint: row.endpoint,
    inputFileId: row.input_file_id,
    completionWindow: row.completion_window,
    metadataJson: row.metadata ?? undefined,
    outputExpiresAfterMs: row.output_expires_after ?? undefined,
    // Written by this file alone.
    status: row.status as BatchStatus,
    endsAs: (row.ends_as as FinalStatus | null) ?? undefined,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    inProgressAt: row.in_progress_at ?? undefined,
    cancellingAt: row.cancelling_at ?? undefined,
    finalizingAt: row.finalizing_at ?? undefined,
    endedAt: row.ended_at ?? undefined,
    total: row.total,
    completed: row.completed,
    failed: row.failed,
    outputFileId: row.output_file_id ?? undefined,
    errorFileId: row.error_file_id ?? undefined,
    faults: row.faults === null ? [] : (JSON.parse(row.faults) as BatchFault[]),
  };
}
