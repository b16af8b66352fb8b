import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ask, ChatStream, messages } from '../support/chat-client.ts';
import { eventually, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { withRedis } from '../support/redis-counting.ts';
import { type RedisServer, redisSkip, startRedis } from '../support/redis-server.ts';
import { openAccount } from '../support/scripted-provider.ts';

const REQUESTS = 1_000;
/** More than one for each thread of each gateway, many times over; a connection each. */
const AT_ONCE = 100;
const LEASED_LIMIT = 600;
const LEASE_PERCENT = 5;

const RULES = {
  name: 'limits',
  type: 'gateway-rate-limiting-config',
  rules: [1, 10, 100, LEASED_LIMIT].map((limit) => ({
    id: `limit-${limit}`,
    when: { models: [`p/m${limit}`] },
    limit_to: limit,
    unit: 'requests_per_hour',
  })),
};

const ONE_AT_A_TIME = {
  type: 'gateway-rate-limiting-config',
  rules: [{ id: 'one', when: { models: ['p/one'] }, limit_to: 1, unit: 'concurrent_requests' }],
};

describe('limits of two gateways on one Redis', { skip: redisSkip }, () => {
  let redis: RedisServer;
  let provider: FakeProvider;
  let failed = false;
  const running: RunningGateway[] = [];
  before(async () => {
    redis = await startRedis();
    provider = await startProvider((request, response) => {
      if (!request.body.includes('"failing"')) {
        sendJson(response, 200, completion('hi'));
        return;
      }
      // Each question to Redis from now on waits for it.
      void withRedis(redis.url, (client) => client.sendCommand(['CLIENT', 'PAUSE', '2000', 'ALL'])).then(() => {
        response.on('finish', () => {
          failed = true;
        });
        sendJson(response, 503, { error: { message: 'no room here' } });
      });
    });
  });
  after(async () => {
    await Promise.all(running.map((each) => each[Symbol.asyncDispose]()));
    await provider?.[Symbol.asyncDispose]();
    await redis?.[Symbol.asyncDispose]();
  });

  async function startTwo(counters: object): Promise<RunningGateway[]> {
    const two = await Promise.all(
      [0, 1].map(() =>
        startGateway({
          server: { threads: 2, log: { access: 'off' }, store: { counters: redis.url }, counters },
          manifests: [openAccount('p', `${provider.origin}/v1`), RULES, ONE_AT_A_TIME],
        }),
      ),
    );
    running.push(...two);
    return two;
  }
  let strict: Promise<RunningGateway[]> | undefined;
  const startStrict = (): Promise<RunningGateway[]> => {
    strict ??= startTwo({ agreement: 'strict', timeout_ms: 10_000 });
    return strict;
  };
  async function statuses(gateways: readonly RunningGateway[], model: string): Promise<number[]> {
    const answers: number[] = [];
    let asked = 0;
    const clients = Array.from({ length: AT_ONCE }, async (_, index) => {
      while (asked < REQUESTS) {
        asked += 1;
        const response = await ask(gateways[index % gateways.length]!, { model, messages });
        await response.arrayBuffer();
        answers.push(response.status);
      }
    });
    await Promise.all(clients);
    return answers;
  }
  const count = (all: readonly number[], status: number): number => all.filter((each) => each === status).length;

  it('strict limits over two gateways let exactly 1, 10 and 100 of 1,000 requests pass', async () => {
    const gateways = await startStrict();
    for (const limit of [1, 10, 100]) {
      const before = provider.requests.length;
      const answers = await statuses(gateways, `p/m${limit}`);
      assert.deepEqual([count(answers, 200), count(answers, 429)], [limit, REQUESTS - limit]);
      assert.equal(provider.requests.length - before, limit);
    }
  });

  it('a client that leaves while Redis is asked reaches no provider and holds nothing', async () => {
    const [gateway] = await startStrict();
    const before = provider.requests.length;
    await withRedis(redis.url, (client) => client.sendCommand(['CLIENT', 'PAUSE', '500', 'ALL']));
    const leaving = new ChatStream(gateway!, { model: 'p/one', messages });
    await eventually('it is being decided', async () => (await gateway!.metric('sluice_in_flight')) === 1);
    leaving.leave();
    await eventually('it is over', async () => (await gateway!.metric('sluice_in_flight')) === 0);
    assert.equal(provider.requests.length, before);
    const response = await ask(gateway!, { model: 'p/one', messages });
    assert.equal(response.status, 200);
    await response.arrayBuffer();
  });

  it('a client that leaves while Redis holds up a fallback is recorded as one that closed', async (t) => {
    const target = (model: string, priority: number) => ({ target: `p/${model}`, priority });
    const gateway = await startGateway({
      server: { store: { counters: redis.url }, counters: { agreement: 'strict', timeout_ms: 10_000 } },
      manifests: [
        openAccount('p', `${provider.origin}/v1`),
        {
          type: 'provider-account/virtual-model',
          name: 'v',
          integrations: [
            {
              name: 'two',
              type: 'integration/model/virtual',
              model_types: ['chat'],
              routing_config: {
                type: 'priority-based-routing',
                load_balance_targets: [target('failing', 0), target('other', 1)],
              },
            },
          ],
        },
        { ...RULES, rules: [{ ...RULES.rules[1], id: 'fallback', when: { models: ['p/failing', 'p/other'] } }] },
      ],
    });
    t.after(() => gateway[Symbol.asyncDispose]());
    const before = provider.requests.length;
    const leaving = new ChatStream(
      gateway,
      { model: 'v/two', messages },
      { headers: { 'x-request-id': 'left-behind' } },
    );
    await eventually('the first target failed', () => failed);
    leaving.leave();
    const record = await recordOf(gateway, 'left-behind');
    assert.equal(record['sluice.outcome'], 'client-closed');
    assert.equal(record['error.type'], 'client_closed');
    assert.equal(provider.requests.length, before + 1);
  });

  it('leased limits over two gateways let the limit pass, give or take one lease of each gateway', async (t) => {
    const gateways = await startTwo({ agreement: 'leased', timeout_ms: 10_000, lease_percent: LEASE_PERCENT });
    const answers = await statuses(gateways, `p/m${LEASED_LIMIT}`);
    const passed = count(answers, 200);
    assert.equal(count(answers, 429), REQUESTS - passed);
    t.diagnostic(`limit ${LEASED_LIMIT}, 2 gateways, leases of ${LEASE_PERCENT}%: ${passed} of ${REQUESTS} passed`);
    const bound = (gateways.length * LEASED_LIMIT * LEASE_PERCENT) / 100;
    assert.ok(Math.abs(passed - LEASED_LIMIT) <= bound, `${passed} passed, bound ${bound}`);
  });
});
