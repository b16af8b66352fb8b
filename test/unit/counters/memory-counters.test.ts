import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cell, type CellWindow } from '../../../src/counters/cell.ts';
import { isRefusal, type Leg, type Refusal, type Reservation } from '../../../src/counters/counters.ts';
import { MemoryCounters, sharedCounts } from '../../../src/counters/memory-counters.ts';

const MINUTE: CellWindow = { kind: 'sliding', ms: 60_000 };
const DAY: CellWindow = { kind: 'calendar', period: 'day' };
const OPEN: CellWindow = { kind: 'open' };
const START = Date.now() + 86_400_000;

interface Bench {
  readonly counters: MemoryCounters;
  readonly clock: { now: number };
  reserve(legs: readonly Leg[], amounts?: readonly number[]): Reservation | Refusal;
}

function bench(sizes: { maxCells?: number } = {}, start = START): Bench {
  const clock = { now: start };
  const buffer = sharedCounts({ relayThreads: 1, maxCells: sizes.maxCells ?? 1024, maxInFlight: 256 });
  const counters = new MemoryCounters(buffer, 0, () => clock.now);
  return {
    counters,
    clock,
    reserve: (legs, amounts = legs.map(() => 1)) => counters.reserve(legs, amounts, clock.now),
  };
}

function held(answer: Reservation | Refusal): Reservation {
  assert.ok(!isRefusal(answer), `refused: ${JSON.stringify(answer)}`);
  return answer;
}

function refused(answer: Reservation | Refusal): Refusal {
  assert.ok(isRefusal(answer), 'not refused');
  return answer;
}

const leg = (limit: number, window: CellWindow, name = 'cell'): Leg => ({ cell: new Cell(name, window), limit });

test('no more than the limit passes in any span of the unit, whatever the times', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const random = pseudoRandom(seed);
    const limit = 1 + Math.floor(random() * 20);
    const { clock, reserve } = bench();
    const one = leg(limit, MINUTE);
    const passed: number[] = [];
    for (let request = 0; request < 2_000; request += 1) {
      clock.now += random() < 0.02 ? random() * 70_000 : random() * 3_000;
      if (!isRefusal(reserve([one]))) passed.push(clock.now);
    }
    for (let first = 0; first + limit < passed.length; first += 1) {
      const span = passed[first + limit]! - passed[first]!;
      assert.ok(span > 60_000, `seed ${seed}: ${limit + 1} in ${span} ms`);
    }
    assert.ok(passed.length > limit, 'and the window moves on');
  }
});

test('a refusal says exactly when a request passes, and none passes a bucket earlier', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const random = pseudoRandom(seed);
    const { clock, reserve } = bench();
    const one = leg(100, MINUTE);
    for (let request = 0; request < 300; request += 1) {
      clock.now += random() * 2_000;
      const amount = 1 + Math.floor(random() * 30);
      const answer = reserve([one], [amount]);
      if (!isRefusal(answer)) continue;
      assert.ok(answer.retryAfterMs > 0 && answer.retryAfterMs <= 61_000, String(answer.retryAfterMs));
      clock.now += answer.retryAfterMs - 1;
      refused(reserve([one], [amount]));
      clock.now += 1;
      held(reserve([one], [amount]));
    }
  }
});

test('a reservation that one leg refuses is held by no other leg', () => {
  const { counters, clock, reserve } = bench();
  const legs = [leg(10, MINUTE, 'a'), leg(10, DAY, 'b'), leg(1, OPEN, 'c')];
  const first = held(reserve(legs));
  assert.equal(refused(reserve(legs)).refusedLeg, 2);
  assert.equal(counters.read(legs[0]!.cell, clock.now).used, 1);
  assert.equal(counters.read(legs[1]!.cell, clock.now).held, 1);
  assert.equal(counters.openReservations, 1);
  first.settle([1, 1, 1], clock.now);
  assert.deepEqual(counters.read(legs[1]!.cell, clock.now), { used: 1, held: 0 });
  assert.deepEqual(counters.read(legs[2]!.cell, clock.now), { used: 0, held: 0 });
  assert.equal(counters.openReservations, 0);
});

test('a reservation is capped at the limit, and settled with what was used', () => {
  const { counters, clock, reserve } = bench();
  const tokens = leg(1_000, MINUTE, 'tokens');
  const first = held(reserve([tokens], [50_000]));
  assert.equal(counters.read(tokens.cell, clock.now).used, 1_000);
  refused(reserve([tokens], [1]));
  first.settle([400], clock.now);
  assert.equal(counters.read(tokens.cell, clock.now).used, 400);
  held(reserve([tokens], [600])).settle([700], clock.now);
  assert.equal(counters.read(tokens.cell, clock.now).used, 1_100);
  refused(reserve([tokens], [0]));
});

test('a reservation that is settled twice counts once', () => {
  const { counters, clock, reserve } = bench();
  const day = leg(10, DAY);
  const reservation = held(reserve([day], [5]));
  reservation.settle([3], clock.now);
  reservation.settle([3], clock.now);
  assert.deepEqual(counters.read(day.cell, clock.now), { used: 3, held: 0 });
  assert.equal(counters.openReservations, 0);
});

test('use is charged where the reservation stands, and later only the excess', () => {
  const { counters, clock, reserve } = bench();
  const tokens = leg(1_000, MINUTE);
  const short = held(reserve([tokens], [500]));
  const long = held(reserve([tokens], [300]));
  clock.now += 30_000;
  short.settle([100], clock.now);
  assert.equal(counters.read(tokens.cell, clock.now).used, 400);
  clock.now += 31_000;
  assert.equal(counters.read(tokens.cell, clock.now).used, 0, 'it has left the window with its bucket');
  long.settle([450], clock.now);
  assert.equal(counters.read(tokens.cell, clock.now).used, 150);
});

test('a limit of zero refuses all, and an infinite limit counts all', () => {
  const { counters, clock, reserve } = bench();
  refused(reserve([leg(0, MINUTE, 'zero')]));
  const audit = leg(Number.POSITIVE_INFINITY, DAY, 'audit');
  held(reserve([audit], [7])).settle([9], clock.now);
  assert.equal(counters.read(audit.cell, clock.now).used, 9);
});

test('a calendar count begins anew with its period, and what is held stays held', () => {
  const midnight = Date.UTC(2031, 4, 2);
  const { counters, clock, reserve } = bench({}, midnight - 10_000);
  const day = leg(100, DAY);
  held(reserve([day], [60])).settle([60], clock.now);
  const over = held(reserve([day], [30]));
  assert.equal(refused(reserve([day], [41])).retryAfterMs, 10_000);
  assert.equal(refused(reserve([day], [20])).retryAfterMs, 1_000, 'what is held may come back at any time');
  clock.now = midnight;
  assert.deepEqual(counters.read(day.cell, clock.now), { used: 0, held: 30 });
  over.settle([50], midnight - 1);
  assert.deepEqual(counters.read(day.cell, clock.now), { used: 0, held: 0 }, 'it ended in the day before');
  held(reserve([day], [10])).settle([10], clock.now);
  assert.equal(counters.read(day.cell, clock.now).used, 10);
});

test('a calendar count that nobody asked about is charged in the period in which the exchange ended', () => {
  const midnight = Date.UTC(2031, 4, 2);
  const { counters, clock, reserve } = bench({}, midnight - 10);
  const day = leg(100, DAY);
  const over = held(reserve([day], [30]));
  clock.now = midnight + 5;
  over.settle([50], midnight + 1);
  assert.deepEqual(counters.read(day.cell, clock.now), { used: 50, held: 0 });
});

test('an exchange that ended in the new day by a clock that is a little ahead is charged to that day, and to no other', () => {
  const midnight = Math.ceil(START / 86_400_000) * 86_400_000;
  for (const aheadMs of [30, 0, -30]) {
    const { counters, clock, reserve } = bench({}, midnight - 1_000);
    const one = leg(100, DAY);
    const reservation = held(reserve([one], [10]));
    clock.now = midnight - 10;
    reservation.settle([7], clock.now + aheadMs);
    clock.now = midnight + 10;
    assert.equal(counters.read(one.cell, clock.now).used, aheadMs > 10 ? 7 : 0, `${aheadMs} ms ahead`);
  }
});

test('a clock that was set to tomorrow does not begin the day anew', () => {
  const midnight = Math.ceil(START / 86_400_000) * 86_400_000;
  const { counters, clock, reserve } = bench({}, midnight - 7_200_000);
  const one = leg(100, DAY);
  held(reserve([one], [10])).settle([7], clock.now);
  held(reserve([one], [10])).settle([5], midnight + 1);
  assert.equal(counters.read(one.cell, clock.now).used, 7);
});

test('a stream that outgrows its estimate holds more, as far as the limit goes', () => {
  const { counters, clock, reserve } = bench();
  const legs = [leg(1_000, MINUTE, 'rate'), leg(100, DAY, 'budget')];
  const reservation = held(reserve(legs, [10, 60]));
  assert.equal(reservation.extend(1, 40, clock.now), true);
  assert.equal(reservation.extend(1, 1, clock.now), false);
  assert.equal(counters.read(legs[1]!.cell, clock.now).held, 100);
  reservation.settle([10, 90], clock.now);
  assert.deepEqual(counters.read(legs[1]!.cell, clock.now), { used: 90, held: 0 });
  assert.equal(reservation.extend(1, 1, clock.now), false, 'not after the end');
});

test('spending before a start, and that of others, counts', () => {
  const { counters, clock, reserve } = bench();
  const day = leg(100, DAY);
  counters.seed(day.cell, 90, clock.now);
  counters.seed(day.cell, 20, clock.now);
  assert.equal(counters.read(day.cell, clock.now).used, 90);
  counters.add(day.cell, 5, clock.now);
  counters.add(day.cell, 5, clock.now - 86_400_000);
  held(reserve([day], [5]));
  refused(reserve([day], [1]));
});

test('a count whose window was changed by a reload begins anew', () => {
  const { reserve } = bench();
  held(reserve([leg(1, MINUTE, 'same')]));
  refused(reserve([leg(1, MINUTE, 'same')]));
  held(reserve([leg(1, { kind: 'sliding', ms: 3_600_000 }, 'same')]));
});

test('idle cells are evicted and busy ones are not: further groups of the rule share one count', () => {
  const { counters, clock, reserve } = bench({ maxCells: 64 });
  const shared = new Cell('rule/overflow', MINUTE);
  const group = (index: number): Leg => ({ cell: new Cell(`rule/${index}`, MINUTE, shared), limit: 2 });
  const groups = Array.from({ length: 1_000 }, (_, index) => group(index));
  let passed = 0;
  for (const each of groups) for (let turn = 0; turn < 3; turn += 1) if (!isRefusal(reserve([each]))) passed += 1;
  // 56 places of one stripe, each with its own limit, and all others together with one.
  assert.equal(passed, 56 * 2 + 2);
  assert.ok(counters.overflowed > 0);
  clock.now += 61_000;
  held(reserve([group(999)]));
  assert.equal(counters.read(groups[999]!.cell, clock.now).used, 1, 'it has a place of its own now');
  const rule = leg(1, MINUTE, 'a rule without groups');
  held(reserve([rule]));
});

test('a rule without groups has a cell while all groups are busy; without a cell nothing passes uncounted', () => {
  const { reserve } = bench({ maxCells: 64 });
  const answers = Array.from({ length: 100 }, (_, index) => reserve([leg(5, MINUTE, `plain ${index}`)]));
  assert.equal(answers.filter((answer) => !isRefusal(answer)).length, 64);
  assert.equal(refused(answers[99]!).refusedLeg, -1);
});

test('cells that are held are never evicted, and settle where they stand', () => {
  const { counters, clock, reserve } = bench({ maxCells: 64 });
  const open = Array.from({ length: 40 }, (_, index) => leg(1, OPEN, `open ${index}`));
  const reservations = open.map((each) => held(reserve([each])));
  clock.now += 120_000;
  for (let index = 0; index < 500; index += 1) {
    clock.now += 61_000;
    reserve([leg(1, MINUTE, `passing ${index}`)]);
  }
  for (const each of open) refused(reserve([each]));
  for (const each of reservations) each.settle([1], clock.now);
  for (const each of open) assert.deepEqual(counters.read(each.cell, clock.now), { used: 0, held: 0 });
});

test('a thread that has served millions holds no more slots than are open', () => {
  const { counters, clock, reserve } = bench();
  const legs = [leg(Number.POSITIVE_INFINITY, MINUTE, 'a'), leg(10, OPEN, 'b')];
  for (let turn = 0; turn < 50_000; turn += 1) held(reserve(legs)).settle([1, 1], clock.now);
  assert.equal(counters.openReservations, 0);
});

test('no request passes while more are open than can be remembered', () => {
  const { clock, reserve } = bench();
  const endless = leg(Number.POSITIVE_INFINITY, MINUTE);
  const open: Reservation[] = [];
  let answer = reserve([endless]);
  while (!isRefusal(answer)) {
    open.push(answer);
    answer = reserve([endless]);
  }
  assert.equal(answer.refusedLeg, -1);
  assert.equal(open.length, 4_096);
  for (const each of open) each.settle([1], clock.now);
  held(reserve([endless]));
});

test('counting without limits counts what another engine let in', () => {
  const { counters, clock } = bench();
  const day = leg(10, DAY);
  const reservation = counters.count([day], [50], clock.now);
  assert.equal(counters.read(day.cell, clock.now).held, 50);
  reservation.settle([20], clock.now);
  assert.equal(counters.read(day.cell, clock.now).used, 20);
});

/** mulberry32 */
function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
