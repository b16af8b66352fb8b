import type { Insertable, Kysely, Selectable, Updateable } from 'kysely';
import type { Database, DatabaseTransaction } from './database.ts';
import { insertFile, type StoredFile } from './files.ts';
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

export const FINAL_STATUSES = ['completed', 'failed', 'expired', 'cancelled'] as const;
export type FinalStatus = (typeof FINAL_STATUSES)[number];

export interface BatchFault {
  readonly code: string;
  readonly message: string;
  /** From 1; undefined: it is about the batch as a whole. */
  readonly line: number | undefined;
}

/** What is known of a batch. Times in milliseconds since the Unix epoch. */
export interface StoredBatch {
  readonly id: string;
  /** Who sees it: a subject, or `team:NAME`. */
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

/** Lines [firstLine, firstLine + lines) of the input, which are its bytes [fromByte, toByte). */
export interface BatchPiece {
  readonly piece: number;
  readonly firstLine: number;
  readonly lines: number;
  readonly fromByte: number;
  readonly toByte: number;
}

export interface LineResult {
  /** From 0. */
  readonly line: number;
  readonly failed: boolean;
  /** A line of the output or of the error file, without its end. */
  readonly result: string;
}

/** Who may work at something, and until when nobody else may. */
export interface Lease {
  readonly by: string;
  readonly until: number;
}

/** So many rows at once: a transaction of the ledger waits no longer than that. */
const PAGE = 500;
/** As the configuration allows. */
const MAX_THREADS = 256;

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

/** Its lines are in order and cut into pieces: they may be run. False: it was cancelled meanwhile. */
export function beginBatch(
  database: Database,
  id: string,
  pieces: readonly BatchPiece[],
  now: number,
): Promise<boolean> {
  const total = pieces.reduce((sum, { lines }) => sum + lines, 0);
  return database.write(async (transaction) => {
    const began = await changeBatch(transaction.query, id, ['validating'], {
      status: 'in_progress',
      in_progress_at: now,
      total,
    });
    if (!began) return false;
    await transaction.insertNew(
      'batch_pieces',
      ['batch_id', 'piece', 'first_line', 'lines', 'from_byte', 'to_byte', 'done', 'kept_until'],
      pieces.map(({ piece, firstLine, lines, fromByte, toByte }) => [
        id,
        piece,
        firstLine,
        lines,
        fromByte,
        toByte,
        0,
        0,
      ]),
    );
    return true;
  });
}

export interface ClaimedPiece extends BatchPiece {
  readonly batch: StoredBatch;
  /** Lines that have their results already. */
  readonly doneLines: readonly number[];
}

/**
 * The next piece that nobody runs, of all batches the one that is the least far: a short batch does not wait for a long one.
 * Undefined: there is none.
 */
export function claimPiece(
  database: Database,
  place: string,
  { by, until }: Lease,
  now: number,
): Promise<ClaimedPiece | undefined> {
  return database.write(async ({ query }) => {
    let free = query
      .selectFrom('batch_pieces')
      .innerJoin('batches', 'batches.id', 'batch_pieces.batch_id')
      .select(['batch_id', 'piece', 'first_line', 'lines', 'from_byte', 'to_byte'])
      .where('done', '=', 0)
      .where('batch_pieces.kept_until', '<=', now)
      .where('batches.status', '=', 'in_progress')
      .where('batches.expires_at', '>', now)
      .where('batches.place', 'in', ['', place])
      .orderBy('piece')
      .orderBy('batches.created_at')
      .limit(1);
    // Several gateways claim at once: each takes another one.
    if (database.engine === 'postgres') free = free.forUpdate('batch_pieces').skipLocked();
    const found = await free.executeTakeFirst();
    if (found === undefined) return undefined;
    const { batch_id: id, piece } = found;
    await query
      .updateTable('batch_pieces')
      .set({ kept_by: by, kept_until: until })
      .where('batch_id', '=', id)
      .where('piece', '=', piece)
      .execute();
    const batch = await query.selectFrom('batches').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
    const done = await query
      .selectFrom('batch_results')
      .select('line')
      .where('batch_id', '=', id)
      .where('line', '>=', found.first_line)
      .where('line', '<', found.first_line + found.lines)
      .execute();
    return {
      batch: batchOf(batch),
      piece,
      firstLine: found.first_line,
      lines: found.lines,
      fromByte: found.from_byte,
      toByte: found.to_byte,
      doneLines: done.map(({ line }) => line),
    };
  });
}

export interface PieceProgress {
  readonly batchId: string;
  readonly piece: number;
  readonly results: readonly LineResult[];
  /** `runs`: more will come. `done`: each line has its result. `left`: whoever wants may run the rest. */
  readonly state: 'runs' | 'done' | 'left';
}

/**
 * Keeps results of lines, each once whoever brings it, and the lease of their piece. False: nothing more of this piece is
 * to be run, since its batch was cancelled, has expired or ended, or another one runs it.
 */
export function advancePiece(
  database: Database,
  { batchId, piece, results, state }: PieceProgress,
  { by, until }: Lease,
  now: number,
): Promise<boolean> {
  return database.write(async (transaction) => {
    const { query } = transaction;
    const status = await statusForResults(database, transaction, batchId);
    if (status === undefined || status.finalizing_at !== null || status.ended_at !== null) return false;
    let completed = 0;
    let failed = 0;
    for (const { line, failed: hasFailed, result } of results) {
      const row = [batchId, line, hasFailed ? 1 : 0, storableText(result)];
      const added = await transaction.insertNew('batch_results', ['batch_id', 'line', 'failed', 'result'], [row]);
      if (hasFailed) failed += added;
      else completed += added;
    }
    if (completed + failed > 0) {
      await query
        .updateTable('batches')
        .set((set) => ({ completed: set('completed', '+', completed), failed: set('failed', '+', failed) }))
        .where('id', '=', batchId)
        .execute();
    }
    const own = query.updateTable('batch_pieces').where('batch_id', '=', batchId).where('piece', '=', piece);
    if (state === 'done') {
      // Whoever ran it last. A line without a result would be lost.
      const done = (await hasAllResults(transaction, batchId, piece)) ? 1 : 0;
      await own.set({ done, kept_by: null, kept_until: 0 }).execute();
      return true;
    }
    const kept = await own
      .where('kept_by', '=', by)
      .set(state === 'left' ? { kept_by: null, kept_until: 0 } : { kept_until: until })
      .executeTakeFirst();
    return kept.numUpdatedRows > 0n && status.status === 'in_progress' && status.expires_at > now;
  });
}

async function hasAllResults({ query }: DatabaseTransaction, batchId: string, piece: number): Promise<boolean> {
  const { first_line: first, lines } = await query
    .selectFrom('batch_pieces')
    .select(['first_line', 'lines'])
    .where('batch_id', '=', batchId)
    .where('piece', '=', piece)
    .executeTakeFirstOrThrow();
  const { count } = await query
    .selectFrom('batch_results')
    .select((select) => select.fn.countAll().as('count'))
    .where('batch_id', '=', batchId)
    .where('line', '>=', first)
    .where('line', '<', first + lines)
    .executeTakeFirstOrThrow();
  return Number(count) === lines;
}

const STATUS_COLUMNS = ['status', 'expires_at', 'finalizing_at', 'ended_at'] as const;

function statusForResults(
  { engine }: Database,
  { query }: DatabaseTransaction,
  id: string,
): Promise<Pick<Selectable<BatchesTable>, (typeof STATUS_COLUMNS)[number]> | undefined> {
  const row = query.selectFrom('batches').select(STATUS_COLUMNS).where('id', '=', id);
  // Its files are not begun while results are being written.
  return (engine === 'postgres' ? row.forUpdate() : row).executeTakeFirst();
}

/** Of one thread of a gateway. */
export function keeperOf(gateway: string, thread: number): string {
  return `${gateway}:${thread}`;
}

/** What a dead thread ran may be run by others at once; undefined: all threads of that gateway are dead. */
export async function leavePieces(database: Database, gateway: string, thread: number | undefined): Promise<void> {
  const threads = thread === undefined ? Array.from({ length: MAX_THREADS }, (_, index) => index) : [thread];
  await database.query
    .updateTable('batch_pieces')
    .set({ kept_by: null, kept_until: 0 })
    .where(
      'kept_by',
      'in',
      threads.map((each) => keeperOf(gateway, each)),
    )
    .execute();
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

export interface BatchFiles {
  readonly output: StoredFile | undefined;
  readonly error: StoredFile | undefined;
  /** Lines of the error file. */
  readonly failed: number;
}

/** Rows of its files, once: whoever goes on after a crash finds their ids. False: another one makes them. */
export function keepFiles(
  database: Database,
  id: string,
  by: string,
  { output, error, failed }: BatchFiles,
): Promise<boolean> {
  return database.write(async ({ query }) => {
    const kept = await query
      .updateTable('batches')
      .set({ failed, output_file_id: output?.id ?? null, error_file_id: error?.id ?? null })
      .where('id', '=', id)
      .where('ended_at', 'is', null)
      .where('output_file_id', 'is', null)
      .where('error_file_id', 'is', null)
      .where('kept_by', '=', by)
      .executeTakeFirst();
    if (kept.numUpdatedRows === 0n) return false;
    for (const file of [output, error]) if (file) await insertFile({ query }, file);
    return true;
  });
}

/** `open`: pieces without all their results; `run`: those of them that somebody runs. */
export async function piecesOf(database: Database, id: string, now: number): Promise<{ open: number; run: number }> {
  const rows = await database.query
    .selectFrom('batch_pieces')
    .select(['kept_until'])
    .where('batch_id', '=', id)
    .where('done', '=', 0)
    .execute();
  return { open: rows.length, run: rows.filter(({ kept_until: until }) => until > now).length };
}

/** In the order of lines, from one on. */
export async function resultsOf(database: Database, id: string, fromLine: number): Promise<LineResult[]> {
  const rows = await database.query
    .selectFrom('batch_results')
    .select(['line', 'failed', 'result'])
    .where('batch_id', '=', id)
    .where('line', '>=', fromLine)
    .orderBy('line')
    .limit(PAGE)
    .execute();
  return rows.map(({ line, failed, result }) => ({ line, failed: failed === 1, result }));
}

/** What of ended batches is needed no more. */
export async function forgetLines(database: Database): Promise<void> {
  const ended = await database.query
    .selectFrom('batches')
    .innerJoin('batch_pieces', 'batch_pieces.batch_id', 'batches.id')
    .select('id')
    .distinct()
    .where('ended_at', 'is not', null)
    .execute();
  for (const { id } of ended) {
    for (;;) {
      const rows = await database.query
        .selectFrom('batch_results')
        .select('line')
        .where('batch_id', '=', id)
        .orderBy('line')
        .limit(PAGE)
        .execute();
      const last = rows.at(-1);
      if (last === undefined) break;
      await database.query
        .deleteFrom('batch_results')
        .where('batch_id', '=', id)
        .where('line', '<=', last.line)
        .execute();
    }
    // The last: they say that there is something to forget.
    await database.query.deleteFrom('batch_pieces').where('batch_id', '=', id).execute();
  }
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
    await query.deleteFrom('batch_results').where('batch_id', '=', id).execute();
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

function batchOf(row: Selectable<BatchesTable>): StoredBatch {
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
