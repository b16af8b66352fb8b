import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { pricedAccount, startBudgetGateway } from '../support/budgets.ts';
import { cacheHeaders, cacheStatus, numberedChats } from '../support/cached-chats.ts';
import { ask, ChatStream, errorOf, messages } from '../support/chat-client.ts';
import { eventually, KEY, type RunningGateway } from '../support/gateway.ts';
import {
  type Answer,
  chunkEvent,
  DONE_EVENT,
  type FakeProvider,
  sendJson,
  startProvider,
  USAGE_EVENT,
} from '../support/provider.ts';
import { receiptOf } from '../support/receipts.ts';
import { gate, openAccount, startEvents } from '../support/scripted-provider.ts';

/** By model. */
const answers: Record<string, Answer> = {};
const plain = numberedChats();

let provider: FakeProvider;
let gateway: RunningGateway;

const asked = (body: object, more: { headers?: Record<string, string>; key?: string; path?: string } = {}) =>
  ask(gateway, { model: 'main/m', messages, ...body }, { headers: cacheHeaders(), ...more });

before(async () => {
  provider = await startProvider((request, response, incoming) => {
    const { model } = JSON.parse(request.body.toString());
    (answers[model] ?? plain)(request, response, incoming);
  });
  gateway = await startBudgetGateway({
    server: { threads: 2 },
    keys: [
      { name: 'test', key: KEY, subject: 'virtualaccount:test', teams: ['blue'] },
      { name: 'mate', key: 'mate', subject: 'user:mate@example.com', teams: ['blue'] },
      { name: 'other', key: 'other', subject: 'user:o@example.com', teams: ['red'] },
      { name: 'narrow', key: 'narrow', subject: 'user:n@example.com', teams: ['blue'], models: ['main/m', 'either'] },
    ],
    manifests: [
      pricedAccount('main', `${provider.origin}/v1`, [
        'm',
        'shared',
        'team',
        'off',
        'cut',
        'filtered',
        'slow',
        'failing',
      ]),
      openAccount('second', `${provider.origin}/v1`),
      {
        type: 'provider-account/virtual-model',
        name: 'virtual',
        integrations: [
          {
            name: 'either',
            slug: 'either',
            type: 'integration/model/virtual',
            model_types: ['chat'],
            routing_config: {
              type: 'priority-based-routing',
              load_balance_targets: [
                { target: 'second/two', priority: 0 },
                { target: 'main/m', priority: 1 },
              ],
            },
          },
        ],
      },
      {
        type: 'sluice/cache',
        rules: [
          { id: 'everyone', when: { models: ['main/shared'] }, namespace: 'faq', shared_with: 'everyone' },
          { id: 'team', when: { models: ['main/team', 'virtual/either'] }, namespace: 'team', shared_with: 'team' },
          { id: 'none', when: { models: ['main/off'] }, type: 'off' },
        ],
      },
    ],
  });
});

beforeEach(() => {
  provider.requests.length = 0;
  for (const model of Object.keys(answers)) delete answers[model];
});

after(async () => {
  if (process.env['DBG']) console.error(gateway.output());
  await gateway.stop();
  await provider.close();
});

test('a second equal request is answered from the cache with the same bytes and no cost', async () => {
  const first = await asked({ seed: 1 });
  const said = await first.text();
  assert.equal(cacheStatus(first), 'miss');
  const second = await asked({ seed: 1 });
  assert.equal(cacheStatus(second), 'hit');
  assert.equal(await second.text(), said);
  assert.equal(provider.requests.length, 1);
  assert.equal(second.headers.get('x-tfy-resolved-model'), 'main/m');
  assert.match(second.headers.get('server-timing') ?? '', /cache;dur=\d+\.\d;desc="hit"/);
  const id = second.headers.get('x-sluice-exchange-id');
  const receipt = await receiptOf(gateway, id ?? '');
  assert.equal(receipt.cost.nano_usd, 0);
  assert.equal(receipt.route.attempts, 0);
  assert.equal(receipt.route.cache.status, 'hit');
  // 5 tokens in at $1 and 7 out at $2 per thousand.
  assert.equal(receipt.route.cache.saved_nano_usd, 19_000_000);
});

test('a request whose very bytes were answered before is another one with another caller, namespace or header', async () => {
  const body = { seed: 6 };
  const said = await (await asked(body)).text();
  const again = async () => {
    for (const _ of [1, 2, 3]) {
      const response = await asked(body);
      assert.equal(cacheStatus(response), 'hit');
      assert.equal(await response.text(), said);
      const { route, cost } = await receiptOf(gateway, response.headers.get('x-sluice-exchange-id') ?? '');
      assert.deepEqual([route.cache.status, route.cache.type, cost.nano_usd], ['hit', 'exact-match', 0]);
      assert.equal(route.cache.saved_nano_usd, 19_000_000);
    }
  };
  await again();
  const others = [
    { key: 'other' },
    { headers: cacheHeaders({ namespace: 'beside' }) },
    { headers: { ...cacheHeaders(), 'x-tfy-strict-openai': 'true' } },
  ];
  for (const each of others) {
    const response = await asked(body, each);
    assert.equal(cacheStatus(response), 'miss', JSON.stringify(each));
    assert.notEqual(await response.text(), said);
  }
  await again();
  assert.equal(provider.requests.length, 1 + others.length);
});

test('a request without the header and without a rule is not cached', async () => {
  for (const _ of [1, 2]) {
    const response = await ask(gateway, { model: 'main/m', messages, seed: 2 });
    assert.equal(cacheStatus(response), null);
    await response.text();
  }
  assert.equal(provider.requests.length, 2);
});

test('the order of keys and white space in JSON make no other request, and who asks makes none either', async () => {
  await (await asked({ seed: 3, temperature: 0, user: 'a' })).text();
  const body = `{ "user": "b", "temperature":0,\n"messages": [{"content":"h\\u0069","role":"user"}], "seed":3, "model":"main/m"}`;
  const second = await ask(gateway, body, { headers: cacheHeaders() });
  assert.equal(cacheStatus(second), 'hit');
  await second.text();
});

test('a changed parameter, model, form of the answer or namespace is another request', async () => {
  await (await asked({ seed: 4 })).text();
  const others = [
    { seed: 5 },
    { seed: 4, temperature: 0.1 },
    { seed: 4, model: 'second/m' },
    { seed: 4, stream: true },
    { seed: 4, messages: [...messages, { role: 'user', content: 'more' }] },
  ];
  for (const each of others) {
    const response = await asked(each);
    assert.equal(cacheStatus(response), 'miss', JSON.stringify(each));
    await response.text();
  }
  const elsewhere = await asked({ seed: 4 }, { headers: cacheHeaders({ namespace: 'elsewhere' }) });
  assert.equal(cacheStatus(elsewhere), 'miss');
  await elsewhere.text();
});

test('a key of JSON that stands twice is not cached, since nobody knows which a provider reads', async () => {
  const body = `{"model":"main/m","messages":[{"role":"user","content":"a"}],"messages":[{"role":"user","content":"b"}]}`;
  for (const _ of [1, 2]) {
    const response = await ask(gateway, body, { headers: cacheHeaders() });
    if (response.status === 200) assert.equal(cacheStatus(response), 'bypass');
    await response.text();
  }
});

test('an answer never goes to another principal unless a rule says so', async () => {
  await (await asked({ seed: 6 })).text();
  const other = await asked({ seed: 6 }, { key: 'mate' });
  assert.equal(cacheStatus(other), 'miss');
  await other.text();
});

test('a rule shares answers with everyone or within a team, and needs no header', async () => {
  const everyone = { model: 'main/shared', messages };
  await (await ask(gateway, everyone)).text();
  assert.equal(cacheStatus(await ask(gateway, everyone, { key: 'other' })), 'hit');
  const team = { model: 'main/team', messages };
  await (await ask(gateway, team)).text();
  assert.equal(cacheStatus(await ask(gateway, team, { key: 'mate' })), 'hit');
  assert.equal(cacheStatus(await ask(gateway, team, { key: 'other' })), 'miss');
});

test('a client that names another namespace than the rule shares its answers with nobody', async () => {
  const body = { model: 'main/shared', messages, seed: 60 };
  const headers = cacheHeaders({ namespace: 'mine' });
  await (await ask(gateway, body, { headers })).text();
  const other = await ask(gateway, body, { headers, key: 'other' });
  assert.equal(cacheStatus(other), 'miss');
  await other.text();
});

test('a rule of type off caches nothing, whatever the client asks', async () => {
  for (const _ of [1, 2]) {
    const response = await asked({ model: 'main/off' });
    assert.equal(cacheStatus(response), null);
    await response.text();
  }
  assert.equal(provider.requests.length, 2);
});

test('a hit is for nobody who may not use the target that answered', async () => {
  const body = { model: 'either', messages };
  const first = await ask(gateway, body);
  assert.equal(first.headers.get('x-tfy-resolved-model'), 'second/two');
  await first.text();
  const narrow = await ask(gateway, body, { key: 'narrow' });
  assert.equal(cacheStatus(narrow), 'miss');
  assert.equal(narrow.headers.get('x-tfy-resolved-model'), 'main/m');
  await narrow.text();
});

test('a stream is replayed byte by byte as it came', async () => {
  const first = await asked({ stream: true, seed: 7 });
  const said = await first.text();
  assert.ok(said.endsWith(DONE_EVENT));
  const second = await asked({ stream: true, seed: 7 });
  assert.equal(cacheStatus(second), 'hit');
  assert.equal(second.headers.get('content-type'), 'text/event-stream');
  assert.equal(await second.text(), said);
});

test('answers that were cut, filtered or refused are not kept', async () => {
  answers['cut'] = (_request, response) => {
    startEvents(response);
    response.write(chunkEvent({ role: 'assistant', content: 'half' }), () => response.destroy());
  };
  answers['filtered'] = (_request, response) => {
    startEvents(response);
    response.end(chunkEvent({ content: 'half' }) + chunkEvent({}, 'content_filter') + DONE_EVENT);
  };
  answers['failing'] = (_request, response) => sendJson(response, 500, { error: { message: 'no' } });
  for (const model of ['main/cut', 'main/filtered', 'main/failing']) {
    provider.requests.length = 0;
    for (const _ of [1, 2]) {
      const response = await asked({ model, stream: true });
      assert.notEqual(cacheStatus(response), 'hit');
      await response.text().catch(() => 'cut');
    }
    assert.equal(provider.requests.length, 2, model);
  }
});

test('an answer is good for its time to live and no longer', async () => {
  const headers = cacheHeaders({ ttl: 1 });
  await (await asked({ seed: 8 }, { headers })).text();
  assert.equal(cacheStatus(await asked({ seed: 8 }, { headers })), 'hit');
  await eventually('it is not good any more', async () => {
    const response = await asked({ seed: 8 }, { headers });
    await response.text();
    return cacheStatus(response) === 'miss';
  });
});

test('a hundred equal streams at once make one call, and each gets the whole answer', async () => {
  const { promise, open } = gate();
  answers['slow'] = async (_request, response) => {
    startEvents(response);
    response.write(chunkEvent({ role: 'assistant', content: 'begun' }));
    await promise;
    response.end(chunkEvent({ content: 'done' }) + chunkEvent({}, 'stop') + USAGE_EVENT + DONE_EVENT);
  };
  const streams = Array.from({ length: 100 }, () => asked({ model: 'main/slow', stream: true, seed: 9 }));
  const responses = await Promise.all(streams);
  open();
  const texts = new Set(await Promise.all(responses.map((response) => response.text())));
  assert.equal(provider.requests.length, 1);
  assert.equal(texts.size, 1);
  assert.ok([...texts][0]?.endsWith(DONE_EVENT));
  assert.equal(responses.filter((response) => cacheStatus(response) === 'hit').length, 99);
});

test('the one that asked first may leave without the others, and its provider is asked on', async () => {
  const { promise, open } = gate();
  answers['slow'] = async (_request, response) => {
    startEvents(response);
    response.write(chunkEvent({ role: 'assistant', content: 'begun' }));
    await promise;
    response.end(chunkEvent({ content: 'done' }) + chunkEvent({}, 'stop') + USAGE_EVENT + DONE_EVENT);
  };
  const body = { model: 'main/slow', messages, stream: true, seed: 10 };
  const first = new ChatStream(gateway, body, { headers: cacheHeaders() });
  await first.until('begun');
  const second = new ChatStream(gateway, body, { headers: cacheHeaders() });
  await second.until('begun');
  first.request.destroy();
  await first.ended().catch(() => 'left');
  open();
  assert.equal(await second.ended(), 'whole');
  assert.equal(provider.requests.length, 1);
});

test('the provider is left when the last client leaves', async () => {
  const gone = gate();
  answers['slow'] = (_request, response) => {
    startEvents(response);
    response.on('close', () => gone.open());
    response.write(chunkEvent({ role: 'assistant', content: 'begun' }));
  };
  const body = { model: 'main/slow', messages, stream: true, seed: 11 };
  const clients = [1, 2].map(() => new ChatStream(gateway, body, { headers: cacheHeaders() }));
  for (const client of clients) await client.until('begun');
  assert.equal(provider.requests.length, 1);
  for (const client of clients) client.request.destroy();
  await gone.promise;
});

test('an error of the provider is told to all who wait for its answer', async () => {
  const { promise, open } = gate();
  answers['failing'] = async (_request, response) => {
    await promise;
    sendJson(response, 400, { error: { message: 'no such thing', type: 'invalid_request_error' } });
  };
  const waiting = [1, 2, 3].map(() => asked({ model: 'main/failing', seed: 12 }));
  await eventually('it was asked', () => provider.requests.length > 0);
  open();
  for (const response of await Promise.all(waiting)) {
    assert.equal(response.status, 400);
    assert.equal((await errorOf(response)).message, 'no such thing');
  }
});

test('a malformed x-tfy-cache-config is refused with what is allowed', async () => {
  for (const text of ['yes', '{"type":"fuzzy"}', '{"ttl":300000}', '{"namespace":"a b"}']) {
    const response = await asked({}, { headers: { 'x-tfy-cache-config': text } });
    assert.equal(response.status, 400);
    assert.match((await errorOf(response)).message, /x-tfy-cache-config/);
  }
});
