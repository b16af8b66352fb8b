import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageMeter } from '../../../src/usage/usage-meter.ts';

test('usage is unknown, and not zero, until somebody tells it', () => {
  assert.equal(new UsageMeter().usage, undefined);
});

test('the last of partial counts wins, counter by counter, and what it leaves out stays', () => {
  const meter = new UsageMeter();
  meter.add({ inputTokens: 10, outputTokens: 1, cacheReadInputTokens: 4 });
  meter.add({ outputTokens: 5, reasoningOutputTokens: 2 });
  meter.add({ outputTokens: 0, inputTokens: undefined });
  assert.deepEqual(meter.usage, {
    inputTokens: 10,
    outputTokens: 0,
    cacheReadInputTokens: 4,
    reasoningOutputTokens: 2,
  });
});

test('an invalid count is as if it was not told, and a fraction is rounded', () => {
  const meter = new UsageMeter();
  meter.add({ inputTokens: 10, outputTokens: 2.5 });
  for (const nonsense of [-1, Number.NaN, Number.POSITIVE_INFINITY, 1e300, 2 ** 25]) {
    meter.add({ inputTokens: nonsense, cacheReadInputTokens: nonsense });
  }
  assert.deepEqual(meter.usage, { inputTokens: 10, outputTokens: 3 });
});

test('added usage is not changed by what is added later', () => {
  const meter = new UsageMeter();
  const first = { inputTokens: 1 };
  meter.add(first);
  meter.add({ inputTokens: 2 });
  assert.deepEqual(first, { inputTokens: 1 });
});

test('every byte of an answer is counted, and the first 2 KiB are kept as a copy', () => {
  const meter = new UsageMeter();
  const sent = Buffer.alloc(5000, 'ab');
  for (let at = 0; at < sent.length; at += 7) meter.passed(sent.subarray(at, at + 7));
  assert.equal(meter.answerBytes, 5000);
  const expected = Buffer.from(sent.subarray(0, 2048));
  sent.fill(0);
  assert.ok(meter.sample().equals(expected));
});

test('a single large piece of an answer is cut to the sample', () => {
  const meter = new UsageMeter();
  meter.passed(Buffer.alloc(100_000, 'x'));
  assert.equal(meter.sample().length, 2048);
  assert.equal(meter.answerBytes, 100_000);
});
