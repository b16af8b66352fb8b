import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedLayout, TAKEN_OVER } from '../../../src/counters/shared-layout.ts';
import { StripeLocks } from '../../../src/counters/stripe-locks.ts';

const layout = () =>
  SharedLayout.create({ threads: 3, maxCells: 64, maxInFlight: 1, baseMs: Date.now(), clockOffsetMs: 0 });

/** How often a lock was waited for to the end. */
const takenOver = (shared: SharedLayout): number => Atomics.load(shared.header, TAKEN_OVER);

test('a lock whose holder never comes back is taken over after a quarter of a second', () => {
  const shared = layout();
  new StripeLocks(shared, 0).lock(0b1);
  const other = new StripeLocks(shared, 1);
  const startedAt = performance.now();
  other.lock(0b1);
  assert.ok(performance.now() - startedAt > 200);
  assert.equal(takenOver(shared), 1);
  other.unlock(0b1);
  other.lock(0b1);
  assert.equal(takenOver(shared), 1, 'what was given back is not waited for');
  other.unlock(0b1);
});

test('a dead thread’s locks are free when it was reclaimed, and those of others are not', () => {
  const shared = layout();
  const dead = new StripeLocks(shared, 0);
  const alive = new StripeLocks(shared, 1);
  dead.lock(0b101);
  alive.lock(0b010);
  new StripeLocks(shared, 2).release(0);
  const third = new StripeLocks(shared, 2);
  third.lock(0b101);
  assert.equal(takenOver(shared), 0, 'the locks of the dead one were not waited for');
  third.unlock(0b101);
  const startedAt = performance.now();
  third.lock(0b010);
  assert.ok(performance.now() - startedAt > 200, 'that of the living one only after a wait');
});

test('a thread that was taken for dead does not free the lock of the one that took over', () => {
  const shared = layout();
  const slow = new StripeLocks(shared, 0);
  const other = new StripeLocks(shared, 1);
  slow.lock(0b1);
  other.lock(0b1);
  slow.unlock(0b1);
  const startedAt = performance.now();
  new StripeLocks(shared, 2).lock(0b1);
  assert.ok(performance.now() - startedAt > 200, 'the other one still holds it');
});
