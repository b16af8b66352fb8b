import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { LedgerWriter } from '../../../src/ledger/ledger-writer.ts';
import { dayBefore, removeHours, removeRows } from '../../../src/ledger/retention.ts';
import { verifyLedger } from '../../../src/ledger/verify.ts';
import type { Database } from '../../../src/store/database.ts';
import { recomputedNanoUsd } from '../../../src/usage/price-basis.ts';
import { forEachEngine } from '../../support/engines.ts';
import { many, refusedRecord } from './records.ts';

const DAY_MS = 86_400_000;

forEachEngine('verify', (engine) => {
  let database: Database;
  let writer: LedgerWriter;
  const verify = () => verifyLedger(database, recomputedNanoUsd);
  beforeEach(async () => {
    database = await engine.open();
    writer = new LedgerWriter({ database, gatewayId: 'gw_a', metadataKeys: [], hooks: [] });
  });

  it('verification computes every cost again from the price table that it came from', async () => {
    await writer.write([
      ...many(5),
      refusedRecord(),
      ...many(2, {
        usage: { inputTokens: 1, outputTokens: 1, providerCostUsd: 0.001_25 },
        costNanoUsd: 1_250_000,
        priceTable: 'reported',
      }),
    ]);
    assert.deepEqual(await verify(), {
      chains: 1,
      rows: 8,
      recomputed: 5,
      reported: 2,
      withoutCost: 1,
      erased: 0,
      faults: [],
      faultCount: 0,
    });
  });

  const forgeries: [string, (database: Database, id: string) => Promise<unknown>, RegExp][] = [
    [
      'a status that was changed',
      (on, id) => on.query.updateTable('ledger_rows').set({ status: 500 }).where('id', '=', id).execute(),
      /it was changed/,
    ],
    [
      'a token count that was changed',
      (on, id) => on.query.updateTable('ledger_rows').set({ input_tokens: 1 }).where('id', '=', id).execute(),
      /it was changed/,
    ],
    [
      'a cost that was changed',
      (on, id) => on.query.updateTable('ledger_rows').set({ cost_nano_usd: 1 }).where('id', '=', id).execute(),
      /it was changed/,
    ],
    [
      'numbers that were changed',
      (on, id) => on.query.updateTable('ledger_rows').set({ numbers: '0,1' }).where('id', '=', id).execute(),
      /it was changed/,
    ],
    [
      'a hash that was changed',
      (on, id) => on.query.updateTable('ledger_rows').set({ hash: 'x' }).where('id', '=', id).execute(),
      /it was changed/,
    ],
    [
      'a subject that was changed',
      (on) => on.query.updateTable('ledger_series').set({ subject: 'user:eve' }).execute(),
      /labels .* was changed/,
    ],
    [
      'a price table that was changed',
      (on) => on.query.updateTable('price_tables').set({ rates: '{}' }).execute(),
      /price table .* was changed/,
    ],
    [
      'a row that was taken out',
      (on, id) => on.query.deleteFrom('ledger_rows').where('id', '=', id).execute(),
      /1 rows before it are missing/,
    ],
  ];
  for (const [what, forge, reason] of forgeries) {
    it(`verification finds ${what}`, async () => {
      const records = many(9);
      await writer.write(records);
      assert.equal((await verify()).faultCount, 0);
      await forge(database, records[4]!.id);
      const { faults } = await verify();
      const about = /labels|price/.test(reason.source)
        ? records[0]
        : /missing/.test(reason.source)
          ? records[5]
          : records[4];
      assert.match(faults[0]?.reason ?? '', reason);
      assert.equal(faults[0]?.id, about?.id);
    });
  }

  it('verification finds that the newest rows were taken away', async () => {
    const records = many(5);
    await writer.write(records);
    await database.query.deleteFrom('ledger_rows').where('id', 'in', [records[3]!.id, records[4]!.id]).execute();
    assert.deepEqual((await verify()).faults, [
      { gateway: 'gw_a', seq: 5, id: undefined, reason: 'the newest 2 rows are missing' },
    ]);
  });

  it('verification holds after retention took whole days away, and the chain goes on', async () => {
    const now = Date.UTC(2026, 10, 22, 15);
    const daysAgo = (days: number, count: number) => many(count, { startedAt: now - days * DAY_MS, durationMs: 1 });
    await writer.write([...daysAgo(10, 1200), ...daysAgo(9, 900), ...daysAgo(2, 10)]);
    const removed = await removeRows(database, dayBefore(9, now));
    assert.equal(removed, 1200);
    assert.deepEqual((await verify()).faults, []);
    assert.equal((await verify()).rows, 910);
    assert.equal(await removeRows(database, dayBefore(1, now)), 910);
    assert.deepEqual((await verify()).faults, []);
    await writer.write(daysAgo(0, 3));
    assert.equal((await verify()).rows, 3);
    assert.deepEqual((await verify()).faults, []);
    await removeHours(database, dayBefore(9, now));
    const hours = await database.query.selectFrom('usage_hourly').select('requests').execute();
    assert.equal(
      hours.reduce((sum, each) => sum + each.requests, 0),
      913,
    );
    const days = await database.query.selectFrom('usage_daily').select('requests').execute();
    assert.equal(
      days.reduce((sum, each) => sum + each.requests, 0),
      2113,
    );
  });
});
