import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Recorder } from '../../load/recorder.ts';

const WITHIN = 0.008;

function near(found: number, expected: number): void {
  assert.ok(Math.abs(found - expected) <= expected * WITHIN, `${found} is not within 0.8 % of ${expected}`);
}

test('percentiles are within 0.8 % of the exact ones, from microseconds to minutes', () => {
  for (const scale of [1, 7, 1000, 60_000]) {
    const recorder = new Recorder();
    for (let i = 1; i <= 1000; i++) recorder.record(i * scale);
    for (const percent of [1, 50, 90, 99, 99.9]) near(recorder.percentile(percent), percent * 10 * scale);
  }
});

test('values below 128 µs are kept exactly', () => {
  for (let value = 0; value < 128; value++) {
    const recorder = new Recorder();
    recorder.record(value);
    assert.equal(recorder.percentile(50), value);
  }
});

test('the extremes and the mean are exact, and no percentile lies outside of them', () => {
  const recorder = new Recorder();
  for (const us of [1003, 777_777, 5]) recorder.record(us);
  assert.equal(recorder.minUs, 5);
  assert.equal(recorder.maxUs, 777_777);
  assert.equal(recorder.meanUs, (1003 + 777_777 + 5) / 3);
  assert.equal(recorder.percentile(100), 777_777);
  assert.equal(recorder.percentile(0), 5);
});

test('recorders added together tell the same as one that saw everything, also after a copy', () => {
  const all = new Recorder();
  const parts = [new Recorder(), new Recorder()];
  for (let i = 0; i < 2000; i++) {
    const us = (i * 7919) % 100_003;
    all.record(us);
    parts[i % 2]?.record(us);
  }
  const merged = Recorder.from(...parts.map((part) => structuredClone(part.toData())));
  assert.deepEqual(merged.toData(), all.toData());
});

test('an empty recorder has no percentile', () => {
  assert.ok(Number.isNaN(new Recorder().percentile(50)));
});
