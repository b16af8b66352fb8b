import assert from 'node:assert/strict';
import { test } from 'node:test';
import { epochMs, followWall } from '../../../src/core/clock.ts';

const NEAR_MS = 100;

/** The time that a timestamp tells lies between a look at the wall clock before it and one behind it. */
function assertNow(offsetMs: number): void {
  const from = Date.now();
  const told = epochMs(performance.now()) - offsetMs;
  assert.ok(told > from - NEAR_MS && told < Date.now() + NEAR_MS, `${told - from} ms behind the wall clock`);
}

test('timestamps follow a wall clock that was set, and do not jitter with the moment of reading', () => {
  const now = performance.now();
  const before = epochMs(now);
  assertNow(0);
  followWall(before + (performance.now() - now) + 5);
  assert.equal(epochMs(now), before);
  followWall(Date.now() + 90_000_000);
  assertNow(90_000_000);
  followWall(Date.now());
  assertNow(0);
});
