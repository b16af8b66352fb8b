import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import type { BudgetRule } from '../../../src/config/rules/counted-rules.ts';
import type { Cell } from '../../../src/counters/cell.ts';
import { periodStart } from '../../../src/counters/periods.ts';
import { BudgetSpending } from '../../../src/ledger/budget-spending.ts';
import { BudgetWindows, currentWindows, forgetOldWindows, spentIn } from '../../../src/ledger/budget-windows.ts';
import type { Database } from '../../../src/store/database.ts';
import type { ExchangeRecord } from '../../../src/telemetry/exchange-record.ts';
import { forEachEngine } from '../../support/engines.ts';
import { eventually } from '../../support/gateway.ts';
import { budgetOf, chargedRecord, limitOf } from './budgets.ts';

const now = Date.UTC(2030, 4, 15, 12);
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Counts as shared memory does: `seed` raises, `add` adds. */
class Cells {
  readonly values = new Map<string, number>();
  readonly clock = { now: () => now, wallShiftMs: 0 };

  seed(cell: Cell, used: number): void {
    this.values.set(cell.name, Math.max(this.values.get(cell.name) ?? 0, used));
  }

  add(cell: Cell, amount: number): void {
    this.values.set(cell.name, (this.values.get(cell.name) ?? 0) + amount);
  }
}

forEachEngine('budget windows', (engine) => {
  let database: Database;
  beforeEach(async () => {
    database = await engine.open();
  });

  const perUser = budgetOf('per-user', { limits: [limitOf('cost_per_day', 100)], appliesPer: ['user'] });
  const all = budgetOf('all', { limits: [limitOf('cost_per_month', 100), limitOf('tokens_per_day', 100)] });
  const charged = (group: string, costNanoUsd: number, atMs = now) =>
    chargedRecord({
      startedAt: atMs,
      charges: [
        ['per-user', group],
        ['all', ''],
      ],
      costNanoUsd,
    });

  async function write(gateway: string, records: ExchangeRecord[], budgets = [perUser, all]): Promise<void> {
    const hook = new BudgetWindows({ gateway, budgets, onCharged: () => {} });
    const sums = hook.begin();
    for (const record of records) sums.add(record);
    await database.write((transaction) => sums.write(transaction));
  }
  const spent = async (budgets: BudgetRule[] = [perUser, all]) =>
    (await currentWindows(database, budgets, now)).map((each) => [each.budget, each.unit, each.group, each.spent]);

  it('budget windows hold what was charged, over batches and gateways, each unit and group apart', async () => {
    await write('one', [charged('user:a', 30), charged('user:b', 5)]);
    await write('one', [charged('user:a', 1)]);
    await write('two', [charged('user:a', 200)]);
    assert.deepEqual(await spent(), [
      ['per-user', 'cost_per_day', 'user:a', 231],
      ['per-user', 'cost_per_day', 'user:b', 5],
      ['all', 'cost_per_month', '', 236],
      ['all', 'tokens_per_day', '', 48],
    ]);
  });

  it('budget windows begin anew with the period, and an exchange counts where it ended', async () => {
    await write('one', [charged('user:a', 30, now - 86_400_000), charged('user:a', 1)]);
    assert.deepEqual(await spent([perUser]), [['per-user', 'cost_per_day', 'user:a', 1]]);
    assert.deepEqual(await spent([all]), [
      ['all', 'cost_per_month', '', 31],
      ['all', 'tokens_per_day', '', 12],
    ]);
  });

  it('budget windows of a rolled back batch are as they were', async () => {
    const hook = new BudgetWindows({ gateway: 'one', budgets: [all], onCharged: () => {} });
    const failing = database.write(async (transaction) => {
      const sums = hook.begin();
      sums.add(charged('', 30));
      await sums.write(transaction);
      throw new Error('the disk is full');
    });
    await assert.rejects(failing, /disk is full/);
    assert.deepEqual(await spent([all]), []);
  });

  it('budget windows of a removed budget are there when it comes back', async () => {
    await write('one', [charged('', 30)]);
    await write('one', [charged('', 1)], [perUser]);
    assert.deepEqual((await spent([all]))[0], ['all', 'cost_per_month', '', 30]);
  });

  it('budget windows are read by their keys, however many', async () => {
    const groups = Array.from({ length: 1_201 }, (_, index) => `user:${index}`);
    await write(
      'one',
      groups.map((group, index) => charged(group, index)),
    );
    const key = {
      budget: 'per-user',
      unit: 'cost_per_day',
      period: 'day' as const,
      periodStart: periodStart('day', now),
    };
    const found = await spentIn(
      database,
      groups.map((group) => ({ ...key, group })),
    );
    assert.equal(found.length, 1_200, 'nothing was spent by the first');
    assert.equal(found.find((each) => each.group === 'user:1200')?.spent, 1200);
  });

  it('budget windows are deleted after more than a year', async () => {
    await write('one', [charged('user:a', 30, now - 401 * 86_400_000), charged('user:a', 1)]);
    await forgetOldWindows(database, now);
    const rows = await database.query
      .selectFrom('budget_windows')
      .select('spent')
      .where('budget', '=', 'per-user')
      .execute();
    assert.deepEqual(
      rows.map((row) => row.spent),
      [1],
    );
  });

  it('budget windows hold large groups and amounts as they are', async () => {
    const group = `${'ü'.repeat(120)}' -- "\\`;
    await write('one', [charged(group, 9_000_000_000_000_000)]);
    assert.deepEqual((await spent([perUser]))[0]?.slice(2), [group, 9_000_000_000_000_000]);
  });

  it('budget windows are put into the counts at a start, and then what other gateways spend, once', async () => {
    await write('one', [charged('user:a', 30)]);
    await write('two', [charged('user:a', 200), charged('user:b', 7)]);
    const cells = new Cells();
    const spending = new BudgetSpending({
      database,
      gateway: 'one',
      counters: cells,
      budgets: [perUser],
      log,
      everyMs: 5,
    });
    await spending.seed();
    const a = 'budget/per-user/cost_per_day/user:a';
    const b = 'budget/per-user/cost_per_day/user:b';
    assert.deepEqual([cells.values.get(a), cells.values.get(b)], [230, 7]);
    // This gateway's own requests are in its counts already when they come to the database.
    cells.values.set(a, 231);
    await write('one', [charged('user:a', 1)]);
    await write('two', [charged('user:a', 10)]);
    spending.follow();
    await eventually('what the other spent is added', () => cells.values.get(a) === 241);
    await spending.seed();
    spending.stop();
    assert.deepEqual([cells.values.get(a), cells.values.get(b)], [241, 7]);
  });

  it('spending here that comes to the database late is counted beside that of others', async () => {
    await write('one', [charged('user:a', 30)]);
    await write('two', [charged('user:a', 200)]);
    const cells = new Cells();
    const spending = new BudgetSpending({ database, gateway: 'one', counters: cells, budgets: [perUser], log });
    await spending.seed();
    // The journal of an earlier run, which the database did not take at the start.
    await write('one', [charged('user:a', 60)]);
    await spending.seed();
    assert.equal(cells.values.get('budget/per-user/cost_per_day/user:a'), 290);
  });
});
