import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ADMIN_KEY, startBudgetGateway } from '../support/budgets.ts';
import { ask, messages } from '../support/chat-client.ts';
import { eventually, type RunningGateway } from '../support/gateway.ts';
import { type Answer, completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { redisSkip, startRedis } from '../support/redis-server.ts';
import { gate, openAccount } from '../support/scripted-provider.ts';

const manifests = (origin: string): object[] => [
  ...['a', 'b'].map((name) => openAccount(name, `${origin}/${name}/v1`)),
  {
    type: 'provider-account/virtual-model',
    name: 'group',
    integrations: [
      {
        name: 'chat',
        type: 'integration/model/virtual',
        model_types: ['chat'],
        routing_config: {
          type: 'priority-based-routing',
          load_balance_targets: ['a', 'b'].map((name, priority) => ({
            target: `${name}/m`,
            priority,
            retry_config: { attempts: 0 },
          })),
        },
      },
    ],
  },
];

const ROUTING = {
  consecutive_failures: 1,
  out_ms: 500,
  max_out_ms: 500,
  slow_start_ms: 0,
  share_ms: 50,
  probe_interval_ms: 100,
  probe_timeout_ms: 1_000,
};

describe('probes of targets that are out', () => {
  let provider: FakeProvider;
  let gateway: RunningGateway;
  const answers: Record<string, Answer> = {};
  const askedOfA = () => provider.requests.filter(({ path }) => path.startsWith('/a/'));
  before(async () => {
    provider = await startProvider((request, response, incoming) => {
      const account = request.path.split('/')[1] ?? '';
      const good: Answer = (_request, to) => sendJson(to, 200, completion(`of ${account}`));
      (answers[account] ?? good)(request, response, incoming);
    });
    gateway = await start();
  });
  after(async () => {
    await gateway?.[Symbol.asyncDispose]();
    await provider?.close();
  });

  const start = (server: object = {}): Promise<RunningGateway> =>
    startBudgetGateway({
      server: { threads: 2, log: { access: 'off' }, routing: ROUTING, ...server },
      manifests: manifests(provider.origin),
    });
  const failing =
    (status: number): Answer =>
    (_request, response) =>
      sendJson(response, status, { error: { message: 'no' } });
  const takeOut = async (at: RunningGateway): Promise<void> => {
    answers['a'] = failing(500);
    const response = await ask(at, { model: 'group/chat', messages });
    assert.equal(response.headers.get('x-tfy-resolved-model'), 'b/m', await response.text());
    provider.requests.length = 0;
  };
  const stateOf = async (at: RunningGateway): Promise<string> => {
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    const response = await fetch(`${at.operatorUrl}/admin/targets`, { headers });
    const { data } = (await response.json()) as { data: { target: string; state: string }[] };
    return data.find(({ target }) => target === 'a/m')!.state;
  };

  it('a target comes back without a request, by a short question that the ledger knows', async () => {
    await takeOut(gateway);
    await eventually('some probes failed', () => askedOfA().length >= 2, 10_000);
    assert.notEqual(await stateOf(gateway), 'up');
    delete answers['a'];
    await eventually('it is up', async () => (await stateOf(gateway)) === 'up', 10_000);
    const probed = askedOfA().length;
    const { max_tokens: maxTokens, model } = JSON.parse(askedOfA()[0]!.body.toString());
    assert.deepEqual([model, maxTokens], ['m', 16]);
    const username = 'virtualaccount:sluice-probe';
    await eventually(
      'each has its record',
      async () => (await gateway.metric('ai_gateway_request_processing_ms_count', { username })) === probed,
    );
  });

  it('a probe that its provider refuses for what it asks says that the target is there', async () => {
    await takeOut(gateway);
    answers['a'] = failing(400);
    await eventually('it is up', async () => (await stateOf(gateway)) === 'up', 10_000);
  });

  it('a probe that hangs is given up in its time, and the next one is made', async () => {
    await takeOut(gateway);
    answers['a'] = () => {};
    await eventually('two probes', () => askedOfA().length >= 2, 10_000);
    delete answers['a'];
    await eventually('it is up', async () => (await stateOf(gateway)) === 'up', 10_000);
  });

  it('one of two gateways on one Redis asks', { skip: redisSkip }, async (t) => {
    const redis = await startRedis();
    t.after(() => redis[Symbol.asyncDispose]());
    const two = await Promise.all(
      [0, 1].map(() => start({ routing: { ...ROUTING, probe_timeout_ms: 20_000 }, store: { counters: redis.url } })),
    );
    for (const each of two) t.after(() => each[Symbol.asyncDispose]());
    for (const each of two)
      await eventually('they share', async () => (await each.metric('sluice_target_health_shared')) === 1, 10_000);
    await takeOut(two[0]!);
    const held = gate();
    let open = 0;
    let most = 0;
    answers['a'] = (_request, response) => {
      open += 1;
      most = Math.max(most, open);
      void held.promise.then(() => {
        open -= 1;
        sendJson(response, 200, completion('of a'));
      });
    };
    await eventually('a probe', () => open > 0, 10_000);
    // Several intervals of both, in which nobody else asks.
    const then = performance.now();
    await eventually('some time', () => performance.now() - then > 700);
    held.open();
    await eventually(
      'both know',
      async () => (await Promise.all(two.map(stateOf))).every((each) => each === 'up'),
      10_000,
    );
    assert.equal(most, 1);
    delete answers['a'];
  });
});
