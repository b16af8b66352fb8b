import type { Database, DatabaseTransaction } from '../store/database.ts';
import { frameHash } from '../store/frame-hash.ts';
import { blocksOf, knownIds } from '../store/id-blocks.ts';
import { FrameBuilder, MAX_FRAME_ROWS } from '../store/ledger-frame.ts';
import { allColumns, rowValues } from '../store/row-values.ts';
import type { LedgerLabelsTable, LedgerSeriesTable } from '../store/tables/ledger-tables.ts';
import { type ExchangeRecord, keptRecord, type RecordView } from '../telemetry/exchange-record.ts';
import { type ChainHead, readHead } from './chain-head.ts';
import { chainPosition } from './chain-position.ts';
import { closedUntil, forgetClosedSums } from './closed-sums.ts';
import { LabelBook, type Labels } from './labels.ts';
import type { LedgerHook, LedgerSums } from './ledger-hook.ts';
import { ledgerRow } from './ledger-row.ts';
import { PriceTables } from './price-tables.ts';
import {
  COUNTER_KEYS,
  COUNTER_SUMS,
  LATENCY_KEYS,
  LATENCY_SUMS,
  Rollup,
  USAGE_KEYS,
  USAGE_SUMS,
  type UsageAdditions,
} from './rollup.ts';

export interface LedgerWriterOptions {
  readonly database: Database;
  /** Whose chain it is. */
  readonly gatewayId: string;
  readonly metadataKeys: readonly string[];
  readonly hooks: readonly LedgerHook[];
}

const USAGE_COLUMNS = [...USAGE_KEYS, ...USAGE_SUMS];
const COUNTER_COLUMNS = [...COUNTER_KEYS, ...COUNTER_SUMS];
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
/** Between so many exchanges others have their turn: they take about a millisecond. */
const TURN_ROWS = 512;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const ID_COLUMNS = ['block', 'position', 'rests'] as const;

/** Whether what is to be written may be there already, as after a crash; to find out costs a query or a few. */
export type Doubles = 'possible' | 'none';

/** One try to write some records: what is known of them once they all passed. */
class Batch {
  readonly records: Iterable<RecordView>;
  readonly rollup = new Rollup();
  readonly labels = new Set<Labels>();
  readonly sums: readonly LedgerSums[];
  /** A frame holds exchanges that ended on one day, so that retention takes whole ones. */
  readonly #open = new Map<number, FrameBuilder>();
  readonly #frames: FrameBuilder[] = [];
  /** Behind the frames so far. */
  head: ChainHead;
  rows = 0;
  /** All was written but for the commit. */
  whole = false;

  constructor(records: Iterable<RecordView>, head: ChainHead, hooks: readonly LedgerHook[]) {
    this.records = records;
    this.head = head;
    this.sums = hooks.map((hook) => hook.begin());
  }

  get frames(): readonly FrameBuilder[] {
    return this.#frames;
  }

  add(record: RecordView, labels: Labels): void {
    const row = ledgerRow(record, labels.row.labels);
    this.#frameFor(Math.floor(row.ended_at / DAY_MS)).add(row);
    this.rows += 1;
    this.labels.add(labels);
    this.rollup.add(record, labels.series, row.ended_at);
    for (const sums of this.sums) sums.add(record);
  }

  #frameFor(day: number): FrameBuilder {
    let frame = this.#open.get(day);
    if (frame === undefined || frame.rows >= MAX_FRAME_ROWS) {
      frame = new FrameBuilder();
      this.#open.set(day, frame);
      this.#frames.push(frame);
    }
    return frame;
  }
}

/**
 * Writes batches of records: frames, chain, rollups and what hooks keep, in one transaction, so that they never differ. A
 * record that is there already changes nothing. One batch at a time: each begins at the head that the last one left.
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
   * How many exchanges were new. Throws what the database throws: then nothing was written, or it will be found so where the
   * very same `records` come again. They are gone through once a try.
   */
  async write(records: Iterable<RecordView>, doubles: Doubles = 'possible'): Promise<number> {
    let left = records;
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      this.#head ??= await readHead(this.#o.database, this.#o.gatewayId);
      if (this.#unsure?.head.hash === this.#head.hash && this.#unsure.records === left)
        return this.#committed(this.#unsure);
      // A commit whose answer was lost may be behind the head that somebody else has moved meanwhile.
      if (doubles === 'possible' || this.#unsure !== undefined) left = await this.#withoutKnown(left);
      const batch = await this.#encoded(left, this.#head);
      if (batch.rows === 0) return 0;
      if ((await this.#commit(batch)) === 'written') return this.#committed(batch);
      // Somebody else wrote to this chain: it is asked for, and the batch is made anew.
      this.#head = undefined;
    }
    throw new Error('another process keeps writing to the chain of this gateway');
  }

  /** A millisecond at a time: this thread has others to answer. */
  async #encoded(records: Iterable<RecordView>, head: ChainHead): Promise<Batch> {
    const batch = new Batch(records, head, this.#o.hooks);
    const book = this.#book;
    for (const record of records) {
      batch.add(record, book.of(record));
      if (batch.rows % TURN_ROWS === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return batch;
  }

  async #commit(batch: Batch): Promise<'written' | 'head-moved'> {
    try {
      await this.#o.database.write((transaction) => this.#write(batch, transaction));
      return 'written';
    } catch (error) {
      if (error instanceof HeadMoved) return 'head-moved';
      // A try that came less far says nothing of an earlier one, whose commit may still be under way.
      if (batch.whole) this.#unsure = batch;
      this.#head = undefined;
      throw error;
    }
  }

  async #write(batch: Batch, transaction: DatabaseTransaction): Promise<void> {
    await this.#lockHead(batch.head, transaction);
    for (const frame of batch.frames) await this.#writeFrame(frame, batch, transaction);
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
    if (locked.numUpdatedRows !== 1n) throw new HeadMoved();
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
    if (batch.rollup.earliestHour < closedUntil(HOUR_MS)) forgetClosedSums(this.#o.database);
    return batch.rows;
  }

  /** The next one of the chain. */
  async #writeFrame(frame: FrameBuilder, batch: Batch, transaction: DatabaseTransaction): Promise<void> {
    const { rows, endedFrom, endedTo } = frame;
    const { chain, seq, hash: previous } = batch.head;
    const data = frame.data();
    const first = seq + 1;
    const hash = frameHash(previous, { chain, seq: first, rows, endedFrom, endedTo, data });
    const position = chainPosition(chain, first);
    await transaction.query
      .insertInto('ledger_frames')
      .values({ position, row_count: rows, ended_from: endedFrom, ended_to: endedTo, hash, data })
      .execute();
    const blocks = blocksOf(frame.ids).map(({ block, rests }) => [block, position, rests]);
    await transaction.insertNew('ledger_ids', ID_COLUMNS, blocks);
    batch.head = { chain, seq: seq + rows, hash };
  }

  async #withoutKnown(views: Iterable<RecordView>): Promise<Iterable<RecordView>> {
    const ids = new Set<string>();
    let twice = false;
    for (const { id } of views) {
      twice ||= ids.has(id);
      ids.add(id);
    }
    const known = await knownIds(this.#o.database, [...ids]);
    if (known.size === 0 && !twice) return views;
    const left: ExchangeRecord[] = [];
    for (const view of views) {
      if (known.has(view.id)) continue;
      known.add(view.id);
      left.push(keptRecord(view));
    }
    return left;
  }
}

async function addUsage(
  span: 'hourly' | 'daily',
  { usage, counters, latencies }: UsageAdditions,
  transaction: DatabaseTransaction,
): Promise<void> {
  await transaction.addUp(`usage_${span}`, USAGE_KEYS, USAGE_SUMS, rowValues(USAGE_COLUMNS, usage));
  await transaction.addUp(`usage_latencies_${span}`, LATENCY_KEYS, LATENCY_SUMS, latencies);
  if (counters.length === 0) return;
  const rows = rowValues(COUNTER_COLUMNS, counters);
  await transaction.addUp(`usage_counters_${span}`, COUNTER_KEYS, COUNTER_SUMS, rows);
}

/** Rolls the transaction back: it has to be made anew. */
class HeadMoved extends Error {}
