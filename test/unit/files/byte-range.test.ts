import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteRange } from '../../../src/files/byte-range.ts';

test('a range header is one range, none, or one that cannot be satisfied', () => {
  for (const [header, bytes, expected] of [
    [undefined, 10, undefined],
    ['bytes=0-', 10, { start: 0, end: 10 }],
    ['bytes=2-3', 10, { start: 2, end: 4 }],
    ['bytes=-3', 10, { start: 7, end: 10 }],
    ['bytes=-30', 10, { start: 0, end: 10 }],
    ['bytes=9-99', 10, { start: 9, end: 10 }],
    ['bytes=10-', 10, 'unsatisfiable'],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=0-0', 0, 'unsatisfiable'],
    ['bytes=-1', 0, 'unsatisfiable'],
    ['bytes=3-2', 10, undefined],
    ['bytes=-', 10, undefined],
    ['bytes=0-1,2-3', 10, undefined],
    ['items=0-1', 10, undefined],
    ['bytes=0x1-2', 10, undefined],
  ] as const)
    assert.deepEqual(byteRange(header, bytes), expected, String(header));
});
