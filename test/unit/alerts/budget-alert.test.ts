import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alertId, alertJson, alertText, type BudgetAlert } from '../../../src/alerts/budget-alert.ts';

const alert: BudgetAlert = {
  budget: 'b',
  mode: 'enforce',
  appliesPer: [],
  group: '',
  unit: 'tokens_per_month',
  counts: 'tokens',
  period: 'month',
  periodStart: Date.UTC(2030, 10, 1),
  threshold: 100,
  spent: 999,
  limit: 1000,
};

test('the text of an alert says what follows from it', () => {
  assert.equal(
    alertText(alert),
    'Budget b: 100% of 1000 tokens reached. Spent this month: 999 tokens (99.9%). At 100% requests are refused. ' +
      'It begins anew at 2030-12-01 00:00 UTC.',
  );
  assert.match(alertText({ ...alert, spent: 1000 }), /Further requests are refused/);
  assert.match(alertText({ ...alert, mode: 'cut' }), /streams are cut/);
  assert.match(alertText({ ...alert, mode: 'downgrade', spent: 1000 }), /go to a cheaper model/);
  assert.match(alertText({ ...alert, mode: 'audit', spent: 5000 }), /watched and not enforced/);
});

test('the text of an alert leaves out a share of nothing, shows small amounts, and says 100% only when it is reached', () => {
  const dollars = { ...alert, counts: 'cost' as const, unit: 'cost_per_month' };
  assert.match(alertText({ ...dollars, limit: 0, spent: 1_200 }), /Spent this month: 0\.0000012 US dollars\. /);
  assert.match(alertText({ ...dollars, limit: 1e9, spent: 1e9 - 1 }), /\(99\.9%\)/);
});

test('the text of an alert shows what there is of a group that was made for other keys', () => {
  assert.match(alertText({ ...alert, appliesPer: ['user', 'model'], group: 'x' }), /by group x/);
  assert.match(alertText({ ...alert, appliesPer: ['user'], group: '' }), /by user \(none\)/);
});

test('the alert of a first refusal says what was spent of how much, since requests may be refused before all is', () => {
  const refuses: BudgetAlert = { ...alert, threshold: 'refuses' };
  assert.equal(
    alertText(refuses),
    'Budget b: requests are refused. Spent this month: 999 tokens of 1000 tokens (99.9%). A request did not fit into ' +
      'what is left beside what open requests hold. It begins anew at 2030-12-01 00:00 UTC.',
  );
  assert.match(alertText({ ...refuses, mode: 'downgrade' }), /^Budget b: requests go to a cheaper model\./);
});

test('an alert says by its type what happened, and has a threshold only where there is one', () => {
  const typed = (more: Partial<BudgetAlert>) => JSON.parse(JSON.stringify(alertJson({ ...alert, ...more })));
  assert.deepEqual([typed({}).type, typed({}).threshold], ['budget.threshold', 100]);
  const refuses = typed({ threshold: 'refuses' });
  assert.deepEqual([refuses.type, 'threshold' in refuses, refuses.spent], ['budget.refuses', false, 999]);
  assert.equal(typed({ threshold: 'refuses', mode: 'downgrade' }).type, 'budget.downgrades');
});

test('two alerts never have the same name', () => {
  const refuses: BudgetAlert = { ...alert, threshold: 'refuses' };
  const others = [
    { ...alert, threshold: 90 },
    { ...alert, group: 'x' },
    { ...alert, unit: 'tokens_per_day' },
  ];
  assert.equal(new Set([alert, refuses, ...others].map(alertId)).size, 5);
});

test('spent and limit of an alert are told to the last digit, so that what is below the limit never reads like it', () => {
  const text = alertText({ ...alert, counts: 'cost', unit: 'cost_per_month', limit: 30_000_000, spent: 29_600_000 });
  assert.match(text, /100% of 0\.03 US dollars reached\. Spent this month: 0\.0296 US dollars \(98\.6%\)/);
});
