import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { BudgetPeriod } from '../../../src/config/rules/counted-rules.ts';
import { periodEnd, periodStart } from '../../../src/counters/periods.ts';
import { PERIODS } from '../../../src/counters/redis-script-parts.ts';
import { SCRIPTS } from '../../../src/counters/redis-scripts.ts';
import { randomFrom } from '../../support/random.ts';
import { withRedis } from '../../support/redis-counting.ts';
import { type RedisServer, redisSkip, startRedis } from '../../support/redis-server.ts';

describe('scripts of Redis', { skip: redisSkip }, () => {
  let redis: RedisServer;
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis?.[Symbol.asyncDispose]());

  it('periods of the Redis scripts begin and end as in this program', async () => {
    const random = randomFrom(3);
    const times = Array.from({ length: 500 }, () => Math.floor(random() * 4_102_444_800_000));
    for (let year = 1999; year < 2029; year += 1) {
      for (const month of [0, 1, 2, 11]) times.push(Date.UTC(year, month, 1), Date.UTC(year, month, 1) - 1);
      times.push(Date.UTC(year, 1, 29));
    }
    const source = `${PERIODS}
local answers = {}
for _, at in ipairs(ARGV) do
  local start = periodStart(KEYS[1], tonumber(at))
  answers[#answers + 1] = start
  answers[#answers + 1] = periodEnd(KEYS[1], start)
end
return answers`;
    await withRedis(redis.url, async (client) => {
      for (const period of ['day', 'week', 'month', 'quarter'] satisfies BudgetPeriod[]) {
        const answers = await client.eval(source, { keys: [period], arguments: times.map(String) });
        assert.deepEqual(
          answers,
          times.flatMap((at) => [periodStart(period, at), periodEnd(period, at)]),
        );
      }
    });
  });

  it('all Redis scripts compile', async () => {
    await withRedis(redis.url, async (client) => {
      for (const { source, sha } of SCRIPTS) assert.equal(await client.scriptLoad(source), sha);
    });
  });
});
