import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decimal } from '../../../src/core/decimal.ts';

test('one to fifteen digits are the number that they are', () => {
  for (const value of [0, 7, 10, 691, 4_294_967_296, 999_999_999_999_999]) assert.equal(decimal(String(value)), value);
  assert.equal(decimal('007'), 7);
});

test('whatever is not one to fifteen digits is no number', () => {
  const others = [
    '',
    ' ',
    '-1',
    '+1',
    '1.0',
    '1e3',
    '0x10',
    '1 ',
    ' 1',
    '１',
    '1,1',
    '1000000000000000',
    'NaN',
    '/',
    ':',
  ];
  for (const text of others) assert.ok(Number.isNaN(decimal(text)), JSON.stringify(text));
});
