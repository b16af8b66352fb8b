import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExact, scalarText } from '../../../src/codec/exact-json.ts';

test('exact JSON writes numbers as they were written', () => {
  const text = '{"order":12345678901234567890,"scale":1.0,"tiny":1e-400,"plain":3,"list":[-0,{"deep":1E3}]}';
  assert.equal(JSON.stringify(parseExact(text)), text);
});

test('exact JSON throws as JSON.parse does for what is not JSON', () => {
  assert.throws(() => parseExact('{'), SyntaxError);
});

test('text is made of words, numbers and flags alone, and of nothing else that a stranger may send', () => {
  const parsed = parseExact('["a", 1.0, 2, true, null, {"toString": 0}, [], {}]');
  assert.ok(Array.isArray(parsed));
  assert.deepEqual(parsed.map(scalarText), ['a', '1.0', '2', 'true', undefined, undefined, undefined, undefined]);
  assert.equal(scalarText(undefined), undefined);
});
