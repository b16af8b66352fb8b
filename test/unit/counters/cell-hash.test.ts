import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CellHash } from '../../../src/counters/cell-hash.ts';

function lanes(hash: CellHash, text: string): string {
  hash.hash(text);
  return `${hash.high} ${hash.low}`;
}

/** `vectors_hsip64[0]` of the reference: of no bytes, with the key 00 01 … 07. Other texts are packed in another way. */
test('the hash of an empty text is that of the reference of HalfSipHash', () => {
  const hash = new CellHash(0x03020100, 0x07060504);
  hash.hash('');
  assert.deepEqual([hash.high >>> 0, hash.low >>> 0], [0x591f8d21, 0xc83cb8b9]);
});

test('two cell keys have two hashes, and the same key has the same', () => {
  assert.equal(lanes(new CellHash(1, 2), 'rate/0/a'), lanes(new CellHash(1, 2), 'rate/0/a'));
  assert.notEqual(lanes(new CellHash(1, 2), 'rate/0/a'), lanes(new CellHash(1, 3), 'rate/0/a'));
});

test('cell keys that differ by one letter, by length or by zeroes at the end have hashes far apart', () => {
  const hash = new CellHash(0x1234_5678, 0x9abc_def0);
  const texts = ['', '\0', '\0\0', '\0\0\0', 'a', 'a\0', 'b', 'ab', 'ba', 'abc', 'abd'];
  assert.equal(new Set(texts.map((text) => lanes(hash, text))).size, texts.length);
});

test('groups spread evenly over stripes', () => {
  const hash = new CellHash(7, 11);
  const stripes = new Array<number>(64).fill(0);
  for (let group = 0; group < 64_000; group += 1) {
    hash.hash(`rate/0/per-user/requests_per_minute/user:${group}@example.com`);
    stripes[hash.low & 63]! += 1;
  }
  // A thousand each; six standard deviations of a fair die.
  for (const count of stripes) assert.ok(count > 810 && count < 1_190, String(count));
});
