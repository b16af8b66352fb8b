import type { Selectable } from 'kysely';
import { batchOf, changeBatch, type Lease, type StoredBatch } from './batches.ts';
import type { Database } from './database.ts';
import type { StatementRunner } from './database-engine.ts';
import { FixedStatement } from './fixed-statement.ts';
import { type LineResult, type ResultBlock, resultBlock, resultsIn } from './result-block.ts';
import type { BatchesTable, BatchPiecesTable } from './tables/batch-tables.ts';

/** Lines [firstLine, firstLine + lines) of the input, which are its bytes [fromByte, toByte). */
export interface BatchPiece {
  readonly piece: number;
  readonly firstLine: number;
  readonly lines: number;
  readonly fromByte: number;
  readonly toByte: number;
}

/** A lease is made longer when it would be by so much: each time it costs a page of an index. */
const RENEW_MS = 3_000;
/** As the configuration allows. */
const MAX_THREADS = 256;

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
  { run }: StatementRunner,
  place: string,
  { by, until }: Lease,
  now: number,
): Promise<ClaimedPiece | undefined> {
  const [found] = await run(FREE_PIECE, [now, now, place]);
  if (found === undefined) return undefined;
  const { id, piece, first_line: firstLine, lines, from_byte: fromByte, to_byte: toByte, answered } = found;
  await run(CLAIM_PIECE, [by, until, id, piece]);
  const doneLines: number[] = [];
  for (let at = 0; at < lines; at += 1) if (isAnswered(answered, at)) doneLines.push(firstLine + at);
  return { batch: batchOf(found), piece, firstLine, lines, fromByte, toByte, doneLines };
}

type FreePiece = Selectable<BatchesTable> &
  Pick<BatchPiecesTable, 'piece' | 'first_line' | 'lines' | 'from_byte' | 'to_byte' | 'answered'>;

const FREE_PIECE = new FixedStatement<FreePiece>(
  `select batches.*, piece, first_line, lines, from_byte, to_byte, answered
   from batch_pieces inner join batches on batches.id = batch_pieces.batch_id
   where done = 0 and batch_pieces.kept_until <= ? and batches.status = 'in_progress' and batches.expires_at > ?
     and batches.place in ('', ?)
   order by piece, batches.created_at limit 1`,
  // Several gateways claim at once: each takes another one.
  'for update of batch_pieces skip locked',
);
const CLAIM_PIECE = new FixedStatement(
  'update batch_pieces set kept_by = ?, kept_until = ? where batch_id = ? and piece = ?',
);

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
  return database.writeSoon(async (rows) => {
    const batches = await statesForResults(rows, [...new Set(progresses.map(batchIdOf))].sort());
    const goOn: boolean[] = [];
    for (const progress of progresses) {
      const batch = batches.get(progress.batchId);
      goOn.push(batch !== undefined && (await advancePiece(rows, progress, batch, lease, now)));
    }
    for (const [id, { completed, failed }] of batches) {
      if (completed + failed > 0) await rows.run(COUNT_RESULTS, [completed, failed, id]);
    }
    const claimed = claims === undefined ? undefined : await claimPiece(rows, claims, lease, now);
    return { goOn, claimed };
  });
}

type KeptPiece = Pick<BatchPiecesTable, 'first_line' | 'lines' | 'answered' | 'done' | 'kept_by' | 'kept_until'>;

const FIND_PIECE = new FixedStatement<KeptPiece>(
  'select first_line, lines, answered, done, kept_by, kept_until from batch_pieces where batch_id = ? and piece = ?',
);
const KEEP_RESULTS = new FixedStatement(
  'insert into batch_result_blocks (batch_id, line, result_index, results) values (?, ?, ?, ?)',
);
const CHANGE_PIECE = new FixedStatement(
  'update batch_pieces set answered = ?, done = ?, kept_by = ?, kept_until = ? where batch_id = ? and piece = ?',
);
const COUNT_RESULTS = new FixedStatement(
  'update batches set completed = completed + ?, failed = failed + ? where id = ?',
);
/** Its files are not begun while results are being written. */
const FIND_STATE = new FixedStatement<Pick<BatchesTable, 'status' | 'expires_at'>>(
  'select status, expires_at from batches where id = ? and finalizing_at is null and ended_at is null',
  'for update',
);

async function advancePiece(
  { run }: StatementRunner,
  { batchId, piece, results, state }: PieceProgress,
  batch: BatchState,
  { by, until }: Lease,
  now: number,
): Promise<boolean> {
  const [kept] = await run(FIND_PIECE, [batchId, piece]);
  if (kept === undefined) return false;
  const answered = Buffer.alloc(Math.ceil(kept.lines / 8));
  if (kept.answered) answered.set(kept.answered);
  const block = results && newResults(results, answered, kept);
  if (block !== undefined) {
    const { index, bytes } = block;
    await run(KEEP_RESULTS, [batchId, lowestLine(index), `[${index.join()}]`, bytes]);
    for (let entry = 1; entry < index.length; entry += 3) {
      if (index[entry] === 1) batch.failed += 1;
      else batch.completed += 1;
    }
  }
  const isOwn = kept.kept_by === by;
  // The gateway that ran it last. A line without a result would be lost.
  const isDone = state === 'done' && allAnswered(answered, kept.lines);
  const isFree = state === 'done' || (isOwn && state === 'left');
  const isRenewed = isOwn && state === 'runs' && until - kept.kept_until > RENEW_MS;
  if (block !== undefined || isFree || isRenewed) {
    const done = state === 'done' ? Number(isDone) : kept.done;
    const keptBy = isFree ? null : kept.kept_by;
    const keptUntil = isFree ? 0 : isRenewed ? until : kept.kept_until;
    await run(CHANGE_PIECE, [block === undefined ? kept.answered : answered, done, keptBy, keptUntil, batchId, piece]);
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

function lowestLine(index: ArrayLike<number>): number {
  let lowest = index[0]!;
  for (let entry = 3; entry < index.length; entry += 3) lowest = Math.min(lowest, index[entry]!);
  return lowest;
}

function batchIdOf({ batchId }: PieceProgress): string {
  return batchId;
}

/** The state of a batch that takes results, and how many of them came with this transaction. */
interface BatchState {
  readonly status: string;
  readonly expiresAt: number;
  completed: number;
  failed: number;
}

/** `ids`: sorted, since several gateways lock several of them, and all in the same order. */
async function statesForResults({ run }: StatementRunner, ids: readonly string[]): Promise<Map<string, BatchState>> {
  const states = new Map<string, BatchState>();
  for (const id of ids) {
    const [found] = await run(FIND_STATE, [id]);
    if (found === undefined) continue;
    states.set(id, { status: found.status, expiresAt: found.expires_at, completed: 0, failed: 0 });
  }
  return states;
}

/** The keeper is one thread of a gateway. */
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
