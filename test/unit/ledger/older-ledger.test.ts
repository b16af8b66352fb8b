import assert from 'node:assert/strict';
import { it } from 'node:test';
import { sql } from 'kysely';
import { LedgerWriter } from '../../../src/ledger/ledger-writer.ts';
import { readReceipt } from '../../../src/ledger/receipt.ts';
import { usageReport } from '../../../src/ledger/usage-report.ts';
import { verifyLedger } from '../../../src/ledger/verify.ts';
import { type Database, openDatabase } from '../../../src/store/database.ts';
import { recomputedNanoUsd } from '../../../src/usage/price-basis.ts';
import { forEachEngine } from '../../support/engines.ts';
import { ledgerRecord, many } from './records.ts';

const writerTo = (database: Database) => new LedgerWriter({ database, gatewayId: 'gw_a', metadataKeys: [], hooks: [] });

/** As version 0005 left it: without the tables of later migrations. */
async function takeBack(database: Database): Promise<void> {
  for (const table of ['usage_counters_hourly', 'usage_counters_daily', 'sluice_versions'])
    await sql`drop table ${sql.table(table)}`.execute(database.query);
  for (const column of ['retired_at', 'valid_until'])
    await sql`alter table signing_keys drop column ${sql.ref(column)}`.execute(database.query);
  await sql`delete from kysely_migration where name > '0005-seen-gateways'`.execute(database.query);
}

forEachEngine('a ledger of an older version', (engine) => {
  it('an older ledger keeps its rows, sums and chain when this version opens it, and goes on from there', async () => {
    const place = await engine.newPlace();
    const older = await openDatabase(place);
    await takeBack(older);
    const old = many(6);
    await writerTo(older).write(old);
    await older.close();

    const database = await engine.open(place);
    assert.equal(await writerTo(database).write(many(3)), 3);
    const verified = await verifyLedger(database, recomputedNanoUsd);
    assert.deepEqual([verified.faults, verified.rows, verified.recomputed], [[], 9, 9]);
    const receipt = await readReceipt(database, old[0]!.id);
    assert.equal(Reflect.get(Object(Reflect.get(Object(receipt), 'cost')), 'nano_usd'), old[0]!.costNanoUsd);
    const report = await usageReport(database, { by: [], sinceMs: 0, untilMs: Date.UTC(2100, 0, 1) });
    assert.ok(typeof report !== 'string');
    assert.equal(report.total.requests, 9);
  });

  it('an older ledger holds costs whose audio was billed at the rate of text, as older versions did', async () => {
    const database = await engine.open();
    const usage = { inputTokens: 120, outputTokens: 20, audioInputTokens: 7 };
    await writerTo(database).write([ledgerRecord({ usage, costNanoUsd: 120 * 2500 + 20 * 10_000 })]);
    assert.deepEqual((await verifyLedger(database, recomputedNanoUsd)).faults, []);
  });
});
