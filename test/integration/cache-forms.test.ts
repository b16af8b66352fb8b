import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ADMIN_KEY, startBudgetGateway } from '../support/budgets.ts';
import { cacheHeaders, cacheStatus, numberedChats } from '../support/cached-chats.ts';
import { ask, messages } from '../support/chat-client.ts';
import { eventually, type RunningGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { withRedis } from '../support/redis-counting.ts';
import { type RedisServer, redisSkip, startRedis } from '../support/redis-server.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

const EXACT = cacheHeaders({ ttl: 60 });

let count = 0;
const chat = numberedChats();
let provider: FakeProvider;
let gateway: RunningGateway;

const MESSAGE_EVENTS = [
  {
    type: 'message_start',
    message: {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'c',
      content: [],
      stop_reason: null,
      usage: { input_tokens: 3, output_tokens: 1 },
    },
  },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hello' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 4 } },
  { type: 'message_stop' },
];

before(async () => {
  provider = await startProvider((request, response, incoming) => {
    count += 1;
    const { model, messages: sent } = JSON.parse(request.body.toString());
    if (model === 'echo') sendJson(response, 200, completion(sent[0].content));
    else if (request.path.endsWith('/messages')) {
      startEvents(response);
      for (const event of MESSAGE_EVENTS) response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
      response.end();
    } else if (request.path.endsWith('/embeddings')) {
      const data = [{ object: 'embedding', index: 0, embedding: [count, 0.5] }];
      sendJson(response, 200, { object: 'list', data, model: 'm', usage: { prompt_tokens: 2, total_tokens: 2 } });
    } else if (request.path === '/v1/completions') {
      const choices = [{ index: 0, text: `answer ${count}`, finish_reason: 'stop', logprobs: null }];
      sendJson(response, 200, { id: 'cmpl-1', object: 'text_completion', created: 1, model: 'm', choices });
    } else chat(request, response, incoming);
  });
  gateway = await startBudgetGateway({
    server: { operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY }, demo: true, threads: 2 },
    manifests: [
      openAccount('open', `${provider.origin}/v1`),
      {
        type: 'provider-account/guardrail-config-group',
        name: 'g',
        integrations: [
          {
            type: 'integration/guardrail-config/secret-detection',
            name: 'secrets',
            operation: 'mutate',
            enforcing_strategy: 'enforce',
          },
          {
            type: 'integration/guardrail-config/regex',
            name: 'ssn',
            operation: 'validate',
            config: { preset_patterns: { presets: ['us_ssn'] } },
          },
          {
            type: 'integration/guardrail-config/tfy-pii',
            name: 'pii',
            operation: 'mutate',
            config: { pii_categories: ['Email'], pseudonyms: true },
          },
        ],
      },
      {
        type: 'gateway-guardrails-config',
        rules: [
          {
            id: 'echo',
            when: { target: { operator: 'or', conditions: { model: { condition: 'in', values: ['open/echo'] } } } },
            llm_input_guardrails: ['g/ssn', 'g/pii'],
            llm_output_guardrails: ['g/secrets'],
            mcp_tool_pre_invoke_guardrails: [],
            mcp_tool_post_invoke_guardrails: [],
          },
        ],
      },
      {
        type: 'provider-account/anthropic',
        name: 'claude',
        base_url: provider.origin,
        auth_data: { type: 'api-key', api_key: 'sk-ant' },
      },
    ],
  });
});

after(async () => {
  await gateway.stop();
  await provider.close();
});

const input = [{ role: 'user', content: 'hi' }];
const FORMS: readonly (readonly [name: string, path: string, body: object])[] = [
  ['chat, whole', '/v1/chat/completions', { model: 'open/m', messages }],
  ['chat, streamed', '/v1/chat/completions', { model: 'open/m', messages, stream: true }],
  [
    'chat, translated and streamed',
    '/v1/chat/completions',
    { model: 'claude/c', messages, stream: true, max_tokens: 9 },
  ],
  ['messages, streamed', '/v1/messages', { model: 'claude/c', messages, stream: true, max_tokens: 9 }],
  ['messages, translated', '/v1/messages', { model: 'open/m', messages, max_tokens: 9 }],
  ['responses, whole', '/v1/responses', { model: 'open/m', input, store: false }],
  ['responses, streamed', '/v1/responses', { model: 'open/m', input, store: false, stream: true }],
  ['embeddings', '/v1/embeddings', { model: 'open/m', input: 'hi' }],
  ['moderations', '/v1/moderations', { model: 'demo/moderation', input: 'hi' }],
  ['rerank', '/v2/rerank', { model: 'demo/rerank', query: 'a', documents: ['a', 'b'] }],
  ['speech', '/v1/audio/speech', { model: 'demo/speech', input: 'hi', voice: 'v' }],
  ['images', '/v1/images/generations', { model: 'demo/image', prompt: 'hi' }],
  ['completions', '/v1/completions', { model: 'open/m', prompt: 'hi' }],
];

describe('a replay gives what the original gave, by form', () => {
  for (const [name, path, body] of FORMS) {
    test(name, async () => {
      const first = await ask(gateway, body, { path, headers: EXACT });
      const said = Buffer.from(await first.arrayBuffer());
      assert.equal(first.status, 200, said.toString());
      assert.equal(cacheStatus(first), 'miss');
      const second = await ask(gateway, body, { path, headers: EXACT });
      assert.equal(cacheStatus(second), 'hit');
      assert.deepEqual(Buffer.from(await second.arrayBuffer()), said);
      assert.equal(second.headers.get('content-type'), first.headers.get('content-type'));
    });
  }
});

test('a response that is stored, or goes on from a stored one, is not cached', async () => {
  const bodies: readonly (readonly [string, object])[] = [
    ['/v1/responses', { model: 'open/m', input, store: true }],
    ['/v1/responses', { model: 'open/m', input }],
    ['/v1/chat/completions', { model: 'open/m', messages, store: true }],
  ];
  for (const [path, body] of bodies) {
    for (const _ of [1, 2]) {
      const response = await ask(gateway, body, { path, headers: EXACT });
      await response.text();
      assert.equal(cacheStatus(response), 'bypass', JSON.stringify(body));
    }
  }
});

test('the name of a coding agent does not change the cache key, and another beta does', async () => {
  const body = (line: string, user: string) => ({
    model: 'claude/c',
    max_tokens: 9,
    stream: true,
    system: [{ type: 'text', text: `x-anthropic-billing-header: cc_version=${line};\nBe brief.` }],
    metadata: { user_id: user },
    messages: [{ role: 'user', content: 'agent' }],
  });
  const send = (line: string, user: string, headers: Record<string, string> = {}) =>
    ask(gateway, body(line, user), { path: '/v1/messages', headers: { ...EXACT, ...headers } });
  await (await send('1', 'a')).text();
  const again = await send('2', 'b', { 'x-claude-code-session-id': 'other' });
  assert.equal(cacheStatus(again), 'hit');
  await again.text();
  const beta = await send('1', 'a', { 'anthropic-beta': 'other' });
  assert.equal(cacheStatus(beta), 'miss');
  await beta.text();
});

test('a hit passes the guards of its own exchange', async () => {
  const body = (text: string) => ({ model: 'open/echo', messages: [{ role: 'user', content: text }] });
  const first = await ask(gateway, body('It is AKIAIOSFODNN7EXAMPLE, says a@example.com'), { headers: EXACT });
  const said = JSON.parse(await first.text()).choices[0].message.content;
  assert.ok(!said.includes('AKIAIOSFODNN7EXAMPLE') && said.includes('a@example.com'), said);
  // Its address has the same pseudonym: what was asked of the provider is the same, what the client gets is not.
  const second = await ask(gateway, body('It is AKIAIOSFODNN7EXAMPLE, says b@example.com'), { headers: EXACT });
  const again = JSON.parse(await second.text()).choices[0].message.content;
  assert.ok(!again.includes('AKIAIOSFODNN7EXAMPLE') && !again.includes('a@example.com'), again);
  const third = await ask(gateway, body('It is AKIAIOSFODNN7EXAMPLE, says b@example.com'), { headers: EXACT });
  assert.equal(JSON.parse(await third.text()).choices[0].message.content, again);
  const refused = await ask(gateway, body('123-45-6789'), { headers: EXACT });
  assert.equal(refused.status, 400);
});

const admin = (method: string, path: string, of = gateway): Promise<Response> =>
  fetch(`${of.operatorUrl}${path}`, { method, headers: { authorization: `Bearer ${ADMIN_KEY}` } });

test('an operator sees what is cached, and flushes a namespace', async () => {
  const body = { model: 'open/m', messages, seed: 77 };
  const headers = { 'x-tfy-cache-config': '{"namespace":"flushed"}' };
  await (await ask(gateway, body, { headers })).text();
  const view = JSON.parse(await (await admin('GET', '/admin/cache')).text());
  const space = view.namespaces.find(({ namespace }: { namespace: string }) => namespace === 'flushed');
  assert.equal(space.entries, 1);
  assert.ok(view.used_bytes <= view.max_bytes);
  const flushed = await admin('DELETE', '/admin/cache?namespace=flushed');
  assert.deepEqual(JSON.parse(await flushed.text()), { flushed: { memory: 1 } });
  const after = await ask(gateway, body, { headers });
  assert.equal(cacheStatus(after), 'miss');
  await after.text();
  assert.ok((await gateway.metric('ai_gateway_cache_requests_total', { status: 'hit' })) > 0);
});

describe('with Redis', { skip: redisSkip }, () => {
  let redis: RedisServer;
  let first: RunningGateway;
  let second: RunningGateway;
  const at = (of: RunningGateway, seed: number) => ask(of, { model: 'open/m', messages, seed }, { headers: EXACT });

  before(async () => {
    redis = await startRedis();
    const start = () =>
      startBudgetGateway({
        server: {
          operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY },
          store: { cache: redis.url },
          // Many tests run beside this one.
          cache: { timeout_ms: 5_000 },
        },
        manifests: [openAccount('open', `${provider.origin}/v1`)],
      });
    [first, second] = await Promise.all([start(), start()]);
  });

  after(async () => {
    await Promise.all([first.stop(), second.stop()]);
    await redis.stop();
  });

  test('an answer of one gateway is a hit of another, until it is flushed at either', async () => {
    const said = await (await at(first, 1)).text();
    await withRedis(redis.url, (client) => eventually('it is in Redis', async () => (await client.dbSize()) === 1));
    const found = await at(second, 1);
    assert.deepEqual([cacheStatus(found), await found.text()], ['hit', said]);
    const flushed = JSON.parse(await (await admin('DELETE', '/admin/cache?namespace=default', second)).text());
    assert.deepEqual(flushed, { flushed: { memory: 1, redis: 1 } });
    assert.equal(cacheStatus(await at(second, 1)), 'miss');
  });

  test('without Redis an answer is asked for, the status says error, and it is kept in memory', async () => {
    await redis.stop();
    await eventually('it is noticed', async () => {
      const response = await at(first, Math.floor(1e6 * Math.random()));
      await response.text();
      return cacheStatus(response) === 'error';
    });
    const response = await at(first, 3);
    assert.equal(response.status, 200);
    await response.text();
    assert.equal(cacheStatus(await at(first, 3)), 'hit');
    const refused = await admin('DELETE', '/admin/cache', first);
    assert.equal(refused.status, 503);
    assert.match(await refused.text(), /"cache_away"/);
    const view = JSON.parse(await (await admin('GET', '/admin/cache', first)).text());
    assert.equal(view.redis, 'away');
  });
});
