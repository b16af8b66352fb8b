import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { BatchRecords } from '../../../src/ledger/batch-records.ts';
import type { LedgerHook, LedgerSums } from '../../../src/ledger/ledger-hook.ts';
import { LedgerWriter } from '../../../src/ledger/ledger-writer.ts';
import { verifyLedger } from '../../../src/ledger/verify.ts';
import type { Database } from '../../../src/store/database.ts';
import { isRowFault } from '../../../src/store/store-fault.ts';
import { encodeBatch } from '../../../src/telemetry/encode-batch.ts';
import { recomputedNanoUsd } from '../../../src/usage/price-basis.ts';
import { forEachEngine } from '../../support/engines.ts';
import { storedRows } from '../../support/stored-rows.ts';
import { ledgerRecord, many, refusedRecord } from './records.ts';

/** Sums of the rows and of both rollups, which must agree. */
async function sums(database: Database) {
  const rows = await storedRows(database);
  const hourly = await database.query.selectFrom('usage_hourly').selectAll().execute();
  const daily = await database.query.selectFrom('usage_daily').selectAll().execute();
  const of = (usage: typeof hourly) => ({
    requests: usage.reduce((sum, each) => sum + each.requests, 0),
    cost: usage.reduce((sum, each) => sum + each.cost_nano_usd, 0),
    input: usage.reduce((sum, each) => sum + each.input_tokens, 0),
  });
  return {
    rows: {
      requests: rows.length,
      cost: rows.reduce((sum, each) => sum + (each.cost_nano_usd ?? 0), 0),
      input: rows.reduce((sum, each) => sum + (each.input_tokens ?? 0), 0),
    },
    hourly: of(hourly),
    daily: of(daily),
  };
}

class NotingHook implements LedgerHook {
  readonly inside: string[][] = [];
  readonly committed: string[][] = [];
  fails = 0;

  begin(): LedgerSums {
    const ids: string[] = [];
    return {
      add: (record) => ids.push(record.id),
      write: async () => {
        if (this.fails > 0) {
          this.fails -= 1;
          throw new Error('the hook failed');
        }
        this.inside.push(ids);
      },
      committed: () => this.committed.push(ids),
    };
  }
}

forEachEngine('the ledger', (engine) => {
  let database: Database;
  let hook: NotingHook;
  let writer: LedgerWriter;
  const writerOf = (gatewayId: string, over = database) =>
    new LedgerWriter({ database: over, gatewayId, metadataKeys: ['env'], hooks: [hook] });
  beforeEach(async () => {
    database = await engine.open();
    hook = new NotingHook();
    writer = writerOf('gw_a');
  });

  it('the ledger has a row of every exchange, and its hourly and daily sums equal the rows', async () => {
    const night = Date.UTC(2026, 10, 22, 23, 59, 59, 990);
    const records = [
      ...many(40),
      ...many(40, { subject: 'virtualaccount:ci', metadataJson: '{"env":"prod","other":"x"}', teamsJson: '["a","b"]' }),
      ...many(3, { startedAt: night, durationMs: 20 }),
      refusedRecord(),
    ];
    assert.equal(await writer.write(records), records.length);
    const { rows, hourly, daily } = await sums(database);
    assert.equal(rows.requests, records.length);
    assert.ok(rows.cost > 0);
    assert.deepEqual(hourly, rows);
    assert.deepEqual(daily, rows);
    const days = await database.query.selectFrom('usage_daily').select('starts_at').distinct().execute();
    assert.deepEqual(
      days.map((day) => day.starts_at).sort((a, b) => a - b),
      [Date.UTC(2026, 10, 22), Date.UTC(2026, 10, 23)],
    );
    const series = await database.query
      .selectFrom('ledger_series')
      .select('metadata')
      .where('subject', 'like', 'v%')
      .execute();
    assert.deepEqual(
      series.map((each) => ({ ...each })),
      [{ metadata: '{"env":"prod"}' }],
    );
  });

  it('the ledger keeps unknown as unknown: a count that nobody told is not zero', async () => {
    await writer.write([ledgerRecord({ usage: { inputTokens: 5 }, costNanoUsd: undefined, priceTable: undefined })]);
    const [row] = await storedRows(database);
    assert.deepEqual([row?.input_tokens, row?.output_tokens, row?.cost_nano_usd], [5, undefined, undefined]);
    const labels = await database.query.selectFrom('ledger_labels').selectAll().executeTakeFirstOrThrow();
    assert.equal(labels.price_table, null);
    const usage = await database.query.selectFrom('usage_hourly').selectAll().executeTakeFirstOrThrow();
    assert.equal(usage.unknown_cost_requests, 1);
  });

  it('the sums of the ledger count no gap for a call of a tool, which has no tokens and may have no price', async () => {
    const call = { provider: 'mcp', model: 'tools/find', target: 'tools', costNanoUsd: undefined };
    const untold = { usage: undefined, usageSource: undefined, priceTable: undefined };
    await writer.write([{ ...ledgerRecord(call), ...untold }]);
    const usage = await database.query.selectFrom('usage_hourly').selectAll().executeTakeFirstOrThrow();
    assert.deepEqual([usage.requests, usage.unknown_usage_requests, usage.unknown_cost_requests], [1, 0, 0]);
  });

  it('the ledger does not count an exchange twice, whatever comes again and with whatever else', async () => {
    const first = many(20);
    const more = many(5);
    await writer.write(first);
    assert.equal(await writer.write(first), 0);
    assert.equal(await writer.write([...first.slice(0, 7), ...more, ...more]), 5);
    assert.equal(await writerOf('gw_a').write(first), 0);
    const { rows, hourly, daily } = await sums(database);
    assert.equal(rows.requests, 25);
    assert.deepEqual(hourly, rows);
    assert.deepEqual(daily, rows);
    assert.equal(hook.committed.flat().length, 25);
    assert.equal(new Set(hook.committed.flat()).size, 25);
    assert.equal((await verifyLedger(database, recomputedNanoUsd)).faultCount, 0);
  });

  it('the ledger writes a batch of many frames of records, without those that exist', async () => {
    const first = many(700);
    const more = [...many(600), ...first.slice(690), ...many(5)];
    const batch = new BatchRecords();
    const provisional = { ...ledgerRecord(), pending: true as const };
    batch.addFrame(encodeBatch([...first.slice(0, 300), provisional]), 300);
    batch.addFrame(encodeBatch(first.slice(300)), 400);
    assert.equal(await writer.write(batch), 700);
    const again = new BatchRecords();
    again.addFrame(encodeBatch(more), more.length);
    assert.equal(await writer.write(again), 605);
    const { rows, hourly } = await sums(database);
    assert.equal(rows.requests, 1_305);
    assert.deepEqual(hourly, rows);
    assert.equal(new Set(hook.committed.flat()).size, 1_305);
    assert.equal(hook.committed.flat().length, 1_305);
    assert.equal((await verifyLedger(database, recomputedNanoUsd)).faultCount, 0);
  });

  it('the ledger writes nothing of a batch whose last row is faulty, and all of it without that row', async () => {
    const records = many(520);
    const faulty = ledgerRecord({ status: 0.5 });
    await assert.rejects(writer.write([...records, faulty]), isRowFault);
    assert.equal((await sums(database)).rows.requests, 0);
    assert.equal(await writer.write(records), 520);
    assert.equal(hook.committed.length, 1);
    assert.equal((await verifyLedger(database, recomputedNanoUsd)).faultCount, 0);
  });

  it('the ledger writes rows and the changes of its hooks together or not at all', async () => {
    hook.fails = 1;
    const records = many(3);
    await assert.rejects(writer.write(records), /the hook failed/);
    assert.equal((await sums(database)).rows.requests, 0);
    assert.equal((await sums(database)).hourly.requests, 0);
    assert.equal(await writer.write(records), 3);
    assert.equal(hook.committed.length, 1);
  });

  it('the ledger recognises a commit whose answer was lost', async () => {
    let lose = true;
    const losing: Database = {
      ...database,
      query: database.query,
      write: async (work) => {
        const result = await database.write(work);
        if (!lose) return result;
        lose = false;
        throw new Error('the connection broke');
      },
    };
    const over = writerOf('gw_a', losing);
    const records = many(4);
    await assert.rejects(over.write(records), /the connection broke/);
    assert.equal(await over.write(records), 4);
    assert.equal((await sums(database)).rows.requests, 4);
    assert.deepEqual(hook.committed.length, 1);
    assert.equal(await over.write(many(1)), 1);
    assert.equal((await verifyLedger(database, recomputedNanoUsd)).faultCount, 0);
  });

  it('the ledger recognises such a commit also after a further try failed', async () => {
    // Under way still (it waits for a replica, say): whoever asks meanwhile is told of the head before it.
    const before = { head_seq: 0, head_hash: '' };
    const unseen = database.query.withPlugin({
      transformQuery: ({ node }) => node,
      transformResult: async ({ result }) => ({
        ...result,
        rows: result.rows.filter((row) => !('rests' in row)).map((row) => ({ ...row, ...before })),
      }),
    });
    let fault: 'answer lost' | 'lock timeout' | undefined = 'answer lost';
    const over = writerOf('gw_a', {
      ...database,
      get query() {
        return fault === 'lock timeout' ? unseen : database.query;
      },
      write: async (work) => {
        if (fault === 'lock timeout') throw new Error(fault);
        const result = await database.write(work);
        if (fault) throw new Error(fault);
        return result;
      },
    });
    const records = many(4);
    await assert.rejects(over.write(records), /answer lost/);
    fault = 'lock timeout';
    await assert.rejects(over.write(records), /lock timeout/);
    fault = undefined;
    assert.equal(await over.write(records), 4);
    assert.equal(hook.committed.length, 1);
    assert.equal((await sums(database)).rows.requests, 4);
  });

  it('the ledger has one chain a gateway, also where two processes write to it by turns', async () => {
    const second = writerOf('gw_a');
    const other = writerOf('gw_b');
    for (let turn = 0; turn < 3; turn += 1) {
      await writer.write(many(2));
      await second.write(many(3));
      await other.write(many(1));
    }
    const verified = await verifyLedger(database, recomputedNanoUsd);
    assert.deepEqual(verified.faults, []);
    assert.deepEqual([verified.chains, verified.rows], [2, 18]);
    const chains = await database.query
      .selectFrom('ledger_chains')
      .select(['gateway', 'chain', 'head_seq'])
      .orderBy('chain')
      .execute();
    assert.deepEqual(
      chains.map((each) => ({ ...each })),
      [
        { gateway: 'gw_a', chain: 1, head_seq: 15 },
        { gateway: 'gw_b', chain: 2, head_seq: 3 },
      ],
    );
  });
});
