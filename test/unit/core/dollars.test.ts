import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dollarText } from '../../../src/core/dollars.ts';

test('an amount of money is printed digit for digit, never as another amount', () => {
  for (const [nano, text] of [
    [0, '0.00'],
    [1, '0.000000001'],
    [100, '0.0000001'],
    [36_079_500, '0.0360795'],
    [150_000_000, '0.15'],
    [1_000_000_000, '1.00'],
    [91_259_999_999, '91.259999999'],
    [-2_500_000_000, '-2.50'],
    [Number.MAX_SAFE_INTEGER, '9007199.254740991'],
  ] as const) {
    assert.equal(dollarText(nano), text);
  }
  assert.equal(dollarText(10_300_000, 6), '0.010300');
  assert.deepEqual([dollarText(5_000_000_000, 0), dollarText(30_000_000, 0)], ['5', '0.03']);
});

test('a printed amount reads back as the same number of nano-dollars', () => {
  for (let nano = 1; nano < Number.MAX_SAFE_INTEGER; nano = nano * 3 + 7) {
    const [whole = '', behind = ''] = dollarText(nano).split('.');
    assert.equal(BigInt(whole) * 1_000_000_000n + BigInt(behind.padEnd(9, '0')), BigInt(nano));
  }
});
