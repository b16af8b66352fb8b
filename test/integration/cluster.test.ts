import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { answering, pricedAccount } from '../support/budgets.ts';
import { ask, messages } from '../support/chat-client.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { lastOtherwiseMs, leastOf } from '../support/least-of.ts';
import { type PostgresServer, postgresSkip, startPostgres } from '../support/postgres-server.ts';
import { type FakeProvider, startProvider } from '../support/provider.ts';
import { withRedis } from '../support/redis-counting.ts';
import { type RedisServer, redisSkip, startRedis } from '../support/redis-server.ts';

const ADMIN_KEY = 'admin key of the cluster 0123456789';
const USERS = ['ann', 'bob', 'cid'] as const;
/** pricedAccount: what each answer of 5 and 7 tokens costs, in dollars. */
const COST = 0.019;

describe('two gateways on one PostgreSQL and one Redis', { skip: postgresSkip || redisSkip, timeout: 120_000 }, () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  let provider: FakeProvider;
  let gateways: RunningGateway[] = [];
  let database = '';
  before(async () => {
    [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
    provider = await startProvider(answering({ input: 5, output: 7 }));
    database = await postgres.newDatabase();
    gateways = await Promise.all([start(), start()]);
  });
  after(async () => {
    await Promise.all(gateways.map((each) => each[Symbol.asyncDispose]()));
    await provider?.close();
    await redis?.[Symbol.asyncDispose]();
    await postgres?.[Symbol.asyncDispose]();
  });

  function start(): Promise<RunningGateway> {
    const perUser = (id: string, unit: string, limit: number, model: string) => ({
      id,
      when: { models: [model] },
      limit_to: limit,
      unit,
      rate_limit_applies_per: ['user'],
    });
    return startGateway({
      server: {
        operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY },
        store: { database, counters: redis.url },
        counters: { timeout_ms: 5_000 },
      },
      keys: [
        { name: 'test', key: KEY, subject: 'virtualaccount:test' },
        ...USERS.map((name) => ({ name, key: `key of ${name}`, subject: `user:${name}@example.com` })),
      ],
      manifests: [
        pricedAccount('p', `${provider.origin}/v1`, ['m', 'limited']),
        {
          type: 'gateway-rate-limiting-config',
          name: 'limits',
          rules: [perUser('five', 'requests_per_hour', 5, 'p/limited')],
        },
        {
          type: 'tenant-budget-config',
          name: 'each',
          when: { models: { in: ['p/m'] } },
          limits: { cost_per_quarter: 4.5 * COST },
          applies_to: { type: 'per-user' },
          mode: 'enforce',
        },
      ],
    });
  }

  /** In turn on one and the other. */
  async function statuses(times: number, key: string, model: string): Promise<number[]> {
    const all: number[] = [];
    for (let each = 0; each < times; each += 1) {
      const response = await ask(gateways[each % 2]!, { model, messages, max_tokens: 7 }, { key });
      await response.text();
      all.push(response.status);
    }
    return all;
  }
  async function models(gateway: RunningGateway, key: string): Promise<number> {
    const answer = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
    await answer.arrayBuffer();
    return answer.status;
  }
  async function admin(gateway: RunningGateway, method: string, path: string, body?: object): Promise<Response> {
    return fetch(`${gateway.operatorUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
  }

  it('a key made on one gateway works on the other within five seconds, and is refused there when it is revoked', async () => {
    const [one, other] = gateways as [RunningGateway, RunningGateway];
    const knownAfter = (what: string, key: string, status: number): Promise<number> =>
      lastOtherwiseMs(what, async () => (await models(other, key)) === status);
    const ms = await leastOf(5_000, async () => {
      const made = await admin(one, 'POST', '/admin/keys', { subject: 'virtualaccount:ci', token_type: 'opaque' });
      assert.equal(made.status, 201);
      const { id, token: key } = (await made.json()) as { id: string; token: string };
      const workedAfter = await knownAfter('it works on the other', key, 200);
      assert.ok((await admin(one, 'DELETE', `/admin/keys/${id}`)).ok);
      return Math.max(workedAfter, await knownAfter('it is refused on the other', key, 401));
    });
    assert.ok(ms < 5_000, `${ms} ms`);
  });

  it('a limit of five is five over both gateways', async () => {
    assert.deepEqual(await statuses(7, 'key of ann', 'p/limited'), [200, 200, 200, 200, 200, 429, 429]);
    assert.equal((await statuses(1, 'key of bob', 'p/limited'))[0], 200, 'another user has five of his own');
  });

  it('a budget is spent over both gateways, to the last answer that fits', async () => {
    assert.deepEqual(await statuses(6, 'key of ann', 'p/m'), [200, 200, 200, 200, 429, 429]);
  });

  it('a spent budget is spent in a Redis that was emptied', async () => {
    assert.deepEqual(await statuses(5, 'key of bob', 'p/m'), [200, 200, 200, 200, 429]);
    await eventually('the database has it', async () => {
      const page = (await (await admin(gateways[0]!, 'GET', '/admin/budgets')).json()) as { data: { spent: number }[] };
      return page.data.filter(({ spent }) => Math.abs(spent - 4 * COST) < 1e-9).length >= 2;
    });
    await withRedis(redis.url, (client) => client.flushAll());
    await eventually('both gateways are known to it again', () =>
      withRedis(redis.url, async (client) => (await client.zCard('sluice:owners')) === gateways.length),
    );
    assert.deepEqual(await statuses(4, 'key of bob', 'p/m'), [429, 429, 429, 429]);
    await redis.stop();
    await eventually('each machine knows it, too', async () =>
      (await statuses(4, 'key of bob', 'p/m')).every((status) => status === 429),
    );
    await redis.start();
    for (const each of gateways) {
      await eventually('it is back', async () => (await each.metric('sluice_counters_away')) === 0, 15_000);
    }
    assert.deepEqual(await statuses(2, 'key of bob', 'p/m'), [429, 429]);
  });

  it('a budget that was spent while Redis was away is spent when it is back', async () => {
    await redis.stop();
    for (const each of gateways) {
      await eventually('it is away', async () => (await each.metric('sluice_counters_away')) === 1);
    }
    assert.deepEqual(await statuses(3, 'key of cid', 'p/m'), [200, 200, 200]);
    await redis.start();
    for (const each of gateways) {
      await eventually('it is back', async () => (await each.metric('sluice_counters_away')) === 0, 15_000);
    }
    await eventually('only one is left', () =>
      withRedis(redis.url, async (client) => {
        const [key = ''] = await client.keys('sluice:budget/*cid*');
        return Number(await client.hGet(key, 'u')) === Math.round(3 * COST * 1e9);
      }),
    );
    assert.deepEqual(await statuses(2, 'key of cid', 'p/m'), [200, 429]);
  });

  it('nothing is held on either gateway after all requests', async () => {
    await eventually('nothing is held in Redis', () =>
      withRedis(redis.url, async (client) => (await client.keys('sluice:held:*')).length === 0),
    );
    for (const gateway of gateways) {
      await eventually('nothing is open', async () => (await gateway.metric('sluice_reservations_open')) === 0);
    }
  });
});
