import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cell } from '../../../src/counters/cell.ts';
import { isRefusal, type Leg } from '../../../src/counters/counters.ts';
import { MemoryCounters, sharedCounts } from '../../../src/counters/memory-counters.ts';

const HOUR_MS = 3_600_000;

function counting() {
  const buffer = sharedCounts({ relayThreads: 1, maxCells: 64, maxInFlight: 1 });
  const main = new MemoryCounters(buffer, 1);
  const relay = new MemoryCounters(buffer, 0);
  const reserve = (leg: Leg) => relay.reserve([leg], [1], relay.clock.now());
  return { main, relay, reserve };
}

test('a wall clock that is set back freezes no window and empties none', () => {
  const { main, relay, reserve } = counting();
  const leg: Leg = { cell: new Cell('minute', { kind: 'sliding', ms: 60_000 }), limit: 1 };
  assert.ok(!isRefusal(reserve(leg)));
  const before = relay.clock.now();
  main.clock.followWall(Date.now() - 5 * HOUR_MS);
  assert.ok(relay.clock.now() >= before);
  const refusal = reserve(leg);
  assert.ok(isRefusal(refusal) && refusal.retryAfterMs <= 61_000);
});

test('a wall clock that is set to another day begins that day’s budgets', () => {
  const { main, relay, reserve } = counting();
  const leg: Leg = { cell: new Cell('day', { kind: 'calendar', period: 'day' }), limit: 1 };
  const first = reserve(leg);
  assert.ok(!isRefusal(first));
  first.settle([1], Date.now());
  assert.ok(isRefusal(reserve(leg)));
  main.clock.followWall(Date.now() + 25 * HOUR_MS);
  const next = reserve(leg);
  assert.ok(!isRefusal(next));
  next.settle([1], Date.now() + 25 * HOUR_MS);
  assert.equal(relay.read(leg.cell, relay.clock.now()).used, 1);
});

test('a wall clock that is set to tomorrow and set right again charges today’s budgets again', () => {
  const { main, relay, reserve } = counting();
  const leg: Leg = { cell: new Cell('day', { kind: 'calendar', period: 'day' }), limit: 2 };
  assert.ok(main.clock.followWall(Date.now() + 25 * HOUR_MS) > 24 * HOUR_MS, 'it says how far it was set');
  const tomorrow = reserve(leg);
  assert.ok(!isRefusal(tomorrow));
  tomorrow.settle([1], Date.now() + 25 * HOUR_MS);
  main.clock.followWall(Date.now());
  const today = reserve(leg);
  assert.ok(!isRefusal(today));
  today.settle([1], Date.now());
  assert.equal(relay.read(leg.cell, relay.clock.now()).used, 2, 'what was used under the wrong date was used today');
  assert.ok(isRefusal(reserve(leg)));
});
