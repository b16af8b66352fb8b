import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Cell, type CellWindow } from '../../src/counters/cell.ts';
import { type Counters, isRefusal, type Leg, type Refusal, type Reservation } from '../../src/counters/counters.ts';
import { MemoryCounters, sharedCounts } from '../../src/counters/memory-counters.ts';
import { periodEnd, periodStart } from '../../src/counters/periods.ts';
import { RedisCounters } from '../../src/counters/redis-counters.ts';
import { randomFrom } from '../support/random.ts';
import { COUNTER_SETTINGS, markSeeded } from '../support/redis-counting.ts';
import { type RedisServer, redisSkip, startRedis } from '../support/redis-server.ts';

/** No law of this file is about the time in which Redis answers, and a busy machine answers late. */
const NEVER_AWAY = { ...COUNTER_SETTINGS, timeoutMs: 60_000 };

interface Engine {
  readonly counters: Counters;
  close(): Promise<void>;
}

interface Implementation {
  readonly name: string;
  readonly skip: string | false;
  begin(): Promise<void>;
  end(): Promise<void>;
  open(now: () => number): Promise<Engine>;
}

function memory(now: () => number): MemoryCounters {
  return new MemoryCounters(sharedCounts({ relayThreads: 1, maxCells: 1024, maxInFlight: 4096 }), 0, now);
}

let redis: RedisServer | undefined;
const IMPLEMENTATIONS: readonly Implementation[] = [
  {
    name: 'shared memory',
    skip: false,
    begin: async () => {},
    end: async () => {},
    open: async (now) => ({ counters: memory(now), close: async () => {} }),
  },
  {
    name: 'Redis, strict',
    skip: redisSkip,
    begin: async () => {
      redis = await startRedis();
      await markSeeded(redis.url);
    },
    end: async () => redis?.[Symbol.asyncDispose](),
    open: async (now) => {
      const counters = new RedisCounters({
        url: redis!.url,
        gatewayId: 'conformance',
        thread: 0,
        threads: 1,
        settings: NEVER_AWAY,
        machine: memory(now),
        budgetTruth: 'database',
        onAway: (reason) => assert.fail(reason),
        onBack: () => {},
        now,
      });
      await counters.start();
      return { counters, close: () => counters.stop() };
    },
  },
];

const MINUTE: CellWindow = { kind: 'sliding', ms: 60_000 };
const DAY: CellWindow = { kind: 'calendar', period: 'day' };
const MONTH: CellWindow = { kind: 'calendar', period: 'month' };
const OPEN: CellWindow = { kind: 'open' };
const WINDOWS: readonly [string, CellWindow][] = [
  ['sliding', MINUTE],
  ['calendar', DAY],
  ['open', OPEN],
];

for (const implementation of IMPLEMENTATIONS) {
  describe(`counters: ${implementation.name}`, { skip: implementation.skip }, () => {
    /** Noon of a day near the real one, which keys in Redis may outlive. */
    let nowMs = 0;
    let names = 0;
    let engine: Engine;
    before(async () => {
      await implementation.begin();
      nowMs = periodStart('day', Date.now()) + 43_200_000;
      engine = await implementation.open(() => nowMs);
    });
    after(async () => {
      await engine?.close();
      await implementation.end();
    });

    const leg = (window: CellWindow, limit: number): Leg => ({ cell: new Cell(`test/${names++}`, window), limit });
    const ask = async (legs: readonly Leg[], ...amounts: number[]): Promise<Reservation | Refusal> =>
      engine.counters.reserve(legs, amounts, nowMs);
    const take = async (legs: readonly Leg[], ...amounts: number[]): Promise<Reservation> => {
      const answer = await ask(legs, ...amounts);
      if (isRefusal(answer)) assert.fail(`refused: ${JSON.stringify(answer)}`);
      return answer;
    };
    const refused = async (legs: readonly Leg[], ...amounts: number[]): Promise<Refusal> => {
      const answer = await ask(legs, ...amounts);
      assert.ok(isRefusal(answer), 'let in');
      return answer;
    };
    /** What counts in a cell, found out by asking: not what this machine believes. */
    const used = async ({ cell }: Leg): Promise<number> => {
      // What was settled goes out with the turn.
      await new Promise((resolve) => setImmediate(resolve));
      return (await refused([{ cell, limit: 0 }], 0)).used;
    };

    for (const [kind, window] of WINDOWS) {
      for (const limit of [1, 10, 100]) {
        it(`exactly ${limit} of 1,000 requests at once pass (${kind})`, async () => {
          const legs = [leg(window, limit)];
          const answers = await Promise.all(Array.from({ length: 1000 }, () => ask(legs, 1)));
          assert.equal(answers.filter((answer) => !isRefusal(answer)).length, limit);
          const refusals = answers.filter(isRefusal);
          assert.ok(refusals.every((each) => each.refusedLeg === 0 && each.used === limit && each.retryAfterMs >= 1));
        });
      }

      it(`an unused reservation comes back, and use beyond it is charged (${kind})`, async () => {
        const legs = [leg(window, 100)];
        const less = await take(legs, 60);
        const more = await take(legs, 20);
        assert.equal(await used(legs[0]!), 80);
        less.settle([10], nowMs);
        more.settle([50], nowMs);
        assert.equal(await used(legs[0]!), kind === 'open' ? 0 : 60);
      });

      it(`a reservation is settled once (${kind})`, async () => {
        const legs = [leg(window, 100)];
        const first = await take(legs, 10);
        await take(legs, 10);
        first.settle([0], nowMs);
        first.settle([0], nowMs);
        assert.equal(await used(legs[0]!), 10);
      });

      it(`a reservation is capped at the limit, and nothing fits beside it (${kind})`, async () => {
        const legs = [leg(window, 100)];
        const large = await take(legs, 5_000);
        assert.equal(await used(legs[0]!), 100);
        await refused(legs, 1);
        large.settle([0], nowMs);
        assert.equal(await used(legs[0]!), 0);
      });

      it(`a leg without a limit counts and never refuses (${kind})`, async () => {
        const counted = leg(window, Number.POSITIVE_INFINITY);
        await take([counted], 1_000_000);
        await take([counted], 1);
        assert.equal(await used(counted), 1_000_001);
      });

      it(`amounts are counted exactly up to 2^53 (${kind})`, async () => {
        // Nearer to it, a Redis client loses the last bit while it reads.
        const limit = Number.MAX_SAFE_INTEGER - 100;
        const legs = [leg(window, limit)];
        await take(legs, limit - 1);
        assert.equal(await used(legs[0]!), limit - 1);
        await take(legs, 1);
        assert.equal(await used(legs[0]!), limit);
        assert.equal((await refused(legs, 1)).used, limit);
      });

      it(`an extension beyond the limit is the last that is granted (${kind})`, async () => {
        const legs = [leg(window, 100)];
        const stream = await take(legs, 50);
        let granted = 0;
        while (granted < 20 && stream.extend(0, 10, nowMs)) {
          granted += 1;
          // One question to another machine may be under way: it is answered before the next.
          await used(legs[0]!);
        }
        assert.ok(granted === 5 || granted === 6, `${granted} extensions of 10 beyond 50 of 100`);
        assert.equal(await used(legs[0]!), 50 + granted * 10);
        stream.settle([0], nowMs);
        assert.equal(await used(legs[0]!), 0);
      });
    }

    it('a reservation that one leg refuses is counted by no other leg', async () => {
      const legs = [leg(MINUTE, 10), leg(DAY, 10), leg(OPEN, 10), leg(MINUTE, 1)];
      await take(legs, 1, 2, 3, 1);
      const refusal = await refused(legs, 1, 2, 3, 1);
      assert.equal(refusal.refusedLeg, 3);
      assert.deepEqual(await Promise.all(legs.slice(0, 3).map(used)), [1, 2, 3]);
    });

    it('no more than the limit passes in any span of a minute, and a request passes after retry-after', async () => {
      const random = randomFrom(7);
      const limit = 20;
      const legs = [leg(MINUTE, limit)];
      const passed: number[] = [];
      for (let step = 0; step < 600; step += 1) {
        nowMs += Math.floor(random() ** 4 * 20_000);
        const answer = await ask(legs, 1);
        if (!isRefusal(answer)) passed.push(nowMs);
        else if (step % 10 === 0) {
          nowMs += answer.retryAfterMs;
          assert.ok(!isRefusal(await ask(legs, 1)), `refused ${answer.retryAfterMs} ms later`);
          passed.push(nowMs);
        }
      }
      for (let index = limit; index < passed.length; index += 1) {
        assert.ok(passed[index]! - passed[index - limit]! >= 60_000, `${limit + 1} within a minute, at ${index}`);
      }
      assert.ok(passed.length > 100);
    });

    it('a settlement after its sixtieth of the window has left gives nothing back and charges only the excess', async () => {
      const legs = [leg(MINUTE, 100)];
      const long = await take(legs, 40);
      const longer = await take(legs, 40);
      nowMs += 62_000;
      long.settle([10], nowMs);
      assert.equal(await used(legs[0]!), 0);
      longer.settle([70], nowMs);
      assert.equal(await used(legs[0]!), 30);
    });

    it('a request that is over is no longer open, although it is settled later', async () => {
      const legs = [leg(OPEN, 1), leg(DAY, 100)];
      const first = await take(legs, 1, 40);
      await refused(legs, 1, 10);
      first.over();
      first.over();
      await new Promise((resolve) => setImmediate(resolve));
      const second = await take(legs, 1, 10);
      first.settle([1, 20], nowMs);
      assert.equal(await used(legs[0]!), 1);
      assert.equal(await used(legs[1]!), 30);
      second.settle([1, 10], nowMs);
      assert.equal(await used(legs[0]!), 0);
    });

    it('a reset clears what was spent and keeps what is held', async () => {
      const legs = [leg(DAY, 100)];
      const settled = await take(legs, 60);
      settled.settle([60], nowMs);
      const open = await take(legs, 30);
      const refusal = await refused(legs, 50);
      assert.equal(refusal.used, 90);
      assert.equal(refusal.retryAfterMs, periodEnd('day', nowMs) - nowMs);
      nowMs = periodEnd('day', nowMs) + 1;
      assert.equal(await used(legs[0]!), 30);
      open.settle([40], nowMs);
      assert.equal(await used(legs[0]!), 40);
    });

    it('an exchange that ended before a reset is not charged after it', async () => {
      const legs = [leg(MONTH, 100)];
      const endedAtMs = periodEnd('month', nowMs) - 1;
      const open = await take(legs, 30);
      nowMs = endedAtMs + 2;
      open.settle([30], endedAtMs);
      assert.equal(await used(legs[0]!), 0);
    });

    it('a clock that was set to tomorrow and set right again charges today’s budgets again', async () => {
      const legs = [leg(DAY, 100)];
      const today = nowMs;
      nowMs = periodEnd('day', today) + 3_600_000;
      (await take(legs, 30)).settle([30], nowMs);
      nowMs = today;
      (await take(legs, 30)).settle([30], nowMs);
      assert.equal(await used(legs[0]!), 60);
      nowMs = periodEnd('day', today) + 1;
      assert.equal(await used(legs[0]!), 0);
      // How two gateways or two threads read the clock at midnight.
      nowMs -= 2;
      (await take(legs, 30)).settle([30], nowMs);
      nowMs += 2;
      assert.equal(await used(legs[0]!), 0);
    });

    it('a limit of zero refuses everything', async () => {
      for (const [, window] of WINDOWS) await refused([leg(window, 0)], 1);
    });
  });
}
