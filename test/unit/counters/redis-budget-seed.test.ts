import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Log } from '../../../src/core/log.ts';
import { periodStart } from '../../../src/counters/periods.ts';
import { type BudgetWindow, RedisBudgetSeed } from '../../../src/counters/redis-budget-seed.ts';
import { RedisPresence } from '../../../src/counters/redis-presence.ts';
import { eventually } from '../../support/gateway.ts';
import { withRedis } from '../../support/redis-counting.ts';
import { type RedisServer, redisSkip, startRedis } from '../../support/redis-server.ts';

function collectingLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const keep = (fields: object, message: string): void => {
    lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  return { lines, debug: keep, info: keep, warn: keep, error: keep };
}

const spent = (cell: string, amount: number, periodStartMs = periodStart('month', Date.now())): BudgetWindow => ({
  cell,
  period: 'month',
  periodStartMs,
  spent: amount,
});

describe('budgets brought to Redis', { skip: redisSkip }, () => {
  let redis: RedisServer;
  let seed: RedisBudgetSeed | undefined;
  before(async () => {
    redis = await startRedis();
  });
  afterEach(async () => {
    seed?.stop();
    await withRedis(redis.url, (client) => client.flushAll());
  });
  after(() => redis?.[Symbol.asyncDispose]());

  function open(windows: () => Promise<readonly BudgetWindow[]>, log = collectingLog()): RedisBudgetSeed {
    seed = new RedisBudgetSeed({ url: redis.url, timeoutMs: 250, windows, log });
    return seed;
  }
  const known = (cell: string): Promise<number> =>
    withRedis(redis.url, async (client) => Number((await client.hGet(`sluice:${cell}`, 'u')) ?? 0));
  const seeded = (): Promise<boolean> =>
    withRedis(redis.url, async (client) => (await client.exists('sluice:seeded')) === 1);

  it('all budgets are in Redis when it has started, many too', async () => {
    const many = Array.from({ length: 450 }, (_, index) => spent(`budget/b/cost_per_month/${index}`, index + 1));
    await open(async () => many).start();
    assert.ok(await seeded());
    for (const index of [0, 199, 200, 449]) assert.equal(await known(`budget/b/cost_per_month/${index}`), index + 1);
  });

  it('the greater amount of a budget counts in Redis, and a period that is over does not', async () => {
    const cell = 'budget/b/cost_per_month/';
    const windows = [spent(cell, 100), spent(`${cell}old`, 100, periodStart('month', Date.now()) - 86_400_000)];
    const opened = open(async () => windows);
    await opened.start();
    opened.push([spent(cell, 90)]);
    opened.push([spent(cell, 120)]);
    opened.push([spent(cell, 110)]);
    await eventually('the greatest is there', async () => (await known(cell)) === 120);
    assert.equal(await known(`${cell}old`), 0);
  });

  it('budgets come again to a Redis that was emptied, and to one that was away', async () => {
    let amount = 5;
    await open(async () => [spent('budget/b/cost_per_month/', amount)]).start();
    amount = 7;
    await withRedis(redis.url, (client) => client.flushAll());
    await eventually(
      'they are there again',
      async () => (await seeded()) && (await known('budget/b/cost_per_month/')) === 7,
    );
    await redis.stop();
    amount = 9;
    await redis.start();
    await eventually('and again', async () => (await seeded()) && (await known('budget/b/cost_per_month/')) === 9);
  });

  it('Redis is not said to have the budgets while there is no database', async () => {
    let away = true;
    const log = collectingLog();
    const windows = async (): Promise<BudgetWindow[]> => {
      if (away) throw new Error('the database is away');
      return [];
    };
    await open(windows, log).start();
    assert.equal(await seeded(), false);
    away = false;
    await eventually('they are there', seeded);
    assert.equal(log.lines.length, 1);
    assert.match(log.lines[0]!, /^budgets cannot be brought to Redis/);
  });
});

describe('what is said of a Redis that is away', () => {
  it('a Redis that goes away is one line for all threads, and one line when the last has it back', () => {
    const log = collectingLog();
    const presence = new RedisPresence(log, () => 'closed');
    presence.found(0);
    presence.lost(0, 'ECONNREFUSED');
    presence.lost(1, 'ECONNREFUSED');
    presence.found(0);
    assert.equal(presence.away, true);
    presence.found(1);
    assert.equal(presence.away, false);
    assert.equal(log.lines.length, 2);
    assert.match(
      log.lines[0]!,
      /^Redis \(store\.counters\) is away: requests under a limit are refused .*ECONNREFUSED/,
    );
    assert.match(log.lines[1]!, /^Redis \(store\.counters\) is back/);
  });
});
