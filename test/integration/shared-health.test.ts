import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ADMIN_KEY, startBudgetGateway } from '../support/budgets.ts';
import { ask, messages } from '../support/chat-client.ts';
import { eventually, type RunningGateway } from '../support/gateway.ts';
import { type Answer, completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { type RedisServer, redisSkip, startRedis } from '../support/redis-server.ts';
import { gate, openAccount } from '../support/scripted-provider.ts';

const OUT_MS = 1_500;

const failing =
  (status: number, headers: Record<string, string> = {}): Answer =>
  (_request, response) =>
    sendJson(response, status, { error: { message: 'no' } }, headers);

const virtualModel = {
  type: 'provider-account/virtual-model',
  name: 'group',
  integrations: [
    {
      name: 'chat',
      type: 'integration/model/virtual',
      model_types: ['chat'],
      routing_config: {
        type: 'priority-based-routing',
        load_balance_targets: [
          { target: 'a/m', priority: 0, retry_config: { attempts: 0 } },
          { target: 'b/m', priority: 1, retry_config: { attempts: 0 } },
        ],
      },
    },
  ],
};

describe('health of two gateways on one Redis', { skip: redisSkip }, () => {
  let redis: RedisServer;
  let provider: FakeProvider;
  let one: RunningGateway;
  let other: RunningGateway;
  const answers: Record<string, Answer> = {};
  const askedOf = (account: string): number =>
    provider.requests.filter(({ path }) => path.startsWith(`/${account}/`)).length;

  before(async () => {
    redis = await startRedis();
    provider = await startProvider((request, response, incoming) => {
      const account = request.path.split('/')[1] ?? '';
      const good: Answer = (_request, to) => sendJson(to, 200, completion(`of ${account}`));
      (answers[account] ?? good)(request, response, incoming);
    });
    const start = () =>
      startBudgetGateway({
        server: {
          threads: 2,
          log: { access: 'off' },
          store: { counters: redis.url },
          routing: { consecutive_failures: 2, out_ms: OUT_MS, slow_start_ms: 0, share_ms: 50 },
        },
        manifests: [...['a', 'b'].map((name) => openAccount(name, `${provider.origin}/${name}/v1`)), virtualModel],
      });
    [one, other] = await Promise.all([start(), start()]);
  });
  after(async () => {
    await Promise.all([one, other].map((each) => each?.[Symbol.asyncDispose]()));
    await provider?.close();
    await redis?.[Symbol.asyncDispose]();
  });

  const chat = async (at: RunningGateway): Promise<string | null> => {
    const response = await ask(at, { model: 'group/chat', messages });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return response.headers.get('x-tfy-resolved-model');
  };
  const admin = async (at: RunningGateway, method: string, path: string) => {
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    return (await fetch(at.operatorUrl + path, { method, headers })).json() as Promise<{
      readonly sharing: string;
      readonly data: {
        readonly target: string;
        readonly state: string;
        readonly reason: string;
        readonly until: string;
      }[];
    }>;
  };
  const healthOf = async (at: RunningGateway, id: string) =>
    (await admin(at, 'GET', '/admin/targets')).data.find(({ target }) => target === id)!;
  const stateAt = async (at: RunningGateway, state: string): Promise<void> =>
    eventually(`a/m is ${state}`, async () => (await healthOf(at, 'a/m')).state === state);
  const sharingIs = (sharing: string): Promise<void> =>
    eventually(
      `health is ${sharing}`,
      async () => {
        const told = await Promise.all([one, other].map((at) => admin(at, 'GET', '/admin/targets')));
        return told.every((each) => each.sharing === sharing);
      },
      10_000,
    );

  it('a target that fails at one gateway is asked by neither, for the same time and reason', async () => {
    await sharingIs('shared');
    answers['a'] = failing(500);
    for (let each = 0; each < 2; each += 1) await chat(one);
    await stateAt(other, 'out');
    const [here, there] = await Promise.all([healthOf(one, 'a/m'), healthOf(other, 'a/m')]);
    assert.equal(there.reason, 'status 500');
    assert.ok(Math.abs(Date.parse(here.until) - Date.parse(there.until)) < 250, `${here.until} ${there.until}`);
    const before = askedOf('a');
    assert.equal(await chat(other), 'b/m');
    assert.equal(askedOf('a'), before);
  });

  it('when its time is over one request of both gateways is let through, and its answer brings it back at both', async () => {
    const held = gate();
    const before = askedOf('a');
    answers['a'] = (_request, response) => {
      void held.promise.then(() => sendJson(response, 200, completion('of a')));
    };
    let over = false;
    const answered: (string | null)[] = [];
    const client = async (at: RunningGateway): Promise<void> => {
      while (!over) answered.push(await chat(at));
    };
    const clients = [one, one, one, other, other, other].map(client);
    await eventually('the probe', () => askedOf('a') > before, 10_000);
    const then = answered.length;
    // Both gateways go on for a while, and nobody else of them probes.
    await eventually('many more requests', () => answered.length > then + 100, 20_000);
    assert.equal(askedOf('a') - before, 1);
    held.open();
    await Promise.all([stateAt(one, 'up'), stateAt(other, 'up')]);
    over = true;
    await Promise.all(clients);
    delete answers['a'];
    assert.deepEqual([await chat(one), await chat(other)], ['a/m', 'a/m']);
  });

  it('a 429 of one gateway holds for the other until its instant, and then both ask without a probe', async () => {
    answers['a'] = failing(429, { 'retry-after-ms': '1200' });
    await chat(one);
    delete answers['a'];
    await stateAt(other, 'out');
    assert.equal((await healthOf(other, 'a/m')).reason, 'status 429');
    assert.equal(await chat(other), 'b/m');
    await Promise.all([stateAt(one, 'up'), stateAt(other, 'up')]);
    assert.deepEqual([await chat(one), await chat(other)], ['a/m', 'a/m']);
  });

  it('a reset at one gateway is one at both', async () => {
    answers['a'] = failing(500);
    for (let each = 0; each < 2; each += 1) await chat(one);
    await stateAt(other, 'out');
    delete answers['a'];
    await admin(other, 'POST', '/admin/targets/reset');
    await stateAt(one, 'up');
  });

  it('without Redis each gateway goes by its own and serves on; what is out is told anew to a Redis that forgot', async () => {
    await redis.stop();
    await sharingIs('away');
    assert.equal(await one.metric('sluice_target_health_shared'), 0);
    await eventually('the line in the log', () =>
      one.output().includes('target health is not shared, since Redis is away'),
    );
    answers['a'] = failing(500);
    for (let each = 0; each < 2; each += 1) await chat(one);
    assert.equal((await healthOf(one, 'a/m')).state, 'out');
    assert.equal((await healthOf(other, 'a/m')).state, 'up');
    assert.equal(await chat(one), 'b/m');
    // It comes back by a probe of its own.
    delete answers['a'];
    await eventually('a probe', async () => (await chat(one)) === 'a/m', 10_000);
    answers['a'] = failing(401);
    await chat(one);
    await redis.start();
    await sharingIs('shared');
    await stateAt(other, 'out');
    assert.equal(await one.metric('sluice_target_health_shared'), 1);
  });
});
