import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resetText } from '../../../src/limits/applied-rules.ts';

test('time spans of rate headers are written as OpenAI writes them, and never shorter than they are', () => {
  const written: [number, string][] = [
    [0, '0ms'],
    [19.2, '20ms'],
    [999, '999ms'],
    [1_000, '1s'],
    [1_001, '2s'],
    [59_001, '1m0s'],
    [360_000, '6m0s'],
    [3_600_000, '1h0m0s'],
    [5_025_000, '1h23m45s'],
    [90_000_000, '25h0m0s'],
  ];
  for (const [ms, text] of written) assert.equal(resetText(ms), text, String(ms));
});
