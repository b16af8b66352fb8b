import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearNames } from '../../../src/core/near-names.ts';

test('the nearest name comes first', () => {
  assert.deepEqual(nearNames('gpt-4p', ['gpt-4o-x', 'gpt-4o', 'claude']), ['gpt-4o']);
  assert.deepEqual(nearNames('model_tpyes', ['name', 'model_types', 'model_id']), ['model_types']);
});

test('two swapped letters are one mistake of a name, and letter case is none', () => {
  assert.deepEqual(nearNames('prot', ['port', 'host']), ['port']);
  assert.deepEqual(nearNames('PORT', ['port']), ['port']);
});

test('a short name is not near to everything', () => {
  assert.deepEqual(nearNames('ab', ['xy', 'q', 'abcd']), []);
});

test('no more near names come than were asked for', () => {
  assert.equal(nearNames('name', ['name1', 'name2', 'name3', 'name4']).length, 3);
  assert.equal(nearNames('name', ['name1', 'name2', 'name3', 'name4'], 1).length, 1);
});

test('a name longer than any id has no near names, so that it costs nothing', () => {
  assert.deepEqual(nearNames('a'.repeat(257), ['a'.repeat(257)]), []);
});
