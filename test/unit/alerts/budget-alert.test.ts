import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alertId, alertText, type BudgetAlert } from '../../../src/alerts/budget-alert.ts';

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

test('two alerts never have the same name', () => {
  const names = [alert, { ...alert, threshold: 90 }, { ...alert, group: 'x' }, { ...alert, unit: 'tokens_per_day' }];
  assert.equal(new Set(names.map(alertId)).size, 4);
});
