import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BudgetLimit, BudgetRule } from '../../../src/config/rules/counted-rules.ts';
import { ChargeSums, unitsOf } from '../../../src/ledger/budget-charges.ts';
import type { ExchangeRecord } from '../../../src/telemetry/exchange-record.ts';
import { budgetOf, chargedRecord, limitOf } from './budgets.ts';

const byId = (...budgets: BudgetRule[]) => new Map(budgets.map((each) => [each.id, each]));
function budgetCharges(records: readonly ExchangeRecord[], budgets: ReadonlyMap<string, BudgetRule>) {
  const sums = new ChargeSums();
  for (const record of records) sums.add(record);
  return sums.charges(budgets);
}

const midnight = Date.UTC(2030, 2, 1);

function amounts(records: ExchangeRecord[], ...budgets: BudgetRule[]): Record<string, number> {
  const charges = budgetCharges(records, byId(...budgets));
  return Object.fromEntries(
    charges.map(({ budget, unit, group, periodStart, amount }) => [
      `${budget} ${unit} ${group} ${new Date(periodStart).toISOString().slice(0, 10)}`,
      amount,
    ]),
  );
}

test('every unit of a budget is charged, in the period in which the exchange ended', () => {
  const budget = budgetOf('b', {
    limits: [limitOf('cost_per_day', 1), limitOf('cost_per_month', 1), limitOf('tokens_per_day', 1)],
  });
  const before = chargedRecord({
    startedAt: midnight - 5_000,
    durationMs: 4_999,
    charges: [['b', '']],
    costNanoUsd: 3,
  });
  const after = chargedRecord({ startedAt: midnight - 5_000, durationMs: 5_000, charges: [['b', '']], costNanoUsd: 4 });
  assert.deepEqual(amounts([before, after, after], budget), {
    'b cost_per_day  2030-02-28': 3,
    'b cost_per_month  2030-02-01': 3,
    'b tokens_per_day  2030-02-28': 12,
    'b cost_per_day  2030-03-01': 8,
    'b cost_per_month  2030-03-01': 8,
    'b tokens_per_day  2030-03-01': 24,
  });
});

test('units of a budget’s overrides are charged too', () => {
  const overrides = [{ values: ['a'], limits: [limitOf('cost_per_week', 1)] }];
  const budget = budgetOf('b', { limits: [limitOf('cost_per_day', 1)], overrides });
  assert.deepEqual(
    unitsOf(budget).map((each: Pick<BudgetLimit, 'unit'>) => each.unit),
    ['cost_per_day', 'cost_per_week'],
  );
});

test('an unknown cost or count is not charged, and is no error', () => {
  const budget = budgetOf('b', { limits: [limitOf('cost_per_day', 1), limitOf('tokens_per_day', 1)] });
  const unpriced = chargedRecord({
    startedAt: midnight,
    charges: [['b', '']],
    costNanoUsd: undefined,
    usage: { outputTokens: 5 },
  });
  const unknown = chargedRecord({
    startedAt: midnight,
    charges: [['b', '']],
    costNanoUsd: undefined,
    usage: undefined,
  });
  assert.deepEqual(amounts([unpriced, unknown], budget), { 'b tokens_per_day  2030-03-01': 5 });
});

test('budget groups are charged apart, and a batch names each window once', () => {
  const budget = budgetOf('b', { limits: [limitOf('cost_per_day', 1)], appliesPer: ['user'] });
  const by = (group: string) => chargedRecord({ startedAt: midnight, charges: [['b', group]], costNanoUsd: 1 });
  const charges = budgetCharges([by('user:a'), by('user:b'), by('user:a')], byId(budget));
  assert.deepEqual(
    charges.map((each) => [each.group, each.amount]),
    [
      ['user:a', 2],
      ['user:b', 1],
    ],
  );
  const bad = budgetCharges([by('x\0'), by('x\ud800'), by('x\ufffd')], byId(budget));
  assert.deepEqual(
    bad.map((each) => [each.group, each.amount]),
    [['x\ufffd', 3]],
    'as the database knows them',
  );
});

test('charges of a removed budget, and charges that cannot be read, stop nothing', () => {
  const budget = budgetOf('b', { limits: [limitOf('cost_per_day', 1)] });
  const gone = chargedRecord({
    startedAt: midnight,
    charges: [
      ['old', ''],
      ['b', ''],
    ],
    costNanoUsd: 1,
  });
  const broken = { ...chargedRecord({ startedAt: midnight, charges: [], costNanoUsd: 1 }), chargesJson: '[["b"' };
  assert.deepEqual(amounts([gone, broken], budget), { 'b cost_per_day  2030-03-01': 1 });
});
