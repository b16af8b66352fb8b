import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GroupKey } from '../../../src/config/rules/rule-match.ts';
import { groupOf, limitsOfGroup, userOfGroup, valuesOf } from '../../../src/counters/budget-groups.ts';
import { budgetOf, limitOf } from '../ledger/budgets.ts';

test('values of several group keys are told apart whatever they hold', () => {
  assert.equal(groupOf([]), '');
  assert.equal(groupOf(['user:a']), 'user:a');
  assert.notEqual(groupOf(['a', 'b,c']), groupOf(['a,b', 'c']));
  assert.deepEqual(valuesOf(groupOf(['a"', '["b"]']), ['user', 'model']), ['a"', '["b"]']);
  assert.deepEqual(valuesOf('["x"]', ['model']), ['["x"]']);
  assert.equal(valuesOf('user:a', ['user', 'model']), undefined, 'of a rule that counted otherwise before');
  assert.equal(valuesOf('[1,2]', ['user', 'model']), undefined);
});

test('a group’s own limits are found by its name with or without its kind, and models by patterns', () => {
  const limits = [limitOf('cost_per_day', 1)];
  const own = [limitOf('cost_per_day', 2)];
  const per =
    (key: GroupKey) =>
    (...values: string[]) =>
      budgetOf('b', { limits, appliesPer: [key], overrides: [{ values, limits: own }] });
  const [user, account, model, tier] = [per('user'), per('virtualaccount'), per('model'), per('metadata.tier')];
  for (const [budget, group, expected] of [
    [user('a@b.c'), 'user:a@b.c', own],
    [account('ci'), 'virtualaccount:ci', own],
    [user('user:a@b.c'), 'user:a@b.c', own],
    [user('a@b.c'), 'user:xa@b.c', limits],
    [model('openai/*'), 'openai/gpt-4o', own],
    [model('*/gpt-*o'), 'openai/gpt-4o', own],
    [model('*/gpt-*o'), 'openai/gpt-4', limits],
    [model('a*a'), 'a', limits],
    [model('a*b*b'), 'ab', limits],
    [model('x', '*'), '', own],
    [user(), 'user:a', limits],
    [tier('vip'), 'vip', own],
    [tier('vip'), 'user:vip', limits],
    [tier('v*'), 'vip', limits],
    [tier('v*'), 'v*', own],
  ] as const) {
    assert.equal(limitsOfGroup(budget, group), expected, `${budget.overrides[0]?.values} ${group}`);
  }
});

test('the user of a group is known where the budget counts users', () => {
  assert.equal(userOfGroup(budgetOf('b', { appliesPer: ['user'] }), 'user:a@b.c'), 'a@b.c');
  assert.equal(userOfGroup(budgetOf('b', { appliesPer: ['model', 'user'] }), '["m","user:a@b.c"]'), 'a@b.c');
  assert.equal(userOfGroup(budgetOf('b', { appliesPer: ['user'] }), ''), undefined);
  assert.equal(userOfGroup(budgetOf('b', { appliesPer: ['model'] }), 'user:a@b.c'), undefined);
});
