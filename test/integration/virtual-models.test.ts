import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { ADMIN_KEY, pricedAccount, startBudgetGateway } from '../support/budgets.ts';
import { ask, errorOf, messages } from '../support/chat-client.ts';
import { eventually, KEY, type RunningGateway } from '../support/gateway.ts';
import {
  type Answer,
  chunkEvent,
  completion,
  DONE_EVENT,
  type FakeProvider,
  type ReceivedRequest,
  sendJson,
  startProvider,
  USAGE_EVENT,
} from '../support/provider.ts';
import { receiptOf } from '../support/receipts.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

interface Receipt {
  readonly route: { readonly failed_attempts: readonly { readonly error: string; readonly nano_usd?: number }[] };
  readonly cost: { readonly nano_usd: number };
}

const ok: Answer = (request, response) => {
  const { model, stream } = JSON.parse(request.body.toString());
  if (request.path.endsWith('/embeddings')) {
    sendJson(response, 200, { object: 'list', data: [{ object: 'embedding', index: 0, embedding: [1] }], model });
    return;
  }
  if (!stream) {
    sendJson(response, 200, completion(`of ${model}`));
    return;
  }
  startEvents(response);
  response.end(
    chunkEvent({ role: 'assistant', content: `of ${model}` }) + chunkEvent({}, 'stop') + USAGE_EVENT + DONE_EVENT,
  );
};
const failing =
  (status: number, headers: Record<string, string> = {}): Answer =>
  (_request, response) =>
    sendJson(response, status, { error: { message: 'no', type: 'server_error' } }, headers);

/** By account: the first part of the path. */
const answers: Record<string, Answer> = {};
let provider: FakeProvider;
let gateway: RunningGateway;

const target = (name: string, more: object = {}) => ({ target: `${name}/m`, retry_config: { attempts: 0 }, ...more });
const virtual = (name: string, type: string, targets: object[], more: object = {}, top: object = {}) => ({
  name,
  type: 'integration/model/virtual',
  model_types: ['chat', 'embedding'],
  ...top,
  routing_config: { type, load_balance_targets: targets, ...more },
});
const priority = (name: string, targets: object[], more: object = {}, top: object = {}) =>
  virtual(
    name,
    'priority-based-routing',
    targets.map((each, at) => ({ priority: at, ...each })),
    more,
    top,
  );

before(async () => {
  provider = await startProvider((request, response, incoming) => {
    const account = request.path.split('/')[1] ?? '';
    (answers[account] ?? ok)(request, response, incoming);
  });
  const at = (account: string) => `${provider.origin}/${account}/v1`;
  gateway = await startBudgetGateway({
    keys: [
      { name: 'test', key: KEY, subject: 'virtualaccount:test' },
      { name: 'narrow', key: 'narrow', subject: 'user:n@example.com', models: ['production', 'b/*'] },
      { name: 'other', key: 'other', subject: 'user:o@example.com', models: ['a/*', 'b/*'] },
    ],
    manifests: [
      ...['a', 'b', 'c', 'plain', 'ruled', 'cheap'].map((name) => pricedAccount(name, at(name), ['m'])),
      {
        type: 'provider-account/anthropic',
        name: 'claude',
        base_url: `${provider.origin}/claude`,
        auth_data: { type: 'api-key', api_key: 'sk-ant' },
      },
      ...['open-a', 'open-b'].map((name) => openAccount(name, at(name))),
      openAccount('keyed', at('keyed'), {
        auth_data: { type: 'api-key', api_key: 'key-one', further_api_keys: ['key-two', 'key-three'] },
      }),
      {
        type: 'provider-account/virtual-model',
        name: 'group',
        integrations: [
          priority('first', [target('a'), target('b')], {}, { slug: 'production' }),
          priority('retried', [{ ...target('a'), retry_config: { attempts: 2, delay: 10 } }, target('b')]),
          priority('strict', [target('a', { fallback_status_codes: ['500'] }), target('b')]),
          priority('overriding', [
            target('a', {
              override_params: { temperature: 0.25, max_tokens: 9 },
              headers_override: { set: { 'X-Extra': 'yes' }, remove: ['traceparent'] },
            }),
          ]),
          priority('alone', [target('a'), target('b', { fallback_candidate: false })]),
          priority('eu', [target('a', { metadata_match: { region: 'EU' } })]),
          virtual('weighted', 'weight-based-routing', [target('a', { weight: 100 }), target('b', { weight: 0 })]),
          virtual('sticky', 'weight-based-routing', [target('a', { weight: 50 }), target('b', { weight: 50 })], {
            sticky_routing: { ttl_seconds: 60, session_identifiers: [{ source: 'headers', key: 'X-User-Id' }] },
          }),
          virtual('fast', 'latency-based-routing', [target('a'), target('b')]),
          virtual('tiers', 'complexity-based-routing', [
            target('a', { tier: 'simple' }),
            target('b', { tier: 'complex' }),
          ]),
          priority('vectors', [{ target: 'open-a/m', retry_config: { attempts: 0 } }, { target: 'open-b/m' }]),
          priority('conditional', [
            target('a', { condition: 'metadata.tier == "gold" && body_bytes < 10000' }),
            target('b'),
          ]),
          priority('across', [target('a'), { target: 'claude/claude-sonnet-4-5', retry_config: { attempts: 0 } }]),
          priority('back', [{ target: 'claude/claude-sonnet-4-5', retry_config: { attempts: 0 } }, target('a')]),
          priority('limited', [target('cheap'), target('b')]),
          priority('hedged', [target('a'), target('b')], { hedge: { after: 100, max_rate: 100 } }),
        ],
      },
      {
        type: 'gateway-load-balancing-config',
        rules: [
          {
            id: 'moved',
            type: 'weight-based-routing',
            when: { models: ['ruled/m'], metadata: { move: 'yes' } },
            load_balance_targets: [{ target: 'b/m', weight: 1 }],
          },
        ],
      },
      {
        type: 'gateway-fallback-config',
        name: 'fallbacks',
        rules: [
          {
            id: 'saved',
            when: { models: ['plain/m'], response_status_codes: [500, 400] },
            fallback_models: [{ target: 'c/m', override_params: { temperature: 1 } }],
          },
        ],
      },
      {
        type: 'gateway-rate-limiting-config',
        rules: [
          { id: 'of-the-target', when: { models: ['cheap/m'] }, limit_to: 2, unit: 'requests_per_hour' },
          { id: 'of-the-model', when: { models: ['group/first'] }, limit_to: 1000, unit: 'requests_per_hour' },
        ],
      },
    ],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await provider?.close();
});
beforeEach(async () => {
  for (const name of Object.keys(answers)) delete answers[name];
  provider.requests.length = 0;
  await admin('POST', '/admin/targets/reset');
});

async function admin(method: string, path: string): Promise<{ data: Record<string, unknown>[] }> {
  const response = await fetch(gateway.operatorUrl + path, {
    method,
    headers: { authorization: `Bearer ${ADMIN_KEY}` },
  });
  assert.equal(response.status, 200);
  return JSON.parse(await response.text());
}
const chat = (model: string, more: object = {}, headers: Record<string, string> = {}, key = KEY) =>
  ask(gateway, { model, messages, ...more }, { headers, key });
const askedOf = (): string[] => provider.requests.map(({ path }: ReceivedRequest) => path.split('/')[1] ?? '');
const rulesOf = (response: Response) => JSON.parse(response.headers.get('x-tfy-applied-rules') ?? 'null');
const resolved = (response: Response) => response.headers.get('x-tfy-resolved-model');
const healthOf = async (id: string) => (await admin('GET', '/admin/targets')).data.find(({ target }) => target === id);

test('a virtual model is answered by its first target, and headers say by which and why', async () => {
  for (const model of ['group/first', 'production']) {
    const response = await chat(model);
    assert.equal(response.status, 200);
    assert.equal(resolved(response), 'a/m');
    assert.deepEqual(rulesOf(response), {
      ratelimit: ['of-the-model'],
      routing: { model: 'group/first', type: 'priority-based-routing', hops: [{ target: 'a/m', why: 'priority' }] },
    });
    assert.equal(JSON.parse(await response.text()).choices[0].message.content, 'of m');
  }
});

test('whatever fails before content comes falls back: status, cut, error in a 200, empty answer, wrong kind', async () => {
  const faults: Record<string, Answer> = {
    'status 500': failing(500),
    'status 401, which a client would see as 502': failing(401),
    'status 429': failing(429),
    'status 404': failing(404),
    cut: (_request, response) => response.destroy(),
    'error first in a 200': (_request, response) => {
      startEvents(response);
      response.end('data: {"error":{"message":"overloaded","code":529}}\n\n');
    },
    'empty stream': (_request, response) => {
      startEvents(response);
      response.end();
    },
    'a page': (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<html><title>gone</title></html>');
    },
  };
  for (const stream of [true, false]) {
    for (const [name, fault] of Object.entries(faults)) {
      await admin('POST', '/admin/targets/reset');
      answers['a'] = fault;
      const response = await chat('group/first', { stream });
      const text = await response.text();
      assert.equal(response.status, 200, `${name} ${text}`);
      assert.equal(resolved(response), 'b/m', name);
      const asked: string[] = rulesOf(response).routing.hops.map((hop: { target: string }) => hop.target);
      // Where a reused connection dies the request is sent once more.
      assert.deepEqual([...new Set(asked)], ['a/m', 'b/m'], name);
      assert.match(response.headers.get('server-timing') ?? '', /attempt1;dur=\d+;desc="a\/m \w+"/);
    }
  }
});

test("the client's own 4xx is its answer, and harms nobody", async () => {
  answers['a'] = failing(400);
  for (let each = 0; each < 5; each += 1) assert.equal((await chat('group/first')).status, 400);
  assert.deepEqual(new Set(askedOf()), new Set(['a']));
  assert.equal((await healthOf('a/m'))?.['state'], 'up');
});

test('a status that fallback_status_codes does not name ends the exchange', async () => {
  answers['a'] = failing(429);
  assert.equal((await chat('group/strict')).status, 429);
  answers['a'] = failing(500);
  assert.equal((await chat('group/strict')).status, 200);
});

test('a target is tried again as retry_config says, then the next one', async () => {
  answers['a'] = failing(503);
  assert.equal(resolved(await chat('group/retried')), 'b/m');
  assert.deepEqual(askedOf(), ['a', 'a', 'a', 'b']);
});

test('x-tfy-retry-config stands over every other, for models of accounts too', async () => {
  answers['plain'] = failing(503);
  const response = await chat(
    'plain/m',
    {},
    { 'x-tfy-retry-config': '{"attempts": 2, "delay": 1, "onStatusCodes": [503]}' },
  );
  assert.equal(response.status, 503);
  assert.equal(askedOf().length, 3);
  const wrong = await chat('plain/m', {}, { 'x-tfy-retry-config': '{"attempts": 99}' });
  assert.equal(wrong.status, 400);
  assert.equal((await errorOf(wrong)).param, 'x-tfy-retry-config');
});

test('a target that is not a fallback candidate is not asked after another', async () => {
  answers['a'] = failing(500);
  assert.equal((await chat('group/alone')).status, 502);
  assert.deepEqual(askedOf(), ['a']);
});

test('override_params and headers_override change what one target is asked', async () => {
  await chat(
    'group/overriding',
    { temperature: 1 },
    { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
  );
  const [request] = provider.requests;
  const body = JSON.parse(request!.body.toString());
  assert.deepEqual([body.temperature, body.max_tokens, body.model], [0.25, 9, 'm']);
  assert.equal(request!.headers['x-extra'], 'yes');
  assert.equal(request!.headers['traceparent'], undefined);
});

test('metadata_match keeps other requests from a target, and the refusal says so', async () => {
  const refused = await chat('group/eu');
  assert.equal(refused.status, 403);
  const { code, message } = await errorOf(refused);
  assert.equal(code, 'no_target');
  assert.match(message, /`a\/m` is for requests of other metadata/);
  assert.equal((await chat('group/eu', {}, { 'x-tfy-metadata': '{"region":"EU"}' })).status, 200);
});

test('a caller needs the virtual model, by name or slug, and each target that is asked', async () => {
  const narrow = await chat('production', {}, {}, 'narrow');
  assert.equal(resolved(narrow), 'b/m', 'its key may not use a/m');
  assert.equal((await chat('group/first', {}, {}, 'other')).status, 403);
  const listed = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: 'Bearer narrow' } });
  const { data } = (await listed.json()) as { data: { id: string; owned_by: string }[] };
  assert.ok(data.some(({ id, owned_by }) => id === 'group/first' && owned_by === 'virtual-model'));
});

test('a target with weight 0 is asked only where no other can be', async () => {
  for (let each = 0; each < 5; each += 1) assert.equal(resolved(await chat('group/weighted')), 'a/m');
  answers['a'] = failing(500);
  assert.equal(resolved(await chat('group/weighted')), 'b/m');
});

test('requests of one session go to one target, and sessions are shared', async () => {
  const byUser = new Map<string, Set<string | null>>();
  for (let user = 0; user < 20; user += 1) {
    const targets = new Set<string | null>();
    for (let each = 0; each < 3; each += 1)
      targets.add(resolved(await chat('group/sticky', {}, { 'x-user-id': `u${user}` })));
    byUser.set(`u${user}`, targets);
  }
  assert.ok([...byUser.values()].every(({ size }) => size === 1));
  assert.equal(new Set([...byUser.values()].flatMap((each) => [...each])).size, 2);
  assert.equal(provider.requests[0]!.headers['x-user-id'], undefined, 'a session header is not forwarded');
});

test('hard requests go to the target of their tier', async () => {
  const easy = await chat('group/tiers');
  assert.equal(resolved(easy), 'a/m');
  const hard = await chat('group/tiers', {
    messages: [
      { role: 'user', content: 'Prove step by step the theorem and refactor ```def f(x): pass``` to compare' },
    ],
  });
  assert.equal(resolved(hard), 'b/m');
  assert.equal(rulesOf(hard).routing.hops[0].why, 'complexity complex');
});

test('a target that fails again and again is out, is seen to be, and is asked no more', async () => {
  answers['a'] = failing(500);
  for (let each = 0; each < 3; each += 1) assert.equal(resolved(await chat('group/first')), 'b/m');
  const before = askedOf().filter((name) => name === 'a').length;
  assert.equal(before, 3);
  for (let each = 0; each < 5; each += 1) await chat('group/first');
  assert.equal(askedOf().filter((name) => name === 'a').length, 3);
  const seen = await healthOf('a/m');
  assert.deepEqual([seen?.['state'], seen?.['blamed'], seen?.['reason']], ['out', 'target', 'status 500']);
  await eventually(
    'the metric says so',
    async () => (await gateway.metric('sluice_target_up', { target: 'a/m' })) === 0,
  );
  delete answers['a'];
  await admin('POST', '/admin/targets/reset');
  assert.equal(resolved(await chat('group/first')), 'a/m');
});

test('the least bad is asked when all targets are out: never 503 for health alone', async () => {
  answers['a'] = failing(500);
  answers['b'] = failing(500);
  for (let each = 0; each < 6; each += 1) await chat('group/first');
  delete answers['a'];
  delete answers['b'];
  assert.equal((await chat('group/first')).status, 200);
});

test('a refused key is out for all, another one of the account answers; a limited one waits for its instant', async () => {
  const keyOf = ({ headers }: ReceivedRequest) => headers['authorization'];
  answers['keyed'] = (request, response, incoming) => {
    if (keyOf(request) === 'Bearer key-one') failing(401)(request, response, incoming);
    else if (keyOf(request) === 'Bearer key-two') failing(429, { 'retry-after': '60' })(request, response, incoming);
    else ok(request, response, incoming);
  };
  for (let each = 0; each < 6; each += 1) assert.equal((await chat('keyed/m')).status, 200);
  const keys = provider.requests.map(keyOf);
  assert.equal(keys.filter((key) => key === 'Bearer key-one').length, 1);
  assert.equal(keys.filter((key) => key === 'Bearer key-two').length, 1);
});

test('older rules act: a load balancing rule by metadata, a fallback rule by status', async () => {
  const moved = await chat('ruled/m', {}, { 'x-tfy-metadata': '{"move":"yes"}' });
  assert.equal(resolved(moved), 'b/m');
  assert.equal(rulesOf(moved).routing.rule, 'moved');
  assert.equal(resolved(await chat('ruled/m')), 'ruled/m');
  answers['plain'] = failing(400);
  const saved = await chat('plain/m');
  assert.equal(resolved(saved), 'c/m');
  assert.equal(JSON.parse(provider.requests.at(-1)!.body.toString()).temperature, 1);
});

test('every operation is routed, not chat alone', async () => {
  answers['open-a'] = failing(500);
  const response = await ask(gateway, { model: 'group/vectors', input: 'x' }, { path: '/v1/embeddings' });
  assert.equal(response.status, 200);
  assert.equal(resolved(response), 'open-b/m');
});

test('first content of the two wins a hedge, the loser is stopped and both are in the receipt', async () => {
  let stopped = false;
  answers['a'] = (_request, response) => {
    startEvents(response);
    response.on('close', () => {
      stopped = !response.writableFinished;
    });
  };
  const response = await chat('group/hedged', { stream: true });
  await response.text();
  assert.equal(resolved(response), 'b/m');
  await eventually('the loser is stopped', () => stopped);
  const id = response.headers.get('x-sluice-exchange-id');
  let receipt: Receipt | undefined;
  await eventually('its receipt is there', async () => {
    const found = await fetch(`${gateway.operatorUrl}/admin/receipts/${id}`, {
      headers: { authorization: `Bearer ${ADMIN_KEY}` },
    });
    receipt = (await found.json()) as Receipt;
    return found.status === 200;
  });
  const [lost] = receipt?.route.failed_attempts ?? [];
  assert.equal(lost?.error, 'hedge_lost');
  // $1 and $2 per 1,000 tokens: 5 and 7 of the answer, and the prompt once more for the other one.
  assert.equal(lost?.nano_usd, 5_000_000);
  assert.equal(receipt?.cost.nano_usd, 19_000_000 + 5_000_000);
});

test('a hedge that lost is billed although the answer that won fails in its middle, for which nothing is charged', async () => {
  answers['a'] = (_request, response) => startEvents(response);
  answers['b'] = (_request, response) => {
    startEvents(response);
    response.end(`${chunkEvent({ content: 'half' })}data: {"error":{"message":"overloaded","code":529}}\n\n`);
  };
  const response = await chat('group/hedged', { stream: true });
  await response.text().catch(() => 'cut');
  const receipt: Receipt = await receiptOf(gateway, response);
  const [lost] = receipt.route.failed_attempts;
  assert.equal(lost?.error, 'hedge_lost');
  // Nobody counted the prompt: about a token for four bytes, $1 for 1,000.
  const sent = provider.requests.find(({ path }) => path.startsWith('/a/'))!;
  assert.ok(lost.nano_usd! > 0 && lost.nano_usd! <= sent.body.length * 1_000_000, `${lost.nano_usd}`);
  assert.equal(receipt.cost.nano_usd, lost.nano_usd);
});

test('a rule about a target counts requests that come by a virtual model, and sends them on to the next target', async () => {
  const asked: (string | null)[] = [];
  for (let each = 0; each < 3; each += 1) asked.push(resolved(await chat('group/limited')));
  assert.deepEqual(asked, ['cheap/m', 'cheap/m', 'b/m']);
  const refused = await chat('cheap/m');
  assert.equal(refused.status, 429);
});

test('a target with a condition is asked only where it holds, and what cannot be told does not', async () => {
  assert.equal(resolved(await chat('group/conditional', {}, { 'x-tfy-metadata': '{"tier":"gold"}' })), 'a/m');
  assert.equal(resolved(await chat('group/conditional', {}, { 'x-tfy-metadata': '{"tier":"silver"}' })), 'b/m');
  assert.equal(resolved(await chat('group/conditional')), 'b/m');
});

const spoken: Answer = (_request, response) =>
  sendJson(response, 200, {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-5',
    content: [{ type: 'text', text: 'of claude' }],
    stop_reason: 'end_turn',
    usage: { input_tokens: 5, output_tokens: 7 },
  });

test('a fallback to another wire is translated anew, and what another vendor signed is left out', async () => {
  // As a client sends a turn back that Gemini answered.
  const call = { type: 'function', function: { name: 'look', arguments: '{}' } };
  const signed = `call_1_sluicesig_${Buffer.from('gemini.CiQBabcd').toString('base64url')}`;
  const conversation = [
    { role: 'user', content: 'look' },
    { role: 'assistant', content: null, reasoning_content: 'hm', tool_calls: [{ ...call, id: signed }] },
    { role: 'tool', tool_call_id: signed, content: 'seen' },
  ];
  answers['a'] = failing(500);
  answers['claude'] = spoken;
  const there = await chat('group/across', { messages: conversation });
  assert.equal(resolved(there), 'claude/claude-sonnet-4-5');
  assert.equal(JSON.parse(await there.text()).choices[0].message.content, 'of claude');
  delete answers['a'];
  answers['claude'] = failing(529);
  const back = await chat('group/back', { messages: conversation });
  assert.equal(resolved(back), 'a/m');
  for (const { body, path } of provider.requests) {
    assert.ok(!body.toString().includes('sluicesig') && !body.toString().includes('CiQBabcd'), path);
  }
});
