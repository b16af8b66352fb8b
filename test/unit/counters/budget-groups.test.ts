import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupOf, limitsOfGroup, userOfGroup, valuesOf } from '../../../src/counters/budget-groups.ts';
import { budgetOf, limitOf } from '../ledger/budgets.ts';

test('values of several keys are told apart whatever they hold', () => {
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
  const override = (...values: string[]) => budgetOf('b', { limits, overrides: [{ values, limits: own }] });
  for (const [budget, group, expected] of [
    [override('a@b.c'), 'user:a@b.c', own],
    [override('ci'), 'virtualaccount:ci', own],
    [override('user:a@b.c'), 'user:a@b.c', own],
    [override('a@b.c'), 'user:xa@b.c', limits],
    [override('openai/*'), 'openai/gpt-4o', own],
    [override('*/gpt-*o'), 'openai/gpt-4o', own],
    [override('*/gpt-*o'), 'openai/gpt-4', limits],
    [override('a*a'), 'a', limits],
    [override('a*b*b'), 'ab', limits],
    [override('x', '*'), '', own],
    [override(), 'user:a', limits],
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
