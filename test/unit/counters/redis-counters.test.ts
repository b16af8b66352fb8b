import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { CounterSettings } from '../../../src/config/server/store.ts';
import { Cell, type CellWindow } from '../../../src/counters/cell.ts';
import { isRefusal, type Leg, type Refusal, type Reservation } from '../../../src/counters/counters.ts';
import { MemoryCounters, sharedCounts } from '../../../src/counters/memory-counters.ts';
import { RedisCounters } from '../../../src/counters/redis-counters.ts';
import type { BudgetTruth } from '../../../src/counters/redis-settlements.ts';
import { eventually } from '../../support/gateway.ts';
import { COUNTER_SETTINGS, markSeeded, withRedis } from '../../support/redis-counting.ts';
import { type RedisServer, redisSkip, startRedis } from '../../support/redis-server.ts';

const MINUTE: CellWindow = { kind: 'sliding', ms: 60_000 };
const MONTH: CellWindow = { kind: 'calendar', period: 'month' };
const OPEN: CellWindow = { kind: 'open' };
const PASSWORD = 'a password of Redis';

interface Opened {
  readonly counters: RedisCounters;
  readonly machine: MemoryCounters;
  readonly events: string[];
}

describe('counters in Redis', { skip: redisSkip }, () => {
  let redis: RedisServer;
  let opened: Opened[] = [];
  let names = 0;
  before(async () => {
    redis = await startRedis();
  });
  beforeEach(() => markSeeded(redis.url));
  afterEach(async () => {
    await Promise.all(opened.map(({ counters }) => counters.stop()));
    opened = [];
    await withRedis(redis.url, (client) => client.flushAll());
  });
  after(() => redis?.[Symbol.asyncDispose]());

  interface More {
    settings?: Partial<CounterSettings>;
    url?: string;
    now?: () => number;
    budgetTruth?: BudgetTruth;
  }
  async function open({ settings, url = redis.url, now, budgetTruth = 'database' }: More = {}): Promise<Opened> {
    const machine = new MemoryCounters(sharedCounts({ relayThreads: 1, maxCells: 1024, maxInFlight: 1024 }), 0);
    const events: string[] = [];
    const counters = new RedisCounters({
      url,
      gatewayId: `gateway-${opened.length}`,
      thread: 0,
      threads: 1,
      settings: { ...COUNTER_SETTINGS, ...settings },
      machine,
      budgetTruth,
      onAway: (reason) => events.push(`away: ${reason}`),
      onBack: () => events.push('back'),
      ...(now && { now }),
    });
    const each = { counters, machine, events };
    opened.push(each);
    await counters.start();
    return each;
  }
  const leg = (window: CellWindow, limit: number): Leg => ({ cell: new Cell(`test/${names++}`, window), limit });
  /** Another gateway's own: a Cell belongs to one engine. */
  const same = ({ cell, limit }: Leg): Leg => ({ cell: new Cell(cell.name, cell.window), limit });
  async function take({ counters }: Opened, legs: readonly Leg[], ...amounts: number[]): Promise<Reservation> {
    const answer = await counters.reserve(legs, amounts, Date.now());
    if (isRefusal(answer)) assert.fail(`refused: ${JSON.stringify(answer)}`);
    return answer;
  }
  async function refused({ counters }: Opened, legs: readonly Leg[], ...amounts: number[]): Promise<Refusal> {
    const answer = await counters.reserve(legs, amounts, Date.now());
    assert.ok(isRefusal(answer), 'let in');
    return answer;
  }
  async function used(of: Opened, { cell }: Leg): Promise<number> {
    await new Promise((resolve) => setImmediate(resolve));
    const answer = await of.counters.reserve([{ cell: new Cell(cell.name, cell.window), limit: 0 }], [0], Date.now());
    assert.ok(isRefusal(answer));
    return answer.used;
  }

  it('two gateways share a limit in Redis', async () => {
    const [one, two] = [await open(), await open()];
    const legs = [leg(MINUTE, 100)];
    const answers = await Promise.all(
      Array.from({ length: 400 }, (_, index) =>
        index % 2 ? one.counters.reserve(legs, [1], Date.now()) : two.counters.reserve(legs.map(same), [1], Date.now()),
      ),
    );
    assert.equal(answers.filter((answer) => !isRefusal(answer)).length, 100);
  });

  it('a reservation in Redis is counted on this machine too, and given back there', async () => {
    const one = await open();
    const legs = [leg(MONTH, 100), leg(OPEN, 5)];
    const reservation = await take(one, legs, 40, 1);
    assert.deepEqual(one.counters.read(legs[0]!.cell, Date.now()), { used: 0, held: 40 });
    assert.equal(one.machine.openReservations, 1);
    reservation.settle([25, 0], Date.now());
    assert.deepEqual(one.counters.read(legs[0]!.cell, Date.now()), { used: 25, held: 0 });
    assert.equal(one.machine.openReservations, 0);
  });

  it('a Redis that hangs costs nobody more than timeout_ms, and later requests nothing', async () => {
    const one = await open({ settings: { timeoutMs: 100 } });
    const legs = [leg(MINUTE, 10)];
    await take(one, legs, 1);
    redis.pause();
    try {
      const began = performance.now();
      const waiting = Array.from({ length: 50 }, () => one.counters.reserve(legs, [1], Date.now()));
      const answers = await Promise.all(waiting);
      const tookMs = performance.now() - began;
      assert.ok(tookMs >= 90 && tookMs < 250, `${tookMs} ms`);
      // The machine's own count goes on from what Redis let in: nine of fifty.
      assert.equal(answers.filter((answer) => !isRefusal(answer)).length, 9);
      for (let index = 0; index < 5; index += 1) {
        assert.ok(!(one.counters.reserve(legs, [1], Date.now()) instanceof Promise), 'it waits for Redis');
      }
      assert.deepEqual(one.events, ['back', 'away: no answer within 100 ms']);
      assert.equal(one.counters.awayRequests, 55);
    } finally {
      redis.resume();
    }
    await eventually('it is back', () => !one.counters.away);
    assert.ok(one.counters.reserve(legs, [1], Date.now()) instanceof Promise);
    assert.deepEqual(one.events.slice(2), ['back']);
  });

  it('a Redis that is away refuses everything under closed, and nothing under open', async () => {
    const closed = await open({ url: 'redis://127.0.0.1:1', settings: { whenAway: 'closed' } });
    const wide = await open({ url: 'redis://127.0.0.1:1', settings: { whenAway: 'open' } });
    const legs = [leg(MINUTE, 1)];
    assert.equal((await refused(closed, legs, 1)).refusedLeg, -1);
    for (let index = 0; index < 3; index += 1) await take(wide, legs.map(same), 1);
    assert.match(closed.events.join(), /^away: ECONNREFUSED$/);
  });

  it('a reservation that was open when Redis went is held again when it is back, once', async () => {
    const one = await open();
    const [limit, budget] = [leg(OPEN, 5), leg(MONTH, 1000)];
    const before = await take(one, [limit, budget], 1, 100);
    const ended = await take(one, [limit, budget], 1, 100);
    await redis.stop();
    await eventually('it is away', () => one.counters.away);
    const during = await take(one, [limit, budget], 1, 10);
    ended.settle([0, 100], Date.now());
    await redis.start();
    await markSeeded(redis.url);
    await eventually('it is back', () => !one.counters.away, 15_000);
    assert.equal(await used(one, limit), 2);
    // What was spent meanwhile comes from the database, not from here.
    assert.equal(await used(one, budget), 110);
    during.settle([0, 0], Date.now());
    before.settle([0, 70], Date.now());
    assert.equal(await used(one, limit), 0);
    assert.equal(await used(one, budget), 70);
  });

  it('use while Redis was away is told to it when it is back, where there is no database', async () => {
    const one = await open({ budgetTruth: 'redis' });
    const budget = leg(MONTH, 1000);
    const known = await take(one, [budget], 100);
    await redis.stop();
    await eventually('it is away', () => one.counters.away);
    known.settle([60], Date.now());
    (await take(one, [budget], 100)).settle([7], Date.now());
    await redis.start();
    await markSeeded(redis.url);
    await eventually('it is back', () => !one.counters.away, 15_000);
    assert.equal(await used(one, budget), 67);
  });

  it('a Redis to which budgets were not brought is not asked', async () => {
    await withRedis(redis.url, (client) => client.flushAll());
    const one = await open();
    assert.ok(one.counters.away);
    assert.deepEqual(one.events, ['away: its budgets are not brought over yet']);
    await markSeeded(redis.url);
    await eventually('it is asked', () => !one.counters.away);
  });

  it('a dead gateway’s reservations in Redis are given back, and not twice where it was only asleep', async () => {
    const asleep = await open();
    const [limit, budget, rate] = [leg(OPEN, 5), leg(MONTH, 1000), leg(MINUTE, 10)];
    const reservation = await take(asleep, [limit, budget, rate], 1, 100, 1);
    const other = await open();
    await take(other, [limit, budget, rate].map(same), 1, 100, 1);
    assert.equal(await used(other, budget), 200);
    // One whose clock is eleven seconds ahead finds that neither has given a sign for so long.
    const later = await open({ now: () => Date.now() + 11_000 });
    assert.equal(await used(later, budget), 0);
    assert.equal(await used(later, limit), 0);
    assert.equal(await used(later, rate), 2);
    // They learn it with their next request, and what they still hold is held again.
    await asleep.counters.reserve([same(rate)], [1], Date.now());
    await eventually('it is back', () => asleep.events.at(-1) === 'back');
    assert.deepEqual(asleep.events, ['back', 'away: UNKNOWNOWNER it was taken for dead', 'back']);
    assert.equal(await used(later, budget), 100);
    reservation.settle([0, 30, 1], Date.now());
    assert.equal(await used(asleep, budget), 30);
  });

  it('a Redis that forgot its scripts is taught them again', async () => {
    const one = await open();
    const legs = [leg(MINUTE, 100)];
    await withRedis(redis.url, (client) => client.scriptFlush());
    const taken = await Promise.all(Array.from({ length: 20 }, () => take(one, legs, 1)));
    for (const each of taken) each.settle([0], Date.now());
    await eventually('all is given back', async () => (await used(one, legs[0]!)) === 0);
    assert.deepEqual(one.events, ['back']);
  });

  it('every key in Redis expires when nobody uses it', async () => {
    const one = await open();
    await take(one, [leg(MINUTE, 10), leg(MONTH, 10), leg(OPEN, 10)], 1, 1, 1);
    await withRedis(redis.url, async (client) => {
      for (const key of await client.keys('sluice:*')) {
        if (key !== 'sluice:seeded') assert.ok((await client.pTTL(key)) > 0, `${key} stays for ever`);
      }
    });
  });

  it('a Redis password is used and never told', async () => {
    const guarded = await startRedis('--requirepass', PASSWORD);
    try {
      const url = (password: string): string => `redis://:${encodeURIComponent(password)}@127.0.0.1:${guarded.port}/0`;
      await markSeeded(url(PASSWORD));
      const right = await open({ url: url(PASSWORD) });
      assert.deepEqual(right.events, ['back']);
      await take(right, [leg(MINUTE, 1)], 1);
      const wrong = await open({ url: url(`not ${PASSWORD}`) });
      assert.match(wrong.events.join(), /^away: WRONGPASS/);
      assert.ok(!wrong.events.join().includes(PASSWORD));
    } finally {
      await Promise.all(opened.splice(0).map(({ counters }) => counters.stop()));
      await guarded[Symbol.asyncDispose]();
    }
  });
});
