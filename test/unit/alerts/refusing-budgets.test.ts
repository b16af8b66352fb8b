import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RefusingBudgets } from '../../../src/alerts/refusing-budgets.ts';
import { MetricRegistry } from '../../../src/telemetry/metric-registry.ts';

test('a budget that begins to refuse is said in the log and counted once per group and period', async () => {
  const told: unknown[] = [];
  const warn = (fields: object, message: string): void => void told.push([message, fields]);
  const budgets = new RefusingBudgets({ debug: () => {}, info: () => {}, warn, error: () => {} });
  const registry = new MetricRegistry();
  budgets.register(registry);
  const window = { budget: 'b', unit: 'cost_per_day', period: 'day', periodStart: 0, group: 'x' } as const;
  budgets.refuses(window, 'refuse');
  budgets.refuses(window, 'refuse');
  budgets.refuses({ ...window, group: 'y' }, 'refuse');
  budgets.refuses(window, 'refuse');
  budgets.refuses({ ...window, periodStart: 86_400_000 }, 'refuse');
  budgets.refuses({ ...window, budget: 'c' }, 'downgrade');
  assert.deepEqual(told[0], ['a budget begins to refuse requests', { budget: 'b', unit: 'cost_per_day', group: 'x' }]);
  assert.equal(told.length, 4);
  const rendered = await registry.render();
  assert.match(rendered, /sluice_budget_refusals_begun_total\{ruleId="b",action="refuse"\} 3/);
  assert.match(rendered, /sluice_budget_refusals_begun_total\{ruleId="c",action="downgrade"\} 1/);
});

test('groups that were told are remembered up to a bound, beyond which one may be told twice', () => {
  let told = 0;
  const warn = (): void => {
    told += 1;
  };
  const budgets = new RefusingBudgets({ debug() {}, info() {}, warn, error() {} });
  const window = { budget: 'b', unit: 'cost_per_day', period: 'day', periodStart: 0, group: '0' } as const;
  for (let group = 0; group < 50_000; group += 1) budgets.refuses({ ...window, group: String(group) }, 'refuse');
  budgets.refuses(window, 'refuse');
  assert.equal(told, 50_000);
  budgets.refuses({ ...window, group: 'one more' }, 'refuse');
  budgets.refuses(window, 'refuse');
  assert.equal(told, 50_002);
});
