import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import type { LedgerSettings } from '../../../src/config/server/ledger.ts';
import type { Log } from '../../../src/core/log.ts';
import { JournalWriter } from '../../../src/ledger/journal-writer.ts';
import { type Ledger, startLedger } from '../../../src/ledger/ledger.ts';
import { type Database, openDatabase } from '../../../src/store/database.ts';
import { encodeBatch } from '../../../src/telemetry/encode-batch.ts';
import type { ExchangeRecord } from '../../../src/telemetry/exchange-record.ts';
import { RecordFrame } from '../../../src/telemetry/record-frame.ts';
import { eventually } from '../../support/gateway.ts';
import { lastOtherwiseMs, leastOf } from '../../support/least-of.ts';
import { storedIds, storedRows } from '../../support/stored-rows.ts';
import { ledgerRecord, many } from './records.ts';

const settings: LedgerSettings = {
  enabled: true,
  sync: 'batched',
  whenFull: 'refuse',
  retentionDays: 0,
  auditRetentionDays: 0,
  hourlyRetentionDays: 0,
  metadataKeys: [],
  maxJournalBytes: 1_048_576,
};

const root = mkdtempSync(join(tmpdir(), 'sluice-ledger-unit-'));
after(() => rmSync(root, { recursive: true, force: true }));

let dataDir: string;
let database: Database;
let away = false;
let folders = 0;
const told: string[] = [];
const fullness: boolean[] = [];
const note = (fields: object, message: string): void => void told.push(`${message} ${JSON.stringify(fields)}`);
const log: Log = { debug: note, info: note, warn: note, error: note };

beforeEach(async () => {
  folders += 1;
  dataDir = join(root, String(folders));
  away = false;
  told.length = 0;
  fullness.length = 0;
  database = await openDatabase(dataDir);
});
afterEach(() => database.close());

/** The same database, which can be away. */
function overDatabase(): Database {
  return {
    engine: database.engine,
    query: database.query,
    close: async () => {},
    writeSoon: (work) => database.writeSoon(work),
    write: (work) => (away ? Promise.reject(new Error('the database is away')) : database.write(work)),
  };
}

function begin(more: Partial<LedgerSettings> = {}): Promise<Ledger> {
  return startLedger({
    database: overDatabase(),
    dataDir,
    gatewayId: 'gw_test',
    settings: { ...settings, ...more },
    hooks: [],
    log,
    onFull: (full) => fullness.push(full),
  });
}

/** A relay thread's side of it: frames go to the journal, and to the ledger unless they are `withheld`. */
function thread(ledger: Ledger, number = 0, segmentBytes?: number) {
  const writer = new JournalWriter({
    folder: ledger.journalFolder,
    thread: number,
    onClosed: (segment, end) => ledger.segmentClosed(number, segment, end),
    onFault: (error) => ledger.journalFailed(number, String(error)),
    ...(segmentBytes !== undefined && { segmentBytes }),
  });
  return {
    writer,
    send: (records: readonly ExchangeRecord[]) => {
      const frame = encodeBatch(records);
      ledger.take(number, new RecordFrame(frame), writer.append(frame));
    },
    withhold: (records: readonly ExchangeRecord[]) => writer.append(encodeBatch(records)),
  };
}

const rowIds = (): Promise<string[]> => storedIds(database);

const idsOf = (records: readonly ExchangeRecord[]): string[] => records.map((record) => record.id);

const segmentsIn = (folder: string): string[] => readdirSync(folder).filter((name) => name.endsWith('.journal'));

test('records are in the database within a second, and then their segment is dropped', async () => {
  const ledger = await begin();
  const relay = thread(ledger);
  const sent: ExchangeRecord[] = [];
  const ms = await leastOf(1_000, async () => {
    const records = many(30);
    sent.push(...records);
    relay.send(records.slice(0, 10));
    relay.send(records.slice(10));
    return lastOtherwiseMs('rows', async () => (await rowIds()).length === sent.length);
  });
  assert.ok(ms < 1_000, `${ms} ms`);
  assert.deepEqual(await rowIds(), idsOf(sent));
  assert.equal(segmentsIn(ledger.journalFolder).length, 1);
  relay.writer.close();
  await eventually('no segment', () => segmentsIn(ledger.journalFolder).length === 0);
  assert.equal(ledger.counts.journalBytes, 0);
  await ledger.close(1_000);
  assert.deepEqual(readdirSync(join(dataDir, 'journal')), []);
});

test('memory is bounded while the database is away, and afterwards all that was journalled is written once', async () => {
  const ledger = await begin();
  const relay = thread(ledger, 0, 200_000);
  away = true;
  const sent: ExchangeRecord[] = [];
  for (let frame = 0; frame < 60; frame += 1) {
    const records = many(500);
    sent.push(...records);
    relay.send(records);
  }
  assert.ok(ledger.counts.journalBytes > 1_000_000);
  await eventually('it is tried', () => ledger.counts.failures.database > 0);
  assert.equal((await rowIds()).length, 0);
  away = false;
  await eventually('all rows', async () => (await rowIds()).length === sent.length, 15_000);
  assert.deepEqual(new Set(await rowIds()), new Set(idsOf(sent)));
  relay.writer.close();
  await eventually('no segment', () => segmentsIn(ledger.journalFolder).length === 0);
  assert.equal(ledger.counts.lost, 0);
  await ledger.close(1_000);
});

test('frames that a relay thread withheld are read from the journal: at the next frame, and when a segment ends', async () => {
  const ledger = await begin();
  const relay = thread(ledger);
  const records = many(60);
  relay.send(records.slice(0, 10));
  relay.withhold(records.slice(10, 20));
  relay.withhold(records.slice(20, 30));
  relay.send(records.slice(30, 40));
  await eventually('a gap is filled', async () => (await rowIds()).length === 40);
  relay.withhold(records.slice(40));
  relay.writer.close();
  await eventually('the end is read', async () => (await rowIds()).length === 60);
  assert.deepEqual(await rowIds(), idsOf(records));
  await ledger.close(1_000);
});

test('the journal of a relay thread that died is read to the end', async () => {
  const ledger = await begin();
  const relay = thread(ledger, 1);
  const records = many(20);
  relay.send(records.slice(0, 10));
  relay.withhold([...records.slice(10, 19), { ...records[19]!, pending: true }]);
  ledger.threadDied(1);
  await eventually('all rows', async () => (await rowIds()).length === 20);
  await eventually('no segment', () => segmentsIn(ledger.journalFolder).length === 0);
  await ledger.close(1_000);
});

test('a provisional record counts only where its final one never comes', async () => {
  const ledger = await begin();
  const relay = thread(ledger);
  const [answered, unanswered] = [ledgerRecord({ pending: true }), ledgerRecord({ pending: true })];
  relay.send([answered, unanswered]);
  relay.writer.close();
  relay.send([{ ...answered, pending: undefined, usage: { inputTokens: 1, outputTokens: 2 }, costNanoUsd: 12_345 }]);
  relay.writer.close();
  await eventually('the final one', async () => (await rowIds()).length === 1);
  await eventually('the segment of the other one alone', async () => segmentsIn(ledger.journalFolder).length === 1);
  await ledger.close(1_000);
  assert.deepEqual(
    (await storedRows(database)).map((row) => [row.id, row.cost_nano_usd]),
    [
      [answered.id, 12_345],
      [unanswered.id, unanswered.costNanoUsd],
    ],
  );
});

/** As a crash leaves it: the folder is let go without a word. */
async function crashed(ledger: Ledger): Promise<void> {
  away = true;
  await ledger.close(0);
  away = false;
}

test('a journal that a crash left is written at the next start, once, without its torn frame', async () => {
  const ledger = await begin();
  const relay = thread(ledger, 0);
  const other = thread(ledger, 1);
  const written = many(10);
  relay.send(written);
  await eventually('rows', async () => (await rowIds()).length === 10);
  away = true;
  const waiting = many(40);
  relay.send(waiting.slice(0, 20));
  const pending = [ledgerRecord({ pending: true }), ledgerRecord({ pending: true })];
  other.withhold([...waiting.slice(20), ...pending]);
  relay.send([{ ...pending[0]!, pending: undefined, costNanoUsd: 7 }]);
  const torn = other.withhold(many(3));
  await crashed(ledger);
  const [folder = ''] = readdirSync(join(dataDir, 'journal'));
  truncateSync(join(dataDir, 'journal', folder, torn!.segment), torn!.end - 1);
  const again = await begin();
  await again.replayed;
  assert.deepEqual(new Set(await rowIds()), new Set(idsOf([...written, ...waiting, ...pending])));
  const final = (await storedRows(database)).find(({ id }) => id === pending[0]!.id);
  assert.equal(final?.cost_nano_usd, 7);
  const hourly = await database.query.selectFrom('usage_hourly').select('requests').execute();
  assert.equal(
    hourly.reduce((sum, each) => sum + each.requests, 0),
    52,
  );
  assert.ok(told.some((line) => /cannot be read/.test(line) && /not whole/.test(line)));
  assert.equal(readdirSync(join(dataDir, 'journal')).length, 1);
  await again.close(1_000);
  assert.deepEqual(readdirSync(join(dataDir, 'journal')), []);
});

test('a full journal says so, and says when it has room again', async () => {
  const ledger = await begin();
  const relay = thread(ledger, 0, 100_000);
  away = true;
  while (ledger.counts.journalBytes <= 1_048_576) relay.send(many(500));
  assert.deepEqual(fullness, [true]);
  away = false;
  relay.writer.close();
  await eventually('room', () => fullness.length === 2, 10_000);
  assert.deepEqual(fullness, [true, false]);
  await ledger.close(1_000);
});

test('records that are in no journal are written all the same', async () => {
  const ledger = await begin();
  const records = many(5);
  ledger.take(0, new RecordFrame(encodeBatch(records)), undefined);
  await eventually('rows', async () => (await rowIds()).length === 5);
  await ledger.close(1_000);
});
