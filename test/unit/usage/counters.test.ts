import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addCounts, countIn, inputUsage, mergeUsage, type Usage } from '../../../src/inference/usage.ts';
import { COUNTER_NAMES, type CounterName, USAGE_COUNTERS } from '../../../src/inference/usage-counters.ts';
import { WHOLE_RECORD } from '../telemetry/records.ts';

const told = (name: CounterName, count: number): Usage =>
  USAGE_COUNTERS[name].carried === 'rare' ? { rare: { [name]: count } } : { [name]: count };

function merged(...parts: Usage[]): Usage {
  const usage: Usage = {};
  for (const part of parts) mergeUsage(usage, part);
  return usage;
}

for (const name of COUNTER_NAMES) {
  test(`the last count of ${name} wins, and an unknown or impossible one leaves it as it is`, () => {
    const count = (...parts: Usage[]) => countIn(merged(...parts), name);
    assert.equal(count(told(name, 5), told(name, 7)), 7);
    assert.equal(count(told(name, 5), {}, { rare: {} }), 5);
    for (const nonsense of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 40])
      assert.equal(count(told(name, 5), told(name, nonsense)), 5, String(nonsense));
    assert.equal(count(told(name, 5.4)), 5);
    assert.equal(count({}), undefined);
    assert.equal(count(told(name, 5), told(name, 0)), 0);
  });

  test(`counts of ${name} that are told apart are added`, () => {
    const sum: Usage = {};
    for (const part of [told(name, 5), {}, told(name, 7)]) addCounts(sum, part);
    assert.equal(countIn(sum, name), 12);
  });

  test(`${name} stays with a stream that was cut if it is of the input, and only then`, () => {
    const expected = USAGE_COUNTERS[name].side === 'input' ? countIn(WHOLE_RECORD.usage, name) : undefined;
    assert.equal(countIn(inputUsage(WHOLE_RECORD.usage), name), expected);
  });
}

test('no two counters have the same column or rate, and a part is of a counter that there is', () => {
  const all = COUNTER_NAMES.map((name) => USAGE_COUNTERS[name]);
  assert.equal(new Set(all.map(({ column }) => column)).size, all.length);
  assert.equal(new Set(all.map(({ rate }) => rate)).size, all.length);
  for (const counter of all) if ('partOf' in counter) assert.ok(counter.partOf in USAGE_COUNTERS);
});

test('a provider that tells zeros of what it never does makes no rare counts', () => {
  assert.equal(merged({ rare: { webSearchRequests: 0, outputImages: 0 } }).rare, undefined);
});

test('the last word of a provider says as what an answer was served, and its default is none', () => {
  const priority = { servedAs: { serviceTier: 'priority' } };
  assert.deepEqual(merged(priority, { inputTokens: 1 }).servedAs, priority.servedAs);
  assert.equal(merged(priority, { servedAs: { serviceTier: 'standard' } }).servedAs, undefined);
  assert.deepEqual(merged(priority, { servedAs: { speed: 'fast' } }).servedAs, {
    serviceTier: 'priority',
    speed: 'fast',
  });
  assert.deepEqual(inputUsage({ ...priority, providerCostUsd: 5 }), priority);
});
