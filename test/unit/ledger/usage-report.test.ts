import assert from 'node:assert/strict';
import { before, it } from 'node:test';
import { countIn } from '../../../src/inference/usage.ts';
import { COUNTER_NAMES, type CounterName, USAGE_COUNTERS } from '../../../src/inference/usage-counters.ts';
import { LedgerWriter } from '../../../src/ledger/ledger-writer.ts';
import { removeHours } from '../../../src/ledger/retention.ts';
import type { UsageDimension } from '../../../src/ledger/usage-groups.ts';
import { type UsageReport, type UsageRow, type UsageSums, usageReport } from '../../../src/ledger/usage-report.ts';
import { usageCsv } from '../../../src/operator/admin/usage-form.ts';
import type { Database } from '../../../src/store/database.ts';
import { latencyCount, latencyQuantile } from '../../../src/store/latency-buckets.ts';
import { forEachEngine } from '../../support/engines.ts';
import { WHOLE_RECORD } from '../telemetry/records.ts';
import { many, refusedRecord } from './records.ts';

const NOON = Date.UTC(2026, 10, 22, 12);
const HOUR_MS = 3_600_000;

forEachEngine('usage', (engine) => {
  let database: Database;
  before(async () => {
    database = await engine.open();
    const writer = new LedgerWriter({ database, gatewayId: 'gw_a', metadataKeys: ['env'], hooks: [] });
    const at = (hoursAgo: number) => ({
      startedAt: NOON - hoursAgo * HOUR_MS,
      durationMs: 1,
      usage: { inputTokens: 10, outputTokens: 1 },
      costNanoUsd: 1000,
    });
    await writer.write([
      ...many(4, { ...at(1), teamsJson: '["red","blue"]', model: 'p/big' }),
      ...many(3, { ...at(2), teamsJson: '["red"]', model: 'p/small', metadataJson: '{"env":"prod"}' }),
      ...many(2, { ...at(30), subject: 'virtualaccount:ci', keyId: 'key_1' }),
      refusedRecord(at(1)),
    ]);
  });

  async function reportOf(from: Database, by: UsageDimension[]): Promise<UsageReport> {
    const made = await usageReport(from, { by, sinceMs: NOON - 2 * HOUR_MS, untilMs: NOON });
    if (typeof made === 'string') assert.fail(made);
    return made;
  }
  async function report(by: UsageDimension[], hours = 48): Promise<UsageReport> {
    const made = await usageReport(database, { by, sinceMs: NOON - hours * HOUR_MS, untilMs: NOON });
    if (typeof made === 'string') assert.fail(made);
    return made;
  }
  const requests = (made: UsageReport) =>
    Object.fromEntries(made.rows.map((row) => [row.group.join(' '), row.sums.requests]));

  it('usage is grouped by anything that is known of an exchange', async () => {
    assert.deepEqual(requests(await report(['model'])), { 'p/big': 4, 'p/small': 3, 'p/m': 3 });
    assert.deepEqual(requests(await report(['user'])), { 'bob@example.com': 8, '': 2 });
    assert.deepEqual(requests(await report(['virtualaccount', 'key'])), { 'ci key_1': 2, ' bob': 8 });
    assert.deepEqual(requests(await report(['metadata.env'])), { prod: 3, '': 7 });
    assert.deepEqual(requests(await report(['day'])), { '2026-11-21': 2, '2026-11-22': 8 });
    assert.deepEqual(requests(await report(['hour', 'target'])), {
      '2026-11-21T06:00Z p/m': 2,
      '2026-11-22T10:00Z p/m': 3,
      '2026-11-22T11:00Z p/m': 4,
      '2026-11-22T11:00Z ': 1,
    });
    assert.deepEqual(requests(await report([])), { '': 10 });
  });

  it('usage counts a member of two teams for each, and once in the total', async () => {
    const made = await report(['team']);
    assert.deepEqual(requests(made), { red: 7, blue: 4, '': 3 });
    assert.equal(made.total.requests, 10);
    assert.equal(made.total.cost_nano_usd, 9000);
    assert.equal(made.total.errors, 1);
    assert.equal(made.total.input_tokens, 90);
  });

  it('usage takes the hours that were asked for and no others', async () => {
    assert.equal((await report([], 3)).total.requests, 8);
    assert.equal((await report([], 1)).total.requests, 5);
    assert.deepEqual(
      (await report([], 3)).rows.map((row) => row.sums.requests),
      [8],
    );
  });

  it('usage holds the sums of every counter, those without a column of their own among them', async () => {
    const other = await engine.open();
    const writer = new LedgerWriter({ database: other, gatewayId: 'gw_a', metadataKeys: [], hooks: [] });
    const { usage } = WHOLE_RECORD;
    const at = { startedAt: NOON - HOUR_MS, durationMs: 1, usage };
    await writer.write(many(2, { ...at, model: 'p/big' }));
    await writer.write([...many(1, { ...at, model: 'p/big' }), ...many(4, { ...at, model: 'p/small' })]);
    for (const by of [['model'], ['model', 'hour']] as UsageDimension[][]) {
      const made = await usageReport(other, { by, sinceMs: NOON - 2 * HOUR_MS, untilMs: NOON });
      if (typeof made === 'string') assert.fail(made);
      const sumIn = (sums: UsageSums, name: CounterName): number | undefined => {
        const counter = USAGE_COUNTERS[name];
        return 'sum' in counter ? sums[counter.sum] : sums.counters[counter.column];
      };
      for (const name of COUNTER_NAMES) {
        const once = countIn(usage, name)!;
        assert.equal(sumIn(made.total, name), 7 * once, name);
        const big: UsageRow | undefined = made.rows.find(({ group }) => group[0] === 'p/big');
        assert.equal(big && sumIn(big.sums, name), 3 * once, name);
      }
    }
    const [heading = '', first = ''] = usageCsv(await reportOf(other, ['model']), ['model']).split('\n');
    const csv = Object.fromEntries(heading.split(',').map((column, index) => [column, first.split(',')[index]]));
    assert.equal(csv['web_search_requests'], String(4 * usage.rare.webSearchRequests));
    await removeHours(other, NOON);
    const left = await other.query.selectFrom('usage_counters_hourly').selectAll().execute();
    assert.deepEqual(left, []);
    assert.equal((await reportOf(other, [])).total.counters['web_search_requests'], 7 * usage.rare.webSearchRequests);
  });

  it('quantiles of first content and added latency are of all exchanges, right to their bucket, by any group', async () => {
    const other = await engine.open();
    const writer = new LedgerWriter({ database: other, gatewayId: 'gw_a', metadataKeys: [], hooks: [] });
    const at = { startedAt: NOON - HOUR_MS, durationMs: 1 };
    await writer.write([
      ...many(90, { ...at, model: 'p/quick', firstTokenMs: 180, overheadMs: 0.4 }),
      ...many(10, { ...at, model: 'p/slow', firstTokenMs: 2_000, overheadMs: 4 }),
    ]);
    for (const by of [[], ['hour'], ['day']] as UsageDimension[][]) {
      const made = await usageReport(other, { by, sinceMs: NOON - 2 * HOUR_MS, untilMs: NOON, beyond: 'latencies' });
      if (typeof made === 'string') assert.fail(made);
      const told = (share: number) => latencyQuantile('first_content', made.latencies ?? [], share) ?? 0;
      assert.ok(told(0.5) > 150 && told(0.5) <= 250, `${told(0.5)}`);
      assert.ok(told(0.95) > 1_600 && told(0.95) <= 2_500, `${told(0.95)}`);
      assert.deepEqual(made.rows[0]?.latencies, made.latencies);
    }
    const byModel = await usageReport(other, {
      by: ['model'],
      sinceMs: NOON - 2 * HOUR_MS,
      untilMs: NOON,
      beyond: 'latencies',
    });
    if (typeof byModel === 'string') assert.fail(byModel);
    const slow = byModel.rows.find(({ group }) => group[0] === 'p/slow');
    assert.equal(latencyCount('first_content', slow?.latencies ?? []), 10);
    const added = latencyQuantile('overhead', slow?.latencies ?? [], 0.5) ?? 0;
    assert.ok(added > 2 && added <= 5, `${added}`);
    assert.equal((await reportOf(other, [])).latencies, undefined);
    await removeHours(other, NOON);
    assert.deepEqual(await other.query.selectFrom('usage_latencies_hourly').selectAll().execute(), []);
  });

  it('usage is known by the day where hours are no longer kept', async () => {
    await removeHours(database, Date.UTC(2026, 10, 22));
    const made = await report(['day']);
    assert.equal(made.sumsOf, 'days');
    assert.deepEqual(requests(made), { '2026-11-21': 2, '2026-11-22': 8 });
    assert.match(
      String(await usageReport(database, { by: ['hour'], sinceMs: NOON - 48 * HOUR_MS, untilMs: NOON })),
      /ask by day/,
    );
    assert.equal((await report([], 3)).sumsOf, 'hours');
  });
});
