import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Cell, type CellWindow } from '../../../src/counters/cell.ts';
import { isRefusal, type Leg } from '../../../src/counters/counters.ts';
import { MemoryCounters, sharedCounts } from '../../../src/counters/memory-counters.ts';
import { RedisCounters } from '../../../src/counters/redis-counters.ts';
import { eventually } from '../../support/gateway.ts';
import { COUNTER_SETTINGS, markSeeded, withRedis } from '../../support/redis-counting.ts';
import { type RedisServer, redisSkip, startRedis } from '../../support/redis-server.ts';

const MINUTE: CellWindow = { kind: 'sliding', ms: 60_000 };
const DAY: CellWindow = { kind: 'calendar', period: 'day' };
const OPEN: CellWindow = { kind: 'open' };
const GATEWAYS = 3;
const LEASE_PERCENT = 5;

describe('leases of limits', { skip: redisSkip }, () => {
  let redis: RedisServer;
  let gateways: RedisCounters[] = [];
  let names = 0;
  before(async () => {
    redis = await startRedis();
    await markSeeded(redis.url);
    gateways = await Promise.all(Array.from({ length: GATEWAYS }, (_, index) => open(index)));
  });
  after(async () => {
    await Promise.all(gateways.map((each) => each.stop()));
    await redis?.[Symbol.asyncDispose]();
  });

  async function open(index: number): Promise<RedisCounters> {
    const counters = new RedisCounters({
      url: redis.url,
      gatewayId: `gateway-${index}`,
      thread: 0,
      threads: 1,
      settings: { ...COUNTER_SETTINGS, agreement: 'leased', leasePercent: LEASE_PERCENT },
      machine: new MemoryCounters(sharedCounts({ relayThreads: 1, maxCells: 1024, maxInFlight: 16_384 }), 0),
      budgetTruth: 'database',
      onAway: (reason) => assert.fail(reason),
      onBack: () => {},
    });
    await counters.start();
    return counters;
  }
  const leg = (window: CellWindow, limit: number): Leg => ({ cell: new Cell(`test/${names++}`, window), limit });
  const same = ({ cell, limit }: Leg): Leg => ({ cell: new Cell(cell.name, cell.window), limit });
  const field = (cell: Cell, name: string): Promise<number> =>
    withRedis(redis.url, async (client) => Number((await client.hGet(`sluice:${cell.name}`, name)) ?? 0));

  for (const [kind, window] of [
    ['sliding', MINUTE],
    ['calendar', DAY],
  ] as const) {
    it(`most requests under a lease need not ask, and unused leases come back within a second or two (${kind})`, async () => {
      const [gateway] = gateways;
      const legs = [leg(window, 10_000)];
      let waited = 0;
      const taken = [];
      for (let index = 0; index < 2_000; index += 1) {
        let answer = gateway!.reserve(legs, [1], Date.now());
        if (answer instanceof Promise) {
          waited += 1;
          answer = await answer;
        } else if (index % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
        assert.ok(!isRefusal(answer));
        taken.push(answer);
      }
      assert.ok(waited < 200, `${waited} of 2,000 asked`);
      const total = kind === 'sliding' ? 's' : 'h';
      await eventually('only what was taken counts', async () => (await field(legs[0]!.cell, total)) === 2_000);
      for (const each of taken) each.settle([1], Date.now());
      await eventually('nothing is held', async () => {
        const [held, spent] = await Promise.all(['h', 'u'].map((name) => field(legs[0]!.cell, name)));
        return kind === 'sliding' || (held === 0 && spent === 2_000);
      });
    });

    it(`${GATEWAYS} gateways at once let the limit pass, give or take one lease of each (${kind})`, async (t) => {
      const limit = 1_000;
      const legs = leg(window, limit);
      const own = gateways.map(() => [same(legs)]);
      let passed = 0;
      const until = performance.now() + 1_500;
      while (performance.now() < until) {
        const answers = await Promise.all(
          gateways.flatMap((gateway, index) =>
            Array.from({ length: 20 }, () => gateway.reserve(own[index]!, [1], Date.now())),
          ),
        );
        passed += answers.filter((answer) => !isRefusal(answer)).length;
      }
      t.diagnostic(`limit ${limit}, ${GATEWAYS} gateways, leases of ${LEASE_PERCENT}%: ${passed} passed`);
      const bound = GATEWAYS * limit * (LEASE_PERCENT / 100);
      assert.ok(Math.abs(passed - limit) <= bound, `${passed} of ${limit}, bound ${bound}`);
    });
  }

  it('open requests, and limits too small to be divided, are asked about every time', async () => {
    for (const legs of [[leg(OPEN, 1_000)], [leg(MINUTE, 10)]]) {
      for (let index = 0; index < 3; index += 1) {
        const answer = gateways[0]!.reserve(legs, [1], Date.now());
        assert.ok(answer instanceof Promise);
        assert.ok(!isRefusal(await answer));
      }
    }
  });

  it('no more than the limit and one lease of each gateway passes in any span of the window', async (t) => {
    const windowMs = 1_800;
    const limit = 400;
    const shared = leg({ kind: 'sliding', ms: windowMs }, limit);
    const own = gateways.map(() => [same(shared)]);
    const passedAt: number[] = [];
    const until = performance.now() + 2.5 * windowMs;
    while (performance.now() < until) {
      await Promise.all(
        gateways.map(async (gateway, index) => {
          const answer = await gateway.reserve(own[index]!, [1], Date.now());
          if (!isRefusal(answer)) passedAt.push(performance.now());
        }),
      );
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    let most = 0;
    for (let last = 0, first = 0; last < passedAt.length; last += 1) {
      while (passedAt[last]! - passedAt[first]! >= windowMs) first += 1;
      most = Math.max(most, last - first + 1);
    }
    const bound = limit + GATEWAYS * limit * (LEASE_PERCENT / 100);
    t.diagnostic(`limit ${limit}, at most ${most} within ${windowMs} ms, bound ${bound}`);
    assert.ok(most <= bound, `${most} within ${windowMs} ms`);
    assert.ok(passedAt.length > limit, 'it let in more when the window moved on');
  });
});
