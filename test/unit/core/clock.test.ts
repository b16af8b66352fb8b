import assert from 'node:assert/strict';
import { test } from 'node:test';
import { epochMs, followWall } from '../../../src/core/clock.ts';

test('timestamps follow a wall clock that was set, and do not jitter with the moment of reading', () => {
  const now = performance.now();
  const before = epochMs(now);
  assert.ok(Math.abs(before - Date.now()) < 1_000);
  followWall(before + (performance.now() - now) + 5);
  assert.equal(epochMs(now), before);
  followWall(Date.now() + 90_000_000);
  assert.ok(Math.abs(epochMs(performance.now()) - Date.now() - 90_000_000) < 100);
  followWall(Date.now());
  assert.ok(Math.abs(epochMs(performance.now()) - Date.now()) < 100);
});
