import type { Database, DatabaseTransaction } from '../store/database.ts';
import type { LedgerRowsTable } from '../store/tables/ledger-tables.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';
import { type ChainHead, readHead } from './chain-head.ts';
import { chainPosition } from './chain-position.ts';
import { LabelBook, type Labels } from './labels.ts';
import type { LedgerHook } from './ledger-hook.ts';
import { PriceTables } from './price-tables.ts';
import { Rollup, USAGE_KEYS, USAGE_SUMS } from './rollup.ts';
import { detailOf } from './row-detail.ts';
import { rowHash } from './row-hash.ts';
import { numbersOf } from './row-numbers.ts';

export interface LedgerWriterOptions {
  readonly database: Database;
  /** Whose chain it is. */
  readonly gatewayId: string;
  readonly metadataKeys: readonly string[];
  readonly hooks: readonly LedgerHook[];
}

/** The first names a row for `insertNew`. */
const ROW_COLUMNS = [
  'id',
  'position',
  'labels',
  'started_at',
  'ended_at',
  'status',
  'input_tokens',
  'output_tokens',
  'cost_nano_usd',
  'numbers',
  'detail',
  'hash',
] as const;
const LABEL_COLUMNS = [
  'labels',
  'series',
  'method',
  'path',
  'stream',
  'outcome',
  'error_code',
  'usage_source',
  'price_table',
  'price_version',
  'rules',
  'charges',
] as const;
const SERIES_COLUMNS = ['series', 'subject', 'key_id', 'teams', 'model', 'target', 'provider', 'metadata'] as const;
/** Beyond it a batch would wait for another process that moves the head again and again. */
const MOST_TRIES = 10;
const MOST_STORED = 50_000;

interface Batch {
  readonly records: readonly ExchangeRecord[];
  readonly rows: LedgerRowsTable[];
  readonly labels: ReadonlySet<Labels>;
  readonly rollup: Rollup;
  readonly head: ChainHead;
}

/**
 * Writes batches of records: rows, chain, rollups and what hooks keep, in one transaction, so that they never differ. A
 * record whose row is there already changes nothing. One batch at a time: each begins at the head that the last one left.
 */
export class LedgerWriter {
  readonly #o: LedgerWriterOptions;
  readonly #prices = new PriceTables();
  #book: LabelBook;
  #head: ChainHead | undefined;
  /** Hashes of labels that are in the database for certain, and their series with them. */
  #storedLabels = new Set<string>();
  /** A commit whose answer was lost: it may have happened all the same. */
  #unsure: Batch | undefined;

  constructor(options: LedgerWriterOptions) {
    this.#o = options;
    this.#book = new LabelBook(this.#prices, options.metadataKeys);
  }

  /** The keys of metadata that are kept from now on. */
  keepMetadata(keys: readonly string[]): void {
    this.#book = new LabelBook(this.#prices, keys);
  }

  /** How many rows were new. Throws what the database throws: then nothing was written, or it will be found so. */
  async write(records: readonly ExchangeRecord[]): Promise<number> {
    let left = records;
    for (let tries = 0; tries < MOST_TRIES && left.length > 0; tries += 1) {
      this.#head ??= await readHead(this.#o.database, this.#o.gatewayId);
      if (this.#unsure?.head.hash === this.#head.hash && this.#unsure.records === left) {
        this.#committed(this.#unsure);
        return left.length;
      }
      const batch = this.#batch(left, this.#head);
      const outcome = await this.#commit(batch);
      if (outcome === 'written') {
        this.#committed(batch);
        return left.length;
      }
      // Somebody else wrote to this chain, or rows are there already: both are asked for, and it is made anew.
      this.#head = undefined;
      if (outcome === 'doubles') left = await this.#withoutKnown(left);
    }
    if (left.length > 0) throw new Error('another process keeps writing to the chain of this gateway');
    return 0;
  }

  async #commit(batch: Batch): Promise<'written' | 'doubles' | 'head-moved'> {
    try {
      await this.#o.database.write((transaction) => this.#write(batch, transaction));
      return 'written';
    } catch (error) {
      if (error instanceof NotWritten) return error.why;
      this.#unsure = batch;
      this.#head = undefined;
      throw error;
    }
  }

  async #write({ records, rows, labels, rollup, head }: Batch, transaction: DatabaseTransaction): Promise<void> {
    // First, since it locks: two processes that write to one chain do it one after the other.
    const before = this.#head!;
    const moved = await transaction.query
      .updateTable('ledger_chains')
      .set({ head_seq: head.seq, head_hash: head.hash })
      .where('gateway', '=', this.#o.gatewayId)
      .where('head_seq', '=', before.seq)
      .where('head_hash', '=', before.hash)
      .executeTakeFirst();
    if (moved.numUpdatedRows !== 1n) throw new NotWritten('head-moved');
    const added = await transaction.insertNew('ledger_rows', ROW_COLUMNS, rows);
    if (added.length < rows.length) throw new NotWritten('doubles');
    const unstored = [...labels].filter(({ row }) => !this.#storedLabels.has(row.labels));
    if (unstored.length > 0) {
      const series = new Set(unstored.map((each) => each.series));
      await transaction.insertNew('ledger_series', SERIES_COLUMNS, [...series]);
      await transaction.insertNew(
        'ledger_labels',
        LABEL_COLUMNS,
        unstored.map(({ row }) => row),
      );
    }
    await this.#prices.store(transaction);
    await transaction.addUp('usage_hourly', USAGE_KEYS, USAGE_SUMS, rollup.hourly());
    await transaction.addUp('usage_daily', USAGE_KEYS, USAGE_SUMS, rollup.daily());
    for (const hook of this.#o.hooks) await hook.onRows(records, transaction);
  }

  #committed(batch: Batch): void {
    this.#head = batch.head;
    this.#unsure = undefined;
    this.#prices.stored();
    if (this.#storedLabels.size > MOST_STORED) this.#storedLabels = new Set();
    for (const { row } of batch.labels) this.#storedLabels.add(row.labels);
    for (const hook of this.#o.hooks) hook.onCommitted(batch.records);
  }

  #batch(records: readonly ExchangeRecord[], from: ChainHead): Batch {
    const rows: LedgerRowsTable[] = [];
    const seen = new Set<Labels>();
    const rollup = new Rollup();
    let { seq, hash } = from;
    for (const record of records) {
      const labels = this.#book.of(record);
      seen.add(labels);
      seq += 1;
      const endedAt = Math.floor(record.startedAt + record.durationMs);
      const { usage } = record;
      const row: LedgerRowsTable = {
        position: chainPosition(from.chain, seq),
        id: record.id,
        labels: labels.row.labels,
        started_at: Math.floor(record.startedAt),
        ended_at: endedAt,
        status: record.status,
        input_tokens: whole(usage?.inputTokens),
        output_tokens: whole(usage?.outputTokens),
        cost_nano_usd: whole(record.costNanoUsd),
        numbers: numbersOf(record),
        detail: detailOf(record),
        hash: '',
      };
      hash = rowHash(hash, row);
      row.hash = hash;
      rows.push(row);
      rollup.add(record, labels.series, endedAt);
    }
    return { records, rows, labels: seen, rollup, head: { chain: from.chain, seq, hash } };
  }

  async #withoutKnown(records: readonly ExchangeRecord[]): Promise<ExchangeRecord[]> {
    const known = await this.#o.database.query
      .selectFrom('ledger_rows')
      .select('id')
      .where(
        'id',
        'in',
        records.map((record) => record.id),
      )
      .execute();
    const ids = new Set(known.map((row) => row.id));
    const left: ExchangeRecord[] = [];
    for (const record of records) {
      if (ids.has(record.id)) continue;
      ids.add(record.id);
      left.push(record);
    }
    return left;
  }
}

/** Rolls the transaction back, and says why it has to be made anew. */
class NotWritten extends Error {
  readonly why: 'doubles' | 'head-moved';

  constructor(why: 'doubles' | 'head-moved') {
    super(why);
    this.why = why;
  }
}

/** The columns are whole numbers; a provider that counts in fractions is no reason to lose a row. */
function whole(count: number | undefined): number | null {
  if (count === undefined) return null;
  const rounded = Math.round(count);
  return Number.isSafeInteger(rounded) ? rounded : null;
}
