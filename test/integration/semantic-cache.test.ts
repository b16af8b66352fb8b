import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { ADMIN_KEY, pricedAccount, startBudgetGateway } from '../support/budgets.ts';
import { cacheHeaders, cacheStatus, numberedChats } from '../support/cached-chats.ts';
import { ask } from '../support/chat-client.ts';
import { eventually, KEY, type RunningGateway } from '../support/gateway.ts';
import { type Answer, DONE_EVENT, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { receiptOf } from '../support/receipts.ts';
import { withRedis } from '../support/redis-counting.ts';
import { type RedisServer, redisSkip, startRedis } from '../support/redis-server.ts';
import { openAccount } from '../support/scripted-provider.ts';

const DIMENSIONS = 32;
const vector = (...numbers: number[]): number[] =>
  Array.from({ length: DIMENSIONS }, (_, index) => numbers[index] ?? 0);
const at = (cosine: number): number[] => vector(cosine, Math.sqrt(1 - cosine * cosine));
/** Texts of different lengths are not alike. */
const other = (text: string): number[] => vector(...new Array(3 + (text.length % 29)).fill(0), 1);
const RESET = 'how do i reset my password';
const VECTORS: Record<string, number[]> = {
  [RESET]: vector(1),
  'what is the way to reset my password': at(0.96),
  'how do i choose my password': at(0.8),
  'how do i not reset my password': at(0.99),
};
const NEAR = 'what is the way to reset my password';

/** What the model for embeddings does; undefined: it answers at once. */
let embedding: Answer | undefined;
const chat = numberedChats();
let provider: FakeProvider;
let gateway: RunningGateway;

const answer: Answer = (request, response, incoming) => {
  const body = JSON.parse(request.body.toString());
  if (request.path.endsWith('/embeddings')) {
    if (embedding !== undefined) embedding(request, response, incoming);
    else {
      const data = [{ object: 'embedding', index: 0, embedding: VECTORS[body.input] ?? other(body.input) }];
      sendJson(response, 200, { object: 'list', data, model: 'small', usage: { prompt_tokens: 4, total_tokens: 4 } });
    }
    return;
  }
  chat(request, response, incoming);
};

const GLOBAL = {
  type: 'gateway-global-settings',
  name: 'settings',
  semantic_cache_settings: { semantic_cache_embedding_model: 'vectors/small' },
};
const semantic = (more: object = {}) => cacheHeaders({ type: 'semantic', ...more });
const user = (content: string) => [{ role: 'user', content }];

interface Asked {
  readonly headers?: Record<string, string>;
  readonly key?: string;
  readonly path?: string;
  readonly of?: RunningGateway;
}

/** Each test is in a namespace of its own. */
let space = 0;
const asked = (text: string, body: object = {}, { of = gateway, headers, ...more }: Asked = {}) =>
  ask(
    of,
    { model: 'main/m', messages: user(text), ...body },
    { headers: { ...semantic({ namespace: `test-${space}` }), ...headers }, ...more },
  );
const chats = (): number => provider.requests.filter(({ path }) => path.endsWith('/chat/completions')).length;
const embeddings = (): number => provider.requests.filter(({ path }) => path.endsWith('/embeddings')).length;

async function said(response: Promise<Response>): Promise<{ status: string | null; text: string; response: Response }> {
  const got = await response;
  return { status: cacheStatus(got), text: await got.text(), response: got };
}

before(async () => {
  provider = await startProvider((request, response, incoming) => answer(request, response, incoming));
  gateway = await startBudgetGateway({
    keys: [
      { name: 'test', key: KEY, subject: 'virtualaccount:test', teams: ['blue'] },
      { name: 'other', key: 'other', subject: 'user:o@example.com', teams: ['blue'], models: ['main/*'] },
    ],
    server: { cache: { semantic: { embedding_timeout_ms: 5_000 } } },
    manifests: [
      pricedAccount('main', `${provider.origin}/v1`, ['m', 'n', 'looked', 'ruled']),
      openAccount('vectors', `${provider.origin}/v1`),
      GLOBAL,
      {
        type: 'sluice/cache',
        rules: [
          { id: 'look', when: { models: ['main/looked'] }, type: 'semantic', shadow: true, namespace: 'looked' },
          {
            id: 'all',
            when: { models: ['main/ruled'] },
            type: 'semantic',
            similarity_threshold: 0.7,
            namespace: 'ruled',
            shared_with: 'everyone',
          },
        ],
      },
    ],
  });
});

beforeEach(() => {
  provider.requests.length = 0;
  embedding = undefined;
  space += 1;
});

after(async () => {
  await gateway.stop();
  await provider.close();
});

test('a question that is like another gets its answer, at no cost, and is told how like', async () => {
  const first = await said(asked(RESET));
  const second = await said(asked(NEAR));
  assert.deepEqual([first.status, second.status], ['miss', 'hit']);
  assert.equal(second.text, first.text);
  assert.equal(chats(), 1);
  assert.equal(second.response.headers.get('x-tfy-cache-similarity-score'), '0.9600');
  assert.equal(second.response.headers.get('x-tfy-resolved-model'), 'main/m');
  const { cost, route } = await receiptOf(gateway, second.response);
  assert.equal(cost.nano_usd, 0);
  assert.deepEqual([route.cache.status, route.cache.type, route.cache.similarity], ['hit', 'semantic', 0.96]);
  assert.equal(route.cache.from, first.response.headers.get('x-sluice-exchange-id'));
  assert.equal(route.cache.saved_nano_usd, 19_000_000);
});

test('an equal question needs no vector', async () => {
  await said(asked(RESET));
  const before = embeddings();
  const { status, response } = await said(asked(RESET));
  assert.equal(status, 'hit');
  assert.equal(response.headers.get('x-tfy-cache-similarity-score'), null);
  assert.equal(embeddings(), before);
});

test('a stream is replayed to a like question byte by byte as it came', async () => {
  const first = await said(asked(RESET, { stream: true }));
  const second = await said(asked(NEAR, { stream: true }));
  assert.equal(second.status, 'hit');
  assert.equal(second.text, first.text);
  assert.ok(second.text.endsWith(DONE_EVENT));
});

test('vectors are asked for as the caller would: the ledger has a row of each, with the exchange that wants it', async () => {
  const { response } = await said(asked('tell me about cats'));
  const id = response.headers.get('x-sluice-exchange-id');
  await eventually('there is a row', async () => {
    const found = await fetch(`${gateway.operatorUrl}/admin/requests?limit=50`, {
      headers: { authorization: `Bearer ${ADMIN_KEY}` },
    });
    const { requests } = JSON.parse(await found.text());
    return requests.some(
      (row: Record<string, unknown>) => row['request_id'] === id && JSON.stringify(row).includes('vectors/small'),
    );
  });
});

test('a question below the threshold is asked, and the record tells the nearest', async () => {
  await said(asked(RESET));
  const { status, response } = await said(asked('how do i choose my password'));
  assert.equal(status, 'miss');
  assert.equal((await receiptOf(gateway, response)).route.cache.nearest, 0.8);
  const low = await said(
    asked(
      'how do i choose my password',
      {},
      { headers: semantic({ namespace: `test-${space}`, similarity_threshold: 0.9 }) },
    ),
  );
  assert.equal(low.status, 'hit');
});

test('a literal that differs keeps two questions apart however near they are, and the record tells which', async () => {
  await said(asked(RESET));
  const { status, response } = await said(asked('how do i not reset my password'));
  assert.equal(status, 'miss');
  const { cache } = (await receiptOf(gateway, response)).route;
  assert.deepEqual([cache.guard, cache.nearest], ['negation', 0.99]);
});

test('nobody gets an answer of another principal, model, parameter, system prompt or namespace', async () => {
  await said(asked(RESET));
  const prompted = [{ role: 'system', content: 'Be short.' }, ...user(NEAR)];
  const others: [string, Promise<Response>][] = [
    ['principal', asked(NEAR, {}, { key: 'other' })],
    ['model', asked(NEAR, { model: 'main/n' })],
    ['parameter', asked(NEAR, { temperature: 0.5 })],
    ['stream', asked(NEAR, { stream: true })],
    ['system prompt', asked(NEAR, { messages: prompted })],
    ['namespace', asked(NEAR, {}, { headers: semantic({ namespace: 'elsewhere' }) })],
  ];
  for (const [what, response] of others) assert.equal((await said(response)).status, 'miss', what);
});

test('requests with tools, results of tools, long conversations and coding agents are hits of equal ones alone', async () => {
  const tools = [{ type: 'function', function: { name: 'f', parameters: {} } }];
  const result = [
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }],
    },
    { role: 'tool', tool_call_id: 'a', content: 'x' },
  ];
  const long = Array.from({ length: 4 }, (_, index) => ({
    role: index % 2 ? 'assistant' : 'user',
    content: `turn ${index}`,
  }));
  const cases: [string, object, Record<string, string>][] = [
    ['tools', { tools }, {}],
    ['tools', { messages: [...user('go'), ...result, ...user(RESET)] }, {}],
    ['conversation', { messages: [...long, ...user(RESET)] }, {}],
    ['agent', {}, { 'user-agent': 'claude-cli/2.1.0 (external, cli)' }],
  ];
  for (const [reason, body, headers] of cases) {
    provider.requests.length = 0;
    const first = await said(asked(RESET, body, { headers }));
    assert.equal(embeddings(), 0, reason);
    assert.equal((await receiptOf(gateway, first.response)).route.cache.exact_only, reason);
    assert.equal((await said(asked(RESET, body, { headers }))).status, 'hit', reason);
    space += 1;
  }
});

test('a rule shares answers of like questions with those that it names, who may not use the model for vectors', async () => {
  const body = { model: 'main/ruled' };
  await said(ask(gateway, { ...body, messages: user(RESET) }));
  const { status } = await said(
    ask(gateway, { ...body, messages: user('how do i choose my password') }, { key: 'other' }),
  );
  assert.equal(status, 'hit');
});

test('a rule that only looks serves nothing, and header, record and metric tell what it would have served', async () => {
  const look = (text: string) => said(ask(gateway, { model: 'main/looked', messages: user(text) }));
  const first = await look(RESET);
  assert.equal(first.response.headers.get('x-sluice-cache-shadow'), 'miss');
  const would = await look(NEAR);
  assert.equal(would.status, 'miss');
  assert.notEqual(would.text, first.text);
  assert.equal(would.response.headers.get('x-sluice-cache-shadow'), 'hit');
  assert.equal(would.response.headers.get('x-tfy-cache-similarity-score'), '0.9600');
  const { shadow } = (await receiptOf(gateway, would.response)).route.cache;
  const from = first.response.headers.get('x-sluice-exchange-id');
  assert.deepEqual(shadow, { status: 'hit', from, saved_nano_usd: 19_000_000, similarity: 0.96 });
  const equal = await look(RESET);
  assert.deepEqual([equal.status, equal.response.headers.get('x-sluice-cache-shadow')], ['miss', 'hit']);
  assert.equal(chats(), 3);
  const told = () => gateway.metric('sluice_cache_shadow_requests_total', { cache_type: 'semantic', status: 'hit' });
  await eventually('the metric tells', async () => (await told()) === 2);
  assert.ok((await gateway.metric('sluice_cache_shadow_saved_cost_total', { status: 'hit' })) > 0);
});

test('equal questions at the same time ask for one vector and one answer', async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => said(asked(RESET, { stream: true }))));
  assert.equal(new Set(all.map(({ text }) => text)).size, 1);
  assert.deepEqual([chats(), embeddings()], [1, 1]);
});

test('operators see how many vectors there are, and a flush takes them with their answers', async () => {
  await said(asked(RESET));
  const admin = (method: string, path: string) =>
    fetch(`${gateway.operatorUrl}${path}`, { method, headers: { authorization: `Bearer ${ADMIN_KEY}` } });
  const before = JSON.parse(await (await admin('GET', '/admin/cache')).text()).vectors;
  assert.ok(before.entries > 0 && before.used_bytes === before.entries * 4 * DIMENSIONS);
  await admin('DELETE', `/admin/cache?namespace=test-${space}`);
  const left = JSON.parse(await (await admin('GET', '/admin/cache')).text()).vectors;
  assert.equal(left.entries, before.entries - 1);
  assert.equal((await said(asked(NEAR))).status, 'miss');
  assert.ok((await gateway.metric('sluice_cache_vectors')) > 0);
  assert.ok((await gateway.metric('sluice_cache_vector_bytes')) > 0);
});

test('a model for embeddings that fails or hangs costs a bounded wait, and the provider is asked', async () => {
  const slow = await startBudgetGateway({
    server: {
      operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY },
      cache: { semantic: { embedding_timeout_ms: 50 } },
    },
    manifests: [openAccount('main', `${provider.origin}/v1`), openAccount('vectors', `${provider.origin}/v1`), GLOBAL],
  });
  try {
    embedding = () => {};
    const late = await said(asked(RESET, {}, { of: slow }));
    assert.equal(late.status, 'error');
    assert.match(late.text, /answer/);
    assert.equal((await receiptOf(slow, late.response)).route.cache.vector, 'late');
    embedding = (_request, response) => sendJson(response, 500, { error: { message: 'no' } });
    const failed = await said(asked(NEAR, {}, { of: slow }));
    assert.equal(failed.status, 'error');
    assert.equal((await receiptOf(slow, failed.response)).route.cache.vector, 'failed');
    // What came of them is kept for equal requests.
    assert.equal((await said(asked(NEAR, {}, { of: slow }))).status, 'hit');
  } finally {
    await slow.stop();
  }
});

test('without a model for embeddings only equal requests are hits', async () => {
  const bare = await startBudgetGateway({
    server: { operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY } },
    manifests: [openAccount('main', `${provider.origin}/v1`)],
  });
  try {
    const first = await said(asked(RESET, {}, { of: bare }));
    assert.equal((await receiptOf(bare, first.response)).route.cache.exact_only, 'model');
    assert.equal((await said(asked(NEAR, {}, { of: bare }))).status, 'miss');
    assert.equal((await said(asked(RESET, {}, { of: bare }))).status, 'hit');
  } finally {
    await bare.stop();
  }
});

describe('with Redis', { skip: redisSkip }, () => {
  let redis: RedisServer;
  let gateways: RunningGateway[];

  before(async () => {
    redis = await startRedis();
    const start = () =>
      startBudgetGateway({
        server: {
          operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY },
          store: { cache: redis.url },
          // Many tests run beside this one.
          cache: { timeout_ms: 5_000, semantic: { embedding_timeout_ms: 5_000, max_redis_entries: 8 } },
        },
        manifests: [
          openAccount('main', `${provider.origin}/v1`),
          openAccount('vectors', `${provider.origin}/v1`),
          GLOBAL,
        ],
      });
    gateways = await Promise.all([start(), start()]);
  });

  after(async () => {
    await Promise.all(gateways.map((each) => each.stop()));
    await redis.stop();
  });

  test('a like question is answered by what another gateway was answered, until it is flushed', async () => {
    const [one, other] = gateways as [RunningGateway, RunningGateway];
    const first = await said(asked(RESET, {}, { of: one }));
    await withRedis(redis.url, (client) => eventually('both are in Redis', async () => (await client.dbSize()) === 2));
    const second = await said(asked(NEAR, {}, { of: other }));
    assert.deepEqual([second.status, second.text], ['hit', first.text]);
    await fetch(`${one.operatorUrl}/admin/cache`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${ADMIN_KEY}` },
    });
    await withRedis(redis.url, async (client) => assert.equal(await client.dbSize(), 0));
  });

  test('vectors in Redis are bounded, and while it is away like questions are found in memory', async () => {
    const [one] = gateways as [RunningGateway];
    for (let seed = 0; seed < 20; seed += 1) await said(asked(`word${'x'.repeat(seed)}`, {}, { of: one }));
    await withRedis(redis.url, async (client) => {
      const [key] = (await client.keys('*')).filter((each) => each.includes(':like:'));
      assert.equal(await client.xLen(key ?? ''), 8);
    });
    await said(asked(RESET, {}, { of: one }));
    await redis.stop();
    const { status } = await said(asked(NEAR, {}, { of: one }));
    assert.equal(status, 'hit');
  });
});
