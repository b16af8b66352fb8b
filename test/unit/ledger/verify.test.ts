import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { LedgerWriter } from '../../../src/ledger/ledger-writer.ts';
import { dayBefore, removeHours, removeRows } from '../../../src/ledger/retention.ts';
import { verifyLedger } from '../../../src/ledger/verify.ts';
import type { Database } from '../../../src/store/database.ts';
import { frameOf } from '../../../src/store/id-blocks.ts';
import type { LedgerFramesTable } from '../../../src/store/tables/ledger-tables.ts';
import { recomputedNanoUsd } from '../../../src/usage/price-basis.ts';
import { forEachEngine } from '../../support/engines.ts';
import { forgeRow } from '../../support/stored-rows.ts';
import { many, refusedRecord } from './records.ts';

const DAY_MS = 86_400_000;

async function changeFrame(on: Database, id: string, values: Partial<LedgerFramesTable>): Promise<void> {
  const position = (await frameOf(on, id)) ?? 0;
  await on.query.updateTable('ledger_frames').set(values).where('position', '=', position).execute();
}

async function dropFrame(on: Database, id: string): Promise<void> {
  const position = (await frameOf(on, id)) ?? 0;
  await on.query.deleteFrom('ledger_frames').where('position', '=', position).execute();
}

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
    ['a status that was changed', (on, id) => forgeRow(on, id, { status: 500 }), /was changed/],
    ['a token count that was changed', (on, id) => forgeRow(on, id, { input_tokens: 1 }), /was changed/],
    ['a cost that was changed', (on, id) => forgeRow(on, id, { cost_nano_usd: 1 }), /was changed/],
    ['a hash that was changed', (on, id) => changeFrame(on, id, { hash: 'x' }), /was changed/],
    ['a time that was changed', (on, id) => changeFrame(on, id, { ended_to: 1 }), /was changed/],
    ['bytes that are no frame', (on, id) => changeFrame(on, id, { data: Buffer.from('rubbish') }), /was changed/],
    [
      'an index of ids that was changed',
      (on) => on.query.updateTable('ledger_ids').set({ rests: 'zz' }).execute(),
      /the index of the ids/,
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
    ['a frame that was taken out', dropFrame, /3 rows before it are missing/],
  ];
  for (const [what, forge, reason] of forgeries) {
    it(`verification finds ${what}`, async () => {
      const records = many(9);
      for (const from of [0, 3, 6]) await writer.write(records.slice(from, from + 3));
      assert.equal((await verify()).faultCount, 0);
      await forge(database, records[4]!.id);
      const { faults } = await verify();
      assert.match(faults[0]?.reason ?? '', reason);
      const isOfAll = /labels|price|index/.test(reason.source);
      assert.equal(faults[0]?.seq, isOfAll ? 1 : /missing/.test(reason.source) ? 7 : 4);
    });
  }

  it('verification finds that the newest rows were taken away', async () => {
    const records = many(5);
    await writer.write(records.slice(0, 3));
    await writer.write(records.slice(3));
    await dropFrame(database, records[4]!.id);
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
