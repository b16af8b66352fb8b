import assert from 'node:assert/strict';
import { it } from 'node:test';
import { sql } from 'kysely';
import { LedgerWriter } from '../../../src/ledger/ledger-writer.ts';
import { readReceipt } from '../../../src/ledger/receipt.ts';
import { usageReport } from '../../../src/ledger/usage-report.ts';
import { verifyLedger } from '../../../src/ledger/verify.ts';
import { type Database, openDatabase } from '../../../src/store/database.ts';
import type { RowNumbers } from '../../../src/store/ledger-frame.ts';
import { oldRowHash } from '../../../src/store/migrations/0009-pack-rows.ts';
import type { ExchangeRecord } from '../../../src/telemetry/exchange-record.ts';
import { recomputedNanoUsd } from '../../../src/usage/price-basis.ts';
import { forEachEngine } from '../../support/engines.ts';
import { storedRows } from '../../support/stored-rows.ts';
import { ledgerRecord, many } from './records.ts';

const writerTo = (database: Database) => new LedgerWriter({ database, gatewayId: 'gw_a', metadataKeys: [], hooks: [] });

const OLD_NUMBERS = [
  ...['thread', 'attempts', 'duration_us', 'overhead_us', 'upstream_us', 'first_token_us', 'between_tokens_us'],
  ...['bytes_in', 'bytes_out', 'cache_read_input_tokens', 'cache_creation_input_tokens'],
  ...['cache_creation_1h_input_tokens', 'reasoning_output_tokens', 'audio_input_tokens', 'audio_output_tokens'],
  ...['provider_cost_usd', 'reserved_nano_usd'],
] as (keyof RowNumbers)[];

/** Those of version 0005. */
const TABLES = new Set([
  ...['api_keys', 'signing_keys', 'key_version', 'budget_windows', 'budget_alerts', 'ledger_rows', 'ledger_labels'],
  ...['ledger_series', 'ledger_chains', 'price_tables', 'usage_hourly', 'usage_daily'],
]);

/** As version 0005 left it: one row an exchange, without the tables of later migrations. */
async function takeBack(database: Database): Promise<void> {
  const stored = await storedRows(database);
  const key = database.engine === 'sqlite' ? sql`integer` : sql`bigint`;
  await sql`create table ledger_rows (position ${key} primary key not null, id text not null unique, labels text not null,
    started_at bigint not null, ended_at bigint not null, status bigint not null, input_tokens bigint,
    output_tokens bigint, cost_nano_usd bigint, numbers text not null, detail text, hash text not null)`.execute(
    database.query,
  );
  await sql`create view ledger as select id from ledger_rows`.execute(database.query);
  let hash = '';
  for (const [index, { numbers, labels, ...row }] of stored.entries()) {
    const old = {
      id: row.id,
      position: 2 ** 40 + index + 1,
      labels,
      started_at: row.started_at,
      ended_at: row.ended_at,
      status: row.status,
      input_tokens: row.input_tokens ?? null,
      output_tokens: row.output_tokens ?? null,
      cost_nano_usd: row.cost_nano_usd ?? null,
      numbers: OLD_NUMBERS.map((name) => numbers[name] ?? '').join(','),
      detail: row.detail ?? null,
    };
    hash = oldRowHash(hash, old);
    const names = [...Object.keys(old), 'hash'];
    await sql`insert into ledger_rows (${sql.join(names.map((name) => sql.ref(name)))})
      values (${sql.join([...Object.values(old), hash])})`.execute(database.query);
  }
  await sql`update ledger_chains set head_hash = ${hash}`.execute(database.query);
  for (const { name, isView } of await database.query.introspection.getTables()) {
    if (!isView && !TABLES.has(name)) await sql`drop table ${sql.table(name)}`.execute(database.query);
  }
  for (const column of ['retired_at', 'valid_until'])
    await sql`alter table signing_keys drop column ${sql.ref(column)}`.execute(database.query);
  await sql`delete from kysely_migration where name > '0005-seen-gateways'`.execute(database.query);
}

forEachEngine('a ledger of an older version', (engine) => {
  async function olderPlace(records: readonly ExchangeRecord[], forge?: (database: Database) => Promise<unknown>) {
    const place = await engine.newPlace();
    const older = await openDatabase(place);
    await writerTo(older).write(records);
    await takeBack(older);
    await forge?.(older);
    await older.close();
    return engine.open(place);
  }

  it('an older ledger keeps its rows, sums and chain when this version opens it, and goes on from there', async () => {
    const old = [...many(6), ledgerRecord({ errorDetail: 'words', usage: { inputTokens: 1 }, costNanoUsd: undefined })];
    const database = await olderPlace(old);
    assert.equal(await writerTo(database).write(many(3)), 3);
    assert.equal(await writerTo(database).write(old), 0, 'none counts twice');
    const verified = await verifyLedger(database, recomputedNanoUsd);
    assert.deepEqual([verified.faults, verified.rows, verified.recomputed], [[], 10, 9]);
    for (const record of old) {
      const receipt = await readReceipt(database, record.id);
      assert.equal(Reflect.get(Object(Reflect.get(Object(receipt), 'cost')), 'nano_usd'), record.costNanoUsd ?? null);
      assert.equal(
        Reflect.get(Object(Reflect.get(Object(receipt), 'outcome')), 'error_detail'),
        record.errorDetail ?? null,
      );
    }
    const report = await usageReport(database, { by: [], sinceMs: 0, untilMs: Date.UTC(2100, 0, 1) });
    assert.ok(typeof report !== 'string');
    assert.equal(report.total.requests, 10);
  });

  it('a forgery in an older ledger is still found', async () => {
    const old = many(3);
    const database = await olderPlace(old, (older) =>
      sql`update ledger_rows set output_tokens = 1 where id = ${old[1]!.id}`.execute(older.query),
    );
    const { faults } = await verifyLedger(database, recomputedNanoUsd);
    assert.match(faults[0]?.reason ?? '', /was changed/);
  });

  it('rows that an older ledger lacks are still missed', async () => {
    const old = many(4);
    const database = await olderPlace(old, (older) =>
      sql`delete from ledger_rows where id = ${old[1]!.id}`.execute(older.query),
    );
    const { faults, rows } = await verifyLedger(database, recomputedNanoUsd);
    assert.equal(rows, 3);
    assert.ok(faults.some(({ reason }) => /1 rows before it are missing/.test(reason)));
  });

  it('an older ledger holds costs whose audio was billed at the rate of text, as older versions did', async () => {
    const database = await engine.open();
    const usage = { inputTokens: 120, outputTokens: 20, audioInputTokens: 7 };
    await writerTo(database).write([ledgerRecord({ usage, costNanoUsd: 120 * 2500 + 20 * 10_000 })]);
    assert.deepEqual((await verifyLedger(database, recomputedNanoUsd)).faults, []);
  });
});
