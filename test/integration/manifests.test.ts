import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ask, errorOf, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { gate, openAccount } from '../support/scripted-provider.ts';

/*
 * Each kind of limit that a manifest may hold, in the real gateway: `case` in the metadata of a request chooses the
 * rule, so that one gateway shows them all. An answer has 5 + 7 tokens and costs 12 cents.
 */

const people = ['user:ada@example.com', 'user:bob@example.com', 'virtualaccount:ci', 'virtualaccount:nightly'];
const TOKENS = 12;

let provider: FakeProvider;
let gateway: RunningGateway;
let holding = gate();

disposeAfter(() => [gateway, provider]);

before(async () => {
  provider = await startProvider(async (request, response) => {
    if (JSON.parse(request.body.toString()).user === 'hold') await holding.promise;
    sendJson(response, 200, completion('yes'));
  });
  const cost = { metric: 'per_1000_tokens', value: { input: 10, output: 10 } };
  const model = (name: string) => ({
    name,
    type: 'integration/model/openai',
    model_id: name,
    model_types: ['chat'],
    cost,
  });
  gateway = await startGateway({
    keys: people.map((subject) => ({ name: subject, key: `key of ${subject}`, subject })),
    manifests: [
      openAccount('p', `${provider.origin}/v1`, { integrations: ['dear', 'cheap'].map(model) }),
      { type: 'team', name: 'search', members: ['bob@example.com'] },
      { type: 'gateway-rate-limiting-config', name: 'rates', rules: rateRules },
      { type: 'gateway-budget-config', name: 'budgets', rules: budgetRules },
      ...budgetManifests,
    ],
  });
});

const on = (name: string, more: object = {}) => ({ ...more, metadata: { case: name } });
const rate = (unit: string, limit: number) => ({ id: unit, when: on(unit), limit_to: limit, unit });
const per = (id: string, ...keys: string[]) => ({
  id,
  when: on(id),
  limit_to: 1,
  unit: 'requests_per_day',
  rate_limit_applies_per: keys,
});

const requestUnits = ['minute', 'hour', 'day', 'week', 'month'].map((span) => `requests_per_${span}`);
const tokenUnits = ['minute', 'hour', 'day', 'week', 'month'].map((span) => `tokens_per_${span}`);
const rateRules = [
  ...requestUnits.map((unit) => rate(unit, 2)),
  ...tokenUnits.map((unit) => rate(unit, 3 * TOKENS - 1)),
  ...['cost_per_minute', 'cost_per_hour'].map((unit) => rate(unit, 0.35)),
  rate('concurrent_requests', 1),
  per('per-user', 'user'),
  per('per-virtual-account', 'virtualaccount'),
  per('per-model', 'model'),
  per('per-user-and-model', 'user', 'model'),
  per('per-metadata', 'metadata.project'),
  { id: 'of-subjects', when: on('whom', { subjects: ['team:search'] }), limit_to: 0, unit: 'requests_per_day' },
  { id: 'of-models', when: on('which', { models: ['p/dear'] }), limit_to: 0, unit: 'requests_per_day' },
  { id: 'first', when: on('order', { subjects: ['user:*'] }), limit_to: 1000, unit: 'requests_per_day' },
  { id: 'second', when: on('order'), limit_to: 0, unit: 'requests_per_day' },
];

const budgetUnits: [unit: string, limit: number][] = [
  ['cost_per_day', 0.35],
  ['cost_per_week', 0.35],
  ['cost_per_month', 0.35],
  ['cost_per_quarter', 0.35],
  ['tokens_per_day', 3 * TOKENS - 1],
  ['tokens_per_month', 3 * TOKENS - 1],
];
const budget = (unit: string, limit: number, more: object = {}) => ({
  id: `budget ${unit}`,
  when: on(`budget ${unit}`),
  limit_to: limit,
  unit,
  ...more,
});
const budgetRules = [
  ...budgetUnits.map(([unit, limit]) => budget(unit, limit)),
  { ...budget('cost_per_day', 0), id: 'audited', when: on('audited'), audit_mode: true },
  {
    ...budget('cost_per_day', 0),
    id: 'downgraded',
    when: on('downgraded'),
    mode: 'downgrade',
    downgrade_to: 'p/cheap',
  },
  { ...budget('cost_per_day', 0.15), id: 'v1 per user', when: on('v1 per user'), budget_applies_per: ['user'] },
];

/** Enough for one request; for whom an override speaks, for three. */
const divided = (name: string, appliesTo: object, more: object = {}) => ({
  type: 'tenant-budget-config',
  name,
  when: { metadata: { case: { in: [name] } } },
  limits: { cost_per_day: 0.15, cost_per_month: 1000 },
  applies_to: appliesTo,
  mode: 'enforce',
  ...more,
});
const more = { limits: { cost_per_day: 0.4 } };
const budgetManifests = [
  divided('v2 aggregate', { type: 'aggregate' }),
  divided('v2 per user', { type: 'per-user', overrides: [{ users: ['bob@example.com'], ...more }] }),
  divided('v2 per model', { type: 'per-model', overrides: [{ models: ['p/cheap'], ...more }] }),
  divided('v2 per virtual account', {
    type: 'per-virtual-account',
    overrides: [{ virtual_accounts: ['nightly'], ...more }],
  }),
  divided('v2 metadata', {
    type: 'metadata',
    metadata: 'project',
    overrides: [{ metadata_values: ['large'], ...more }],
  }),
  divided('v2 audit', { type: 'aggregate' }, { mode: 'audit' }),
  divided(
    'v2 of some',
    { type: 'aggregate' },
    {
      when: {
        subjects: { users: { in: ['ada@example.com', 'bob@example.com'], not_in: [] }, teams: { not_in: ['search'] } },
        models: { in: [], not_in: ['p/cheap'] },
        metadata: { case: { in: ['v2 of some'] } },
      },
      limits: { cost_per_day: 0 },
    },
  ),
  {
    ...divided('v2 of a team', { type: 'aggregate' }),
    type: 'team-budget-config',
    team_name: 'search',
    limits: { cost_per_week: 0 },
  },
];

interface Sent {
  readonly who?: string;
  readonly model?: string;
  readonly metadata?: Record<string, string>;
  readonly user?: string;
}

const send = (name: string, { who = people[0], model = 'p/dear', metadata = {}, user = 'x' }: Sent = {}) =>
  ask(
    gateway,
    // As many tokens as its answer will have, so that what is held is near what is used.
    { model, messages, max_tokens: 7, user },
    { key: `key of ${who}`, headers: { 'x-tfy-metadata': JSON.stringify({ case: name, ...metadata }) } },
  );

async function status(name: string, sent: Sent = {}): Promise<number> {
  const response = await send(name, sent);
  await response.arrayBuffer();
  return response.status;
}

/** How many are let through, one after the other, before one is refused; the refusal names the rule. */
async function passes(name: string, sent: Sent = {}, rule = name): Promise<number> {
  for (let count = 0; count < 8; count += 1) {
    const response = await send(name, sent);
    if (response.status === 429) {
      assert.ok(Number(response.headers.get('retry-after')) > 0);
      assert.match(response.headers.get('x-tfy-applied-rules') ?? '', new RegExp(rule));
      assert.ok((await errorOf(response)).message.includes(rule));
      return count;
    }
    assert.equal(response.status, 200);
    await response.arrayBuffer();
  }
  return Number.POSITIVE_INFINITY;
}

describe('gateway-rate-limiting-config', () => {
  for (const unit of requestUnits) {
    test(`a limit of ${unit} lets exactly so many requests pass`, async () => assert.equal(await passes(unit), 2));
  }
  for (const unit of tokenUnits) {
    test(`a limit of ${unit} counts the tokens of answers`, async () => {
      const count = await passes(unit);
      // The third would still fit by its size, but not for certain before its answer is there.
      assert.ok(count === 2 || count === 3, String(count));
    });
  }
  for (const unit of ['cost_per_minute', 'cost_per_hour']) {
    test(`a limit of ${unit} counts what answers cost`, async () => {
      const count = await passes(unit);
      assert.ok(count === 2 || count === 3, String(count));
    });
  }

  test('a limit of concurrent_requests counts open requests, and forgets them when they are over', async () => {
    const asked = provider.requests.length;
    const open = send('concurrent_requests', { user: 'hold' });
    await eventually('the first is at the provider', () => provider.requests.length > asked);
    assert.equal(await status('concurrent_requests'), 429);
    holding.open();
    assert.equal((await open).status, 200);
    await eventually('there is room again', async () => (await status('concurrent_requests')) === 200);
    holding = gate();
  });

  const groups: [name: string, same: Sent, other: Sent][] = [
    ['per-user', {}, { who: 'user:bob@example.com' }],
    ['per-virtual-account', { who: 'virtualaccount:ci' }, { who: 'virtualaccount:nightly' }],
    ['per-model', {}, { model: 'p/cheap' }],
    ['per-user-and-model', {}, { model: 'p/cheap' }],
    ['per-metadata', { metadata: { project: 'a' } }, { metadata: { project: 'b' } }],
  ];
  for (const [name, same, other] of groups) {
    test(`a rate limit ${name} counts each group apart`, async () => {
      assert.deepEqual(
        [await status(name, same), await status(name, same), await status(name, other)],
        [200, 429, 200],
      );
    });
  }

  test('requests without the metadata that a rule counts by share one count', async () => {
    const [ada, bob] = ['user:ada@example.com', 'user:bob@example.com'];
    assert.deepEqual(
      [await status('per-metadata', { who: ada }), await status('per-metadata', { who: bob })],
      [200, 429],
    );
  });

  test('a rule applies to its subjects, to the members of its teams, and to its models', async () => {
    assert.equal(await status('whom', { who: 'user:bob@example.com' }), 429);
    assert.equal(await status('whom', { who: 'user:ada@example.com' }), 200);
    assert.equal(await status('which', { model: 'p/dear' }), 429);
    assert.equal(await status('which', { model: 'p/cheap' }), 200);
  });

  test('the first rate limit rule that matches decides', async () => {
    assert.equal(await status('order', { who: 'user:ada@example.com' }), 200);
    assert.equal(await status('order', { who: 'virtualaccount:ci' }), 429);
  });
});

describe('gateway-budget-config', () => {
  for (const [unit] of budgetUnits) {
    test(`a budget of ${unit} refuses when it is spent`, async () => {
      const count = await passes(`budget ${unit}`);
      assert.ok(count === 2 || count === 3, String(count));
    });
  }

  test('an audited budget refuses nobody', async () => {
    const response = await send('audited');
    assert.equal(response.status, 200);
    assert.match(response.headers.get('x-tfy-applied-rules') ?? '', /audited/);
    await response.arrayBuffer();
  });

  test('a budget that downgrades sends requests to the model it names', async () => {
    const response = await send('downgraded');
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('x-tfy-resolved-model'), 'p/cheap');
    await response.arrayBuffer();
  });

  test('a budget with budget_applies_per counts each group apart', async () => {
    assert.equal(await passes('v1 per user'), 1);
    assert.equal(await status('v1 per user', { who: 'user:bob@example.com' }), 200);
  });
});

describe('tenant-budget-config and team-budget-config', () => {
  test('an aggregate budget counts all callers together', async () => {
    assert.equal(await passes('v2 aggregate'), 1);
    assert.equal(await status('v2 aggregate', { who: 'virtualaccount:ci', model: 'p/cheap' }), 429);
  });

  const overridden: [name: string, plain: Sent, special: Sent][] = [
    ['v2 per user', {}, { who: 'user:bob@example.com' }],
    ['v2 per model', {}, { model: 'p/cheap' }],
    ['v2 per virtual account', { who: 'virtualaccount:ci' }, { who: 'virtualaccount:nightly' }],
    ['v2 metadata', { metadata: { project: 'small' } }, { metadata: { project: 'large' } }],
  ];
  for (const [name, plain, special] of overridden) {
    test(`a budget ${name} counts each group apart, with limits of their own for some`, async () => {
      assert.equal(await passes(name, plain), 1);
      const count = await passes(name, special);
      assert.ok(count === 2 || count === 3, String(count));
    });
  }

  test('a budget with mode audit refuses nobody', async () => {
    assert.equal(await passes('v2 audit'), Number.POSITIVE_INFINITY);
  });

  test('a budget applies to the subjects and models that it names and does not exclude', async () => {
    assert.equal(await status('v2 of some', { who: 'user:ada@example.com' }), 429);
    assert.equal(await status('v2 of some', { who: 'user:ada@example.com', model: 'p/cheap' }), 200);
    assert.equal(await status('v2 of some', { who: 'user:bob@example.com' }), 200);
    assert.equal(await status('v2 of some', { who: 'virtualaccount:ci' }), 200);
  });

  test('a team budget applies to the team’s members', async () => {
    assert.equal(await status('v2 of a team', { who: 'user:bob@example.com' }), 429);
    assert.equal(await status('v2 of a team', { who: 'user:ada@example.com' }), 200);
  });
});
