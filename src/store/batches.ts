import { type Insertable, type Kysely, type Selectable, sql, type Updateable } from 'kysely';
import type { Database, DatabaseTransaction } from './database.ts';
import { insertFile, type StoredFile } from './files.ts';
import type { PageEnd } from './page-end.ts';
import { type LineResult, type ResultBlock, resultBlock, resultsIn } from './result-block.ts';
import { storableText } from './storable-text.ts';
import type { BatchesTable, BatchPiecesTable } from './tables/batch-tables.ts';
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

/** Who may work at something, and until when nobody else may. */
export interface Lease {
  readonly by: string;
  readonly until: number;
}

/** So many blocks of results are forgotten at once: a transaction of the ledger waits no longer than that. */
const PAGE = 50;
/** A lease is made longer when it would be by so much: each time it costs a page of an index. */
const RENEW_MS = 3_000;
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

/** Of all owners, the newest first. */
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
async function claimPiece(
  { engine }: Database,
  { query }: DatabaseTransaction,
  place: string,
  { by, until }: Lease,
  now: number,
): Promise<ClaimedPiece | undefined> {
  let free = query
    .selectFrom('batch_pieces')
    .innerJoin('batches', 'batches.id', 'batch_pieces.batch_id')
    .selectAll('batches')
    .select(['piece', 'first_line', 'lines', 'from_byte', 'to_byte', 'answered'])
    .where('done', '=', 0)
    .where('batch_pieces.kept_until', '<=', now)
    .where('batches.status', '=', 'in_progress')
    .where('batches.expires_at', '>', now)
    .where('batches.place', 'in', ['', place])
    .orderBy('piece')
    .orderBy('batches.created_at')
    .limit(1);
  // Several gateways claim at once: each takes another one.
  if (engine === 'postgres') free = free.forUpdate('batch_pieces').skipLocked();
  const found = await free.executeTakeFirst();
  if (found === undefined) return undefined;
  const { id, piece, first_line: firstLine, lines, from_byte: fromByte, to_byte: toByte, answered } = found;
  await query
    .updateTable('batch_pieces')
    .set({ kept_by: by, kept_until: until })
    .where('batch_id', '=', id)
    .where('piece', '=', piece)
    .execute();
  const doneLines: number[] = [];
  for (let at = 0; at < lines; at += 1) if (isAnswered(answered, at)) doneLines.push(firstLine + at);
  return { batch: batchOf(found), piece, firstLine, lines, fromByte, toByte, doneLines };
}

export interface PieceProgress {
  readonly batchId: string;
  readonly piece: number;
  /** New results; undefined: there are none. */
  readonly results: ResultBlock | undefined;
  /** `runs`: more will come. `done`: each line has its result. `left`: whoever wants may run the rest. */
  readonly state: 'runs' | 'done' | 'left';
}

/** What one thread did, and what it takes on, in one transaction: each is a commit, which costs more than many lines. */
export interface AdvancedPieces {
  /** One a piece, in the order in which they were named. */
  readonly goOn: readonly boolean[];
  readonly claimed: ClaimedPiece | undefined;
}

/**
 * Keeps results of lines, each once whoever brings it, and the leases of their pieces. `goOn` is false: nothing more of
 * that piece is to be run, since its batch was cancelled, has expired or ended, or another one runs it. `claims`: the place
 * whose next piece is claimed; undefined: none is.
 */
export function advancePieces(
  database: Database,
  progresses: readonly PieceProgress[],
  claims: string | undefined,
  lease: Lease,
  now: number,
): Promise<AdvancedPieces> {
  return database.write(async (transaction) => {
    const batches = await statesForResults(database, transaction, [...new Set(progresses.map(batchIdOf))].sort());
    const goOn: boolean[] = [];
    for (const progress of progresses) {
      const batch = batches.get(progress.batchId);
      goOn.push(batch !== undefined && (await advancePiece(transaction, progress, batch, lease, now)));
    }
    for (const [id, { completed, failed }] of batches) {
      if (completed + failed === 0) continue;
      await sql`
        update batches set completed = completed + ${completed}, failed = failed + ${failed} where id = ${id}
      `.execute(transaction.query);
    }
    const claimed = claims === undefined ? undefined : await claimPiece(database, transaction, claims, lease, now);
    return { goOn, claimed };
  });
}

type KeptPiece = Pick<BatchPiecesTable, 'first_line' | 'lines' | 'answered' | 'done' | 'kept_by' | 'kept_until'>;

/** Its queries are written out: building them anew for each message cost as much as running them (load: batch-10k). */
async function advancePiece(
  { query }: DatabaseTransaction,
  { batchId, piece, results, state }: PieceProgress,
  batch: BatchState,
  { by, until }: Lease,
  now: number,
): Promise<boolean> {
  const { rows } = await sql<KeptPiece>`
    select first_line, lines, answered, done, kept_by, kept_until from batch_pieces
    where batch_id = ${batchId} and piece = ${piece}
  `.execute(query);
  const [kept] = rows;
  if (kept === undefined) return false;
  const answered = Buffer.alloc(Math.ceil(kept.lines / 8));
  if (kept.answered) answered.set(kept.answered);
  const block = results && newResults(results, answered, kept);
  if (block !== undefined) {
    const { index, bytes } = block;
    await sql`
      insert into batch_result_blocks (batch_id, line, result_index, results)
      values (${batchId}, ${lowestLine(index)}, ${JSON.stringify(index)}, ${bytes})
    `.execute(query);
    for (let entry = 1; entry < index.length; entry += 3) {
      if (index[entry] === 1) batch.failed += 1;
      else batch.completed += 1;
    }
  }
  const isOwn = kept.kept_by === by;
  // Whoever ran it last. A line without a result would be lost.
  const isDone = state === 'done' && allAnswered(answered, kept.lines);
  const isFree = state === 'done' || (isOwn && state === 'left');
  const isRenewed = isOwn && state === 'runs' && until - kept.kept_until > RENEW_MS;
  if (block !== undefined || isFree || isRenewed) {
    const change = {
      answered: block === undefined ? kept.answered : answered,
      done: state === 'done' ? Number(isDone) : kept.done,
      kept_by: isFree ? null : kept.kept_by,
      kept_until: isFree ? 0 : isRenewed ? until : kept.kept_until,
    };
    await sql`
      update batch_pieces
      set answered = ${change.answered}, done = ${change.done}, kept_by = ${change.kept_by}, kept_until = ${change.kept_until}
      where batch_id = ${batchId} and piece = ${piece}
    `.execute(query);
  }
  return state === 'done' || (isOwn && batch.status === 'in_progress' && batch.expiresAt > now);
}

/** What of a block is new, which it usually is as a whole; marked as answered. Undefined: nothing. */
function newResults(
  block: ResultBlock,
  answered: Buffer,
  { first_line: first, lines }: Pick<BatchPiecesTable, 'first_line' | 'lines'>,
): ResultBlock | undefined {
  let left = 0;
  const isNew = ({ line }: LineResult): boolean => {
    const at = line - first;
    if (at < 0 || at >= lines || isAnswered(answered, at)) {
      left += 1;
      return false;
    }
    answered[at >> 3]! |= 1 << (at & 7);
    return true;
  };
  const fresh = resultsIn(block).filter(isNew);
  if (fresh.length === 0) return undefined;
  return left === 0 ? block : resultBlock(fresh);
}

function isAnswered(answered: Uint8Array | null, at: number): boolean {
  return ((answered?.[at >> 3] ?? 0) & (1 << (at & 7))) !== 0;
}

function allAnswered(answered: Uint8Array, lines: number): boolean {
  for (let at = 0; at < lines; at += 1) if (!isAnswered(answered, at)) return false;
  return true;
}

function lowestLine(index: readonly number[]): number {
  let lowest = index[0]!;
  for (let entry = 3; entry < index.length; entry += 3) lowest = Math.min(lowest, index[entry]!);
  return lowest;
}

function batchIdOf({ batchId }: PieceProgress): string {
  return batchId;
}

/** Of a batch that takes results, and how many of them came with this transaction. */
interface BatchState {
  readonly status: string;
  readonly expiresAt: number;
  completed: number;
  failed: number;
}

async function statesForResults(
  { engine }: Database,
  { query }: DatabaseTransaction,
  ids: readonly string[],
): Promise<Map<string, BatchState>> {
  if (ids.length === 0) return new Map();
  const rows = query
    .selectFrom('batches')
    .select(['id', 'status', 'expires_at'])
    .where('id', 'in', ids)
    .where('finalizing_at', 'is', null)
    .where('ended_at', 'is', null)
    // Several gateways lock several of them: all in the same order.
    .orderBy('id');
  // Its files are not begun while results are being written.
  const found = await (engine === 'postgres' ? rows.forUpdate() : rows).execute();
  return new Map(
    found.map(({ id, status, expires_at: expiresAt }) => [id, { status, expiresAt, completed: 0, failed: 0 }]),
  );
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
  const count = await database.query
    .selectFrom('batch_pieces')
    .select((select) => [
      select.fn.countAll().as('open'),
      select.fn.countAll().filterWhere('kept_until', '>', now).as('run'),
    ])
    .where('batch_id', '=', id)
    .where('done', '=', 0)
    .executeTakeFirstOrThrow();
  return { open: Number(count.open), run: Number(count.run) };
}

export interface ResultPage {
  readonly piece: number;
  /** In the order of their lines. */
  readonly results: readonly LineResult[];
}

/** The results of a piece, or of the next one behind it; undefined: there is none. */
export async function resultPage(database: Database, id: string, fromPiece: number): Promise<ResultPage | undefined> {
  const found = await database.query
    .selectFrom('batch_pieces')
    .select(['piece', 'first_line', 'lines'])
    .where('batch_id', '=', id)
    .where('piece', '>=', fromPiece)
    .orderBy('piece')
    .limit(1)
    .executeTakeFirst();
  if (found === undefined) return undefined;
  const { piece, first_line: firstLine, lines } = found;
  const blocks = await database.query
    .selectFrom('batch_result_blocks')
    .select(['result_index', 'results'])
    .where('batch_id', '=', id)
    .where('line', '>=', firstLine)
    .where('line', '<', firstLine + lines)
    .execute();
  const results = blocks.flatMap(({ result_index: index, results: bytes }) =>
    // Written by this file alone.
    resultsIn({ index: JSON.parse(index) as number[], bytes }),
  );
  return { piece, results: results.sort((one, other) => one.line - other.line) };
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
        .selectFrom('batch_result_blocks')
        .select('line')
        .where('batch_id', '=', id)
        .orderBy('line')
        .limit(PAGE)
        .execute();
      const last = rows.at(-1);
      if (last === undefined) break;
      await database.query
        .deleteFrom('batch_result_blocks')
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
