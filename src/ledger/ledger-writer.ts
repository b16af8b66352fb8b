import type { Database, DatabaseTransaction } from '../store/database.ts';
import { allColumns, type RowValues, rowValues } from '../store/row-values.ts';
import type { LedgerLabelsTable, LedgerRowsTable, LedgerSeriesTable } from '../store/tables/ledger-tables.ts';
import { type ExchangeRecord, keptRecord, type RecordView } from '../telemetry/exchange-record.ts';
import { type ChainHead, readHead } from './chain-head.ts';
import { chainPosition } from './chain-position.ts';
import { LabelBook, type Labels } from './labels.ts';
import type { LedgerHook, LedgerSums } from './ledger-hook.ts';
import { PriceTables } from './price-tables.ts';
import { COUNTER_KEYS, COUNTER_SUMS, Rollup, USAGE_KEYS, USAGE_SUMS, type UsageAdditions } from './rollup.ts';
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

const USAGE_COLUMNS = [...USAGE_KEYS, ...USAGE_SUMS];
const COUNTER_COLUMNS = [...COUNTER_KEYS, ...COUNTER_SUMS];
const ROW_COLUMNS = allColumns<LedgerRowsTable>()([
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
]);
const LABEL_COLUMNS = allColumns<LedgerLabelsTable>()([
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
]);
const SERIES_COLUMNS = allColumns<LedgerSeriesTable>()([
  'series',
  'subject',
  'key_id',
  'teams',
  'model',
  'target',
  'provider',
  'metadata',
]);
/** Beyond it a batch would wait for another process that moves the head again and again. */
const MOST_TRIES = 10;
const MOST_STORED = 50_000;
/** Rows made and handed to the database at once: few enough to be forgotten before garbage is collected the next time. */
const ROWS_AT_ONCE = 512;

/** One try to write some records: what is known of them once they all passed. */
class Batch {
  readonly records: Iterable<RecordView>;
  readonly rollup = new Rollup();
  readonly labels = new Set<Labels>();
  readonly sums: readonly LedgerSums[];
  /** Behind the rows so far. */
  head: ChainHead;
  rows = 0;
  /** All was written but for the commit. */
  whole = false;

  constructor(records: Iterable<RecordView>, head: ChainHead, hooks: readonly LedgerHook[]) {
    this.records = records;
    this.head = head;
    this.sums = hooks.map((hook) => hook.begin());
  }
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

  /**
   * How many rows were new. Throws what the database throws: then nothing was written, or it will be found so where the
   * very same `records` come again. They are gone through once a try.
   */
  async write(records: Iterable<RecordView>): Promise<number> {
    let left = records;
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      this.#head ??= await readHead(this.#o.database, this.#o.gatewayId);
      if (this.#unsure?.head.hash === this.#head.hash && this.#unsure.records === left)
        return this.#committed(this.#unsure);
      const batch = new Batch(left, this.#head, this.#o.hooks);
      const outcome = await this.#commit(batch);
      if (outcome === 'written') return this.#committed(batch);
      // Somebody else wrote to this chain, or rows are there already: both are asked for, and it is made anew.
      this.#head = undefined;
      if (outcome === 'head-moved') continue;
      const unknown = await this.#withoutKnown(left);
      if (unknown.length === 0) return 0;
      left = unknown;
    }
    throw new Error('another process keeps writing to the chain of this gateway');
  }

  async #commit(batch: Batch): Promise<'written' | 'doubles' | 'head-moved'> {
    try {
      await this.#o.database.write((transaction) => this.#write(batch, transaction));
      return 'written';
    } catch (error) {
      if (error instanceof NotWritten) return error.why;
      // A try that came less far says nothing of an earlier one, whose commit may still be under way.
      if (batch.whole) this.#unsure = batch;
      this.#head = undefined;
      throw error;
    }
  }

  async #write(batch: Batch, transaction: DatabaseTransaction): Promise<void> {
    await this.#lockHead(batch.head, transaction);
    let rows: RowValues[] = [];
    for (const record of batch.records) {
      rows.push(this.#row(record, batch));
      if (rows.length < ROWS_AT_ONCE) continue;
      await insertRows(rows, transaction);
      rows = [];
    }
    await insertRows(rows, transaction);
    await this.#storeLabels(batch.labels, transaction);
    await this.#prices.store(transaction);
    await addUsage('hourly', batch.rollup.hourly(), transaction);
    await addUsage('daily', batch.rollup.daily(), transaction);
    for (const sums of batch.sums) await sums.write(transaction);
    await transaction.query
      .updateTable('ledger_chains')
      .set({ head_seq: batch.head.seq, head_hash: batch.head.hash })
      .where('gateway', '=', this.#o.gatewayId)
      .execute();
    batch.whole = true;
  }

  /** First: two processes that write to one chain do it one after the other. */
  async #lockHead(head: ChainHead, transaction: DatabaseTransaction): Promise<void> {
    const locked = await transaction.query
      .updateTable('ledger_chains')
      .set({ head_seq: head.seq })
      .where('gateway', '=', this.#o.gatewayId)
      .where('head_seq', '=', head.seq)
      .where('head_hash', '=', head.hash)
      .executeTakeFirst();
    if (locked.numUpdatedRows !== 1n) throw new NotWritten('head-moved');
  }

  async #storeLabels(labels: ReadonlySet<Labels>, transaction: DatabaseTransaction): Promise<void> {
    const unstored = [...labels].filter(({ row }) => !this.#storedLabels.has(row.labels));
    if (unstored.length === 0) return;
    const series = new Set(unstored.map((each) => each.series));
    await transaction.insertNew('ledger_series', SERIES_COLUMNS, rowValues(SERIES_COLUMNS, [...series]));
    const rows = unstored.map(({ row }) => row);
    await transaction.insertNew('ledger_labels', LABEL_COLUMNS, rowValues(LABEL_COLUMNS, rows));
  }

  #committed(batch: Batch): number {
    this.#head = batch.head;
    this.#unsure = undefined;
    this.#prices.stored();
    if (this.#storedLabels.size > MOST_STORED) this.#storedLabels = new Set();
    for (const { row } of batch.labels) this.#storedLabels.add(row.labels);
    for (const sums of batch.sums) sums.committed();
    return batch.rows;
  }

  /** The next row of the chain; what it adds to sums is added. */
  #row(record: RecordView, batch: Batch): RowValues {
    const labels = this.#book.of(record);
    const { chain, seq, hash } = batch.head;
    const { startedAt, usage } = record;
    const endedAt = Math.floor(startedAt + record.durationMs);
    const row: LedgerRowsTable = {
      position: chainPosition(chain, seq + 1),
      id: record.id,
      labels: labels.row.labels,
      started_at: Math.floor(startedAt),
      ended_at: endedAt,
      status: record.status,
      input_tokens: whole(usage?.inputTokens),
      output_tokens: whole(usage?.outputTokens),
      cost_nano_usd: whole(record.costNanoUsd),
      numbers: numbersOf(record),
      detail: detailOf(record),
      hash: '',
    };
    row.hash = rowHash(hash, row);
    batch.head = { chain, seq: seq + 1, hash: row.hash };
    batch.rows += 1;
    batch.labels.add(labels);
    batch.rollup.add(record, labels.series, endedAt);
    for (const sums of batch.sums) sums.add(record);
    return valuesOf(row);
  }

  async #withoutKnown(views: Iterable<RecordView>): Promise<ExchangeRecord[]> {
    const records = Array.from(views, keptRecord);
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

/** In the order of ROW_COLUMNS. */
function valuesOf(row: LedgerRowsTable): RowValues {
  return [
    row.id,
    row.position,
    row.labels,
    row.started_at,
    row.ended_at,
    row.status,
    row.input_tokens,
    row.output_tokens,
    row.cost_nano_usd,
    row.numbers,
    row.detail,
    row.hash,
  ];
}

async function addUsage(
  span: 'hourly' | 'daily',
  { usage, counters }: UsageAdditions,
  transaction: DatabaseTransaction,
): Promise<void> {
  await transaction.addUp(`usage_${span}`, USAGE_KEYS, USAGE_SUMS, rowValues(USAGE_COLUMNS, usage));
  if (counters.length === 0) return;
  const rows = rowValues(COUNTER_COLUMNS, counters);
  await transaction.addUp(`usage_counters_${span}`, COUNTER_KEYS, COUNTER_SUMS, rows);
}

async function insertRows(rows: readonly RowValues[], transaction: DatabaseTransaction): Promise<void> {
  if ((await transaction.insertNew('ledger_rows', ROW_COLUMNS, rows)) < rows.length) throw new NotWritten('doubles');
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
