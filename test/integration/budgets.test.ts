import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { ADMIN_KEY, answering, budgetsOf, pricedAccount, startBudgetGateway, talkative } from '../support/budgets.ts';
import { ask, errorOf, messages } from '../support/chat-client.ts';
import { eventually, KEY, type RunningGateway, recordOf } from '../support/gateway.ts';
import { type FakeProvider, type ReceivedRequest, sendJson, startProvider } from '../support/provider.ts';
import { byModel, gate, givenUp, startEvents } from '../support/scripted-provider.ts';
import { SharedGateway } from '../support/shared-gateway.ts';

const usage = { input: 5, output: 7 };
/** The cost of an answer, in micro-dollars. */
const COST = 19_000;
const keys = ['bob', 'eve', 'rich'].map((name) => ({
  name,
  key: `key-of-${name}`,
  subject: `user:${name}@example.com`,
}));
const narrow = { name: 'narrow', key: 'key-of-narrow', subject: 'user:narrow@example.com', models: ['p/m'] };
const dayBudget = (name: string, limit: number, more: object = {}) => ({
  type: 'tenant-budget-config',
  name,
  when: {},
  limits: { cost_per_day: limit },
  applies_to: { type: 'aggregate' },
  mode: 'enforce',
  ...more,
});

let provider: FakeProvider;
let leftAt = gate<number>();
const hooks: Record<string, unknown>[] = [];
let webhook: object;
before(async () => {
  provider = await startProvider((request, response, incoming) => {
    if (request.path === '/hook') {
      hooks.push(JSON.parse(request.body.toString()));
      response.end();
    } else answers(request, response, incoming);
  });
  const costs = { name: 'costs', type: 'integration/notification-channel/webhook' };
  const integrations = [{ ...costs, webhook_url: `${provider.origin}/hook` }];
  webhook = { type: 'provider-account/webhook', name: 'hooks', integrations };
});
after(() => provider?.close());
const answers = byModel({
  m: answering(usage),
  cheap: answering(usage),
  talker: (request, response, incoming) => {
    givenUp(response).then(leftAt.open);
    talkative(request, response, incoming);
  },
});

const allKeys = [{ name: 'test', key: KEY, subject: 'virtualaccount:test' }, ...keys, narrow];
const withAccount = (budgets: object[]): object[] => [
  pricedAccount('p', `${provider.origin}/v1`, ['m', 'cheap', 'talker']),
  ...budgets,
];
const running: AsyncDisposable[] = [];
/** A gateway of its own, which the test stops. */
async function start(budgets: object[], options: { folder?: string } = {}): Promise<RunningGateway> {
  const gateway = await startBudgetGateway({ keys: allKeys, manifests: withAccount(budgets), ...options });
  running.push(gateway);
  return gateway;
}
const shared = new SharedGateway({ keys: allKeys }, startBudgetGateway);
running.push(shared);
after(() => Promise.all(running.map((gateway) => gateway[Symbol.asyncDispose]())));

const chat = (gateway: RunningGateway, key = KEY, body: object = {}, headers: Record<string, string> = {}) =>
  ask(gateway, { model: 'p/m', messages, max_tokens: 7, ...body }, { key, headers });
const statuses = async (gateway: RunningGateway, times: number, key = KEY) => {
  const list: number[] = [];
  for (let each = 0; each < times; each += 1) {
    const response = await chat(gateway, key);
    await response.text();
    list.push(response.status);
  }
  return list;
};
/** What each budget and group has spent, in micro-dollars or tokens, once nothing is held and the ledger has it. */
async function spends(gateway: RunningGateway, expected: Record<string, number>): Promise<void> {
  const found = async (): Promise<Record<string, number>> => {
    const { data } = await budgetsOf(gateway);
    if (data.some((each) => each.held !== 0)) return {};
    const inWhole = (each: (typeof data)[number]) =>
      each.currency === 'USD' ? Math.round(each.spent * 1e6) : each.spent;
    return Object.fromEntries(data.map((each) => [`${each.budget} ${each.group}`.trim(), inWhole(each)]));
  };
  await eventually('all is settled', async () => isDeepStrictEqual(await found(), expected)).catch(() => {});
  assert.deepEqual(await found(), expected);
}

describe('budgets', () => {
  test('a spent budget refuses by name until its period ends, also after a stop, a kill and a reload', async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-budget-'));
    context.after(() => rm(folder, { recursive: true, force: true }));
    const budgets = [dayBudget('daily', 0.07)];
    let gateway = await start(budgets, { folder });
    assert.deepEqual(await statuses(gateway, 4), [200, 200, 200, 429]);
    const refused = await chat(gateway);
    const midnight = 86_400 - ((Date.now() / 1000) % 86_400);
    assert.ok(Math.abs(Number(refused.headers.get('retry-after')) - midnight) < 5, 'until midnight UTC');
    assert.match(refused.headers.get('x-tfy-applied-rules') ?? '', /"budget":\["daily"\]/);
    const error = await errorOf(refused);
    assert.equal(error.code, 'budget_exceeded');
    assert.match(error.message, /Budget exceeded for model: p\/m with rule: daily/);
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await eventually('the ledger has it', async () => (await gateway.metric('ai_gateway_budget_usage')) > 0.8);
      gateway.process.kill(signal);
      await gateway.exited;
      gateway = await start(budgets, { folder });
      assert.deepEqual(await statuses(gateway, 1), [429], signal);
      await spends(gateway, { daily: 3 * COST });
    }
    const withMore = [pricedAccount('p', `${provider.origin}/v1`, ['m']), dayBudget('daily', 0.09)];
    await gateway.configure(withMore);
    await eventually('the limit is another', async () => (await budgetsOf(gateway)).data[0]?.limit === 0.09);
    assert.deepEqual(await statuses(gateway, 2), [200, 429]);
  });

  test('a budget that is taken away and comes back knows what it spent', async () => {
    const gateway = await shared.configured(withAccount([dayBudget('returning', 0.03)]));
    assert.deepEqual(await statuses(gateway, 2), [200, 429]);
    const account = pricedAccount('p', `${provider.origin}/v1`, ['m']);
    const usage = () => gateway.metric('ai_gateway_budget_usage', { ruleId: 'returning' });
    await eventually('the ledger has it', async () => (await usage()) > 0.6);
    await gateway.configure([account]);
    await eventually('it is gone', async () => (await budgetsOf(gateway)).data.length === 0);
    assert.deepEqual(await statuses(gateway, 1), [200]);
    await gateway.configure([account, dayBudget('returning', 0.03)]);
    await eventually('it is back', async () => (await budgetsOf(gateway)).data.length === 1);
    assert.deepEqual(await statuses(gateway, 1), [429]);
  });

  test('the first v1 rule that matches decides, and every match is charged', async () => {
    const rule = (id: string, limit_to: number, more: object = {}) => ({ id, limit_to, unit: 'cost_per_day', ...more });
    const gateway = await shared.configured(
      withAccount([
        {
          type: 'gateway-budget-config',
          rules: [
            rule('bob', 1, { when: { subjects: ['user:bob@example.com'] } }),
            rule('tight', 0.02, { when: { models: ['p/m'] } }),
            { id: 'tokens', limit_to: 100_000, unit: 'tokens_per_month', when: {} },
          ],
        },
      ]),
    );
    assert.deepEqual(await statuses(gateway, 3, 'key-of-bob'), [200, 200, 200], 'the second rule does not decide');
    assert.deepEqual(await statuses(gateway, 1, 'key-of-eve'), [429], 'and was charged all the same');
    await spends(gateway, { bob: 3 * COST, tight: 3 * COST, tokens: 36 });
  });

  test('v2 budgets count per user, with limits of their own for some', async () => {
    const overrides = [{ users: ['rich@example.com'], limits: { cost_per_day: 0.07 } }];
    const gateway = await shared.configured(
      withAccount([
        dayBudget('each', 0.03, { applies_to: { type: 'per-user', overrides } }),
        dayBudget('watched', 0.001, { mode: 'audit' }),
      ]),
    );
    assert.deepEqual(await statuses(gateway, 3, 'key-of-bob'), [200, 429, 429]);
    assert.deepEqual(await statuses(gateway, 1, 'key-of-eve'), [200]);
    assert.deepEqual(await statuses(gateway, 4, 'key-of-rich'), [200, 200, 200, 429]);
    await spends(gateway, {
      'each user:bob@example.com': COST,
      'each user:eve@example.com': COST,
      'each user:rich@example.com': 3 * COST,
      watched: 5 * COST,
    });
    const { data } = await budgetsOf(gateway, '?budget=each&group=user:rich@example.com');
    assert.deepEqual([data.length, data[0]?.limit, data[0]?.percent], [1, 0.07, 81.4]);
    const pages: string[] = [];
    let token: string | null = '';
    while (token !== null) {
      const page = await budgetsOf(gateway, `?limit=1${token === '' ? '' : `&page_token=${token}`}`);
      pages.push(...page.data.map((each) => `${each.budget} ${each.group}`));
      token = page.next_page_token;
    }
    assert.deepEqual(pages, [
      'each user:bob@example.com',
      'each user:eve@example.com',
      'each user:rich@example.com',
      'watched ',
    ]);
    for (const query of ['?limit=0', '?limit=x', '?page_token=x', '?limit=1001'])
      await assert.rejects(budgetsOf(gateway, query), /^Error: 400 .*invalid_parameter/, query);
    await eventually('the fullest group is shown', async () => {
      const usage = await gateway.metric('ai_gateway_budget_usage', { ruleId: 'each' });
      return Math.abs(usage - 57 / 70) < 1e-9;
    });
  });

  test('a spent budget with mode downgrade sends requests to the cheaper model', async () => {
    const cheaper = { when: { models: { in: ['p/m'] } }, mode: 'downgrade', downgrade_to: 'p/cheap' };
    const gateway = await shared.configured(withAccount([dayBudget('cheaper', 0.03, cheaper)]));
    assert.deepEqual(await statuses(gateway, 1), [200]);
    const response = await chat(gateway);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('x-tfy-resolved-model'), 'p/cheap');
    assert.match(response.headers.get('x-tfy-applied-rules') ?? '', /"downgrade"/);
    await response.text();
    const refused = await chat(gateway, narrow.key);
    assert.equal(refused.status, 429, 'and to no model that the key may not use');
    assert.equal((await errorOf(refused)).code, 'budget_exceeded');
    assert.equal(refused.headers.get('x-tfy-resolved-model'), null);
  });

  test('the official SDK gives up on a spent budget at once, instead of sleeping until its reset', async () => {
    const gateway = await shared.configured(withAccount([dayBudget('gone', 0)]));
    const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: KEY, maxRetries: 3 });
    await assert.rejects(
      client.chat.completions.create({ model: 'p/m', messages: [{ role: 'user', content: 'hi' }] }),
      OpenAI.RateLimitError,
    );
    const refused = await chat(gateway);
    const names = ['retry-after', 'retry-after-ms', 'x-should-retry'];
    const [seconds, milliseconds, shouldRetry] = names.map((name) => refused.headers.get(name));
    assert.equal(Number(seconds), Math.ceil(Number(milliseconds) / 1000));
    assert.equal(shouldRetry, String(Number(milliseconds) <= 60_000));
  });

  test('a budget that begins to send requests to a cheaper model is told, logged and counted, once', async () => {
    const notification_target = [{ type: 'webhook', notification_channel: 'hooks/costs' }];
    const gateway = await start([
      webhook,
      dayBudget('thrifty', 0.03, {
        when: { models: { in: ['p/m'] } },
        mode: 'downgrade',
        downgrade_to: 'p/cheap',
        alerts: { thresholds: [100], send_to: 'shared', notification_target },
      }),
    ]);
    const told = () => hooks.filter((each) => each['type'] === 'budget.downgrades');
    assert.deepEqual(await statuses(gateway, 4), [200, 200, 200, 200]);
    await eventually('it is told', () => told().length === 1);
    assert.equal(told()[0]?.['budget'], 'thrifty');
    const begun = { ruleId: 'thrifty', action: 'downgrade' };
    assert.equal(await gateway.metric('sluice_budget_refusals_begun_total', begun), 1);
    await gateway.stop();
    assert.equal(told().length, 1);
    assert.equal(gateway.output().split('begins to send requests to a cheaper model').length, 2, 'once in the log');
    hooks.length = 0;
  });

  test('alerts come to a webhook once per threshold, and not again after a restart', async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-budget-'));
    context.after(() => rm(folder, { recursive: true, force: true }));
    const notification_target = [{ type: 'webhook', notification_channel: 'hooks/costs' }];
    const budgets = [
      webhook,
      dayBudget('loud', 0.04, {
        mode: 'audit',
        applies_to: { type: 'per-user' },
        alerts: { thresholds: [40, 90], send_to: 'shared', notification_target },
      }),
    ];
    let gateway = await start(budgets, { folder });
    await statuses(gateway, 1, 'key-of-bob');
    await eventually('40% is told', () => hooks.length === 1);
    await statuses(gateway, 3, 'key-of-bob');
    await eventually('90% is told', () => hooks.length === 2);
    await eventually('it is counted', async () => (await gateway.metric('sluice_alerts_sent_total')) === 2);
    assert.deepEqual(
      hooks.map((each) => [each['budget'], each['threshold'], each['group'], each['limit']]),
      [
        ['loud', 40, { user: 'user:bob@example.com' }, 0.04],
        ['loud', 90, { user: 'user:bob@example.com' }, 0.04],
      ],
    );
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    const { operatorUrl } = gateway;
    const kept = async (): Promise<Record<string, unknown>[]> =>
      JSON.parse(await (await fetch(`${operatorUrl}/admin/alerts`, { headers })).text()).data;
    await eventually('both messages are kept', async () => (await kept()).length === 2);
    const host = new URL(provider.origin).host;
    assert.deepEqual(
      (await kept()).map((each) => [each['threshold'], each['recipient'], each['outcome'], each['limit']]),
      [
        [90, host, 'sent', 0.04],
        [40, host, 'sent', 0.04],
      ],
    );
    await gateway.stop();
    gateway = await start(budgets, { folder });
    await statuses(gateway, 1, 'key-of-bob');
    await eventually('it was looked at', async () => (await gateway.metric('ai_gateway_budget_usage')) > 2.3);
    assert.equal(await gateway.stop(), 0);
    assert.equal(hooks.length, 2);
  });
});

describe('a stream whose budget ends', () => {
  const cutting = (name: string, limit: number) => [dayBudget(name, limit, { mode: 'cut' })];

  test('a stream that a budget cuts is an ordinary answer of finish reason length to the official SDK, billed for what was sent', async () => {
    const gateway = await shared.configured(withAccount(cutting('of-chats', 0.2)));
    leftAt = gate<number>();
    const client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    const stream = client.chat.completions.stream(
      { model: 'p/talker', messages: [{ role: 'user', content: 'hi' }], stream_options: { include_usage: true } },
      { headers: { 'x-request-id': 'cut-1' } },
    );
    const answer = await stream.finalChatCompletion();
    await leftAt.promise;
    const [choice] = answer.choices;
    assert.equal(choice?.finish_reason, 'length');
    assert.equal(choice?.message.role, 'assistant');
    assert.match(choice?.message.content ?? '', /^(word)+$/);
    const words = (choice?.message.content?.length ?? 0) / 4;
    assert.equal(answer.usage?.completion_tokens, words);
    const record = await recordOf(gateway, 'cut-1');
    assert.equal(record['sluice.outcome'], 'ok');
    assert.equal(record['error.message'], 'cut by budget of-chats');
    assert.equal(record['sluice.usage.source'], 'estimate');
    const micro = ((answer.usage?.prompt_tokens ?? 0) + words * 2) * 1_000;
    await spends(gateway, { 'of-chats': micro });
    assert.ok(micro <= 200_000 && micro > 200_000 - 17 * 2_000, `${micro} of 200000`);
  });

  test('a translated stream that a budget cuts is an ordinary answer as well', async (context) => {
    const left = gate<number>();
    const event = (value: { type: string } & Record<string, unknown>) =>
      `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
    const anthropic = await startProvider((request: ReceivedRequest, response) => {
      if (!JSON.parse(request.body.toString()).stream) return sendJson(response, 500, {});
      givenUp(response).then(left.open);
      startEvents(response);
      const message = {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: 'claude',
        content: [],
        stop_reason: null,
      };
      response.write(
        event({ type: 'message_start', message: { ...message, usage: { input_tokens: 9, output_tokens: 1 } } }),
      );
      response.write(event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }));
      const delta = { type: 'text_delta', text: 'a few words' };
      const timer = setInterval(() => response.write(event({ type: 'content_block_delta', index: 0, delta })), 1);
      response.on('close', () => clearInterval(timer));
    });
    context.after(() => anthropic.close());
    const gateway = await shared.configured(
      withAccount([
        ...cutting('translated', 0.2),
        {
          type: 'provider-account/anthropic',
          name: 'a',
          base_url: anthropic.origin,
          auth_data: { type: 'api-key', api_key: 'k' },
          integrations: [
            {
              name: 'claude',
              type: 'integration/model/anthropic',
              model_id: 'claude',
              model_types: ['chat'],
              cost: { metric: 'per_1000_tokens', value: { input: 1, output: 2 } },
            },
          ],
        },
      ]),
    );
    const client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    const answer = await client.chat.completions
      .stream({
        model: 'a/claude',
        messages: [{ role: 'user', content: 'hi' }],
        stream_options: { include_usage: true },
      })
      .finalChatCompletion();
    await left.promise;
    assert.equal(answer.choices[0]?.finish_reason, 'length');
    assert.equal(answer.id, 'msg_1');
    assert.equal(answer.usage?.prompt_tokens, 9, 'what the provider said stands');
    const bytes = answer.choices[0]?.message.content?.length ?? 0;
    assert.equal(answer.usage?.completion_tokens, Math.ceil(bytes / 4));
    const micro = (9 + 2 * Math.ceil(bytes / 4)) * 1_000;
    await spends(gateway, { translated: micro });
    assert.ok(micro <= 200_000, String(micro));
  });

  test('a message that a budget cuts, passed or translated, is whole to the SDK of Anthropic, stopped by max_tokens', async (context) => {
    const event = (value: { type: string } & Record<string, unknown>) =>
      `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
    const opening = {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'claude',
      content: [],
      stop_reason: null,
      usage: { input_tokens: 9, output_tokens: 1 },
    };
    const anthropic = await startProvider((_request, response) => {
      startEvents(response);
      response.write(event({ type: 'message_start', message: opening }));
      response.write(event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }));
      const delta = { type: 'text_delta', text: 'a few words' };
      const timer = setInterval(() => response.write(event({ type: 'content_block_delta', index: 0, delta })), 1);
      response.on('close', () => clearInterval(timer));
    });
    context.after(() => anthropic.close());
    const claude = {
      name: 'claude',
      type: 'integration/model/anthropic',
      model_id: 'claude',
      model_types: ['chat'],
      cost: { metric: 'per_1000_tokens', value: { input: 1, output: 2 } },
    };
    const auth_data = { type: 'api-key', api_key: 'k' };
    const account = { type: 'provider-account/anthropic', name: 'a', base_url: anthropic.origin, auth_data };
    for (const [name, model] of [
      ['passed', 'a/claude'],
      ['carried', 'p/talker'],
    ] as const) {
      const budgets = [...cutting(name, 0.2), { ...account, integrations: [claude] }];
      const gateway = await shared.configured(withAccount(budgets));
      const client = new Anthropic({ apiKey: KEY, baseURL: gateway.url, maxRetries: 0 });
      const asked = { model, max_tokens: 10_000, messages: [{ role: 'user' as const, content: 'hi' }] };
      const message = await client.messages.stream(asked).finalMessage();
      assert.equal(message.stop_reason, 'max_tokens', model);
      const [block] = message.content;
      assert.ok(block?.type === 'text' && block.text.length > 20);
      assert.ok(message.usage.output_tokens > 5);
      await spends(gateway, { [name]: (message.usage.input_tokens + 2 * message.usage.output_tokens) * 1_000 });
    }
  });
});
