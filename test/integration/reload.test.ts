import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { before, test } from 'node:test';
import { ask, ChatStream, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { chunkEvent, completion, DONE_EVENT, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { gate, openAccount, startEvents } from '../support/scripted-provider.ts';

const finish = gate();
let first: FakeProvider;
let second: FakeProvider;
let gateway: RunningGateway;

before(async () => {
  first = await startProvider((request, response) => {
    if (!JSON.parse(request.body.toString()).stream) {
      sendJson(response, 200, completion('first'));
      return;
    }
    startEvents(response);
    response.write(chunkEvent({ content: 'begun' }));
    finish.promise.then(() => response.end(chunkEvent({ content: 'of the first' }) + DONE_EVENT));
  });
  second = await startProvider((_request, response) => sendJson(response, 200, completion('second')));
  gateway = await startGateway({ server: { threads: 2 }, manifests: [account(first)] });
});
disposeAfter(() => [gateway, first, second]);

const account = (provider: FakeProvider) => openAccount('p', `${provider.origin}/v1`);
const content = async (model = 'p/m') => {
  const response = await ask(gateway, { model, messages });
  const answer = JSON.parse(await response.text());
  return response.status === 200 ? answer.choices[0].message.content : response.status;
};
/** On every relay thread: connections are spread by the system, so several in a row must agree. */
const everywhere = (wanted: unknown) => async () => {
  for (let turn = 0; turn < 8; turn += 1) {
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, connection: 'close' },
      body: JSON.stringify({ model: 'p/m', messages }),
    });
    const answer = JSON.parse(await response.text());
    if (answer.choices?.[0].message.content !== wanted) return false;
  }
  return true;
};
const loads = () => gateway.output().split('configuration reloaded').length - 1;
const failures = () => gateway.metric('ai_gateway_config_parsing_failures_total');

test('a changed file is seen: new exchanges see the new configuration, and open ones finish on the old', async () => {
  assert.equal(await content(), 'first');
  const open = new ChatStream(gateway, { model: 'p/m', messages, stream: true });
  await open.until('begun');
  await gateway.configure([account(second)]);
  await eventually('new exchanges go to the second provider', everywhere('second'));
  finish.open();
  assert.equal(await open.ended(), 'whole');
  assert.match(open.text(), /of the first/);
});

test('a faulty configuration leaves the old one in force, and says why in log and metric', async () => {
  const before = await failures();
  for (const [text, said] of [
    ['type: sluice/server\nlimits: {max_body_bytes: much}\n', /limits\.max_body_bytes/],
    ['{not: yaml: at all', /sluice\.yaml/],
    ['type: provider-account/nobody\nname: x\n', /provider-account\/nobody/],
  ] as const) {
    const failed = await failures();
    const logged = gateway.output().length;
    await writeFile(gateway.configFile, text);
    await eventually(`${text} is refused`, async () => (await failures()) > failed);
    await eventually('the log says so', () => gateway.output().slice(logged).includes('stays in force'));
    assert.match(gateway.output().slice(logged), said);
    assert.equal(await content(), 'second');
  }
  assert.ok((await failures()) >= before + 3);
});

test('a good configuration is taken after a faulty one', async () => {
  await gateway.configure([account(first)]);
  await eventually('the first provider answers', everywhere('first'));
});

test('SIGHUP reloads the configuration', async () => {
  const before = loads();
  gateway.process.kill('SIGHUP');
  await eventually('it was loaded again', () => loads() > before);
  assert.equal(await content(), 'first');
});

test('limits and keys of a new configuration count for new exchanges', async () => {
  await gateway.configure([account(first)], { limits: { max_body_bytes: 200 } });
  const large = () => ask(gateway, { model: 'p/m', messages: [{ role: 'user', content: 'x'.repeat(300) }] });
  await eventually('a large body is refused', async () => (await large()).status === 413);
  await gateway.configure([account(first)]);
  await eventually('it is not any more', async () => (await large()).status === 200);
});

test('a reload that changes keys alone tells relay threads of nothing else, and holds on all of them', async () => {
  const more = 'sk-another-key-0123456789abcdef';
  const withKey = (...keys: string[]) => [
    account(first),
    ...keys.map((key) => ({ type: 'sluice/api-keys', keys: [{ name: 'more', key, subject: 'virtualaccount:more' }] })),
  ];
  const statuses = async (key: string) => {
    const asked = Array.from({ length: 8 }, async () => {
      const response = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, connection: 'close' },
        body: JSON.stringify({ model: 'p/m', messages }),
      });
      await response.arrayBuffer();
      return response.status;
    });
    return new Set(await Promise.all(asked));
  };
  await gateway.configure(withKey());
  await eventually('the first account is in force', everywhere('first'));
  const before = gateway.output().length;
  await gateway.configure(withKey(more));
  await eventually('the new key is known everywhere', async () => !(await statuses(more)).has(401));
  await eventually('the log says so', () => /"onlyKeys":true/.test(gateway.output().slice(before)));
  await gateway.configure(withKey());
  await eventually('it is known nowhere', async () => !(await statuses(more)).has(200));
  assert.deepEqual(await statuses(KEY), new Set([200]));
});

test('a setting that needs a restart keeps its value at a reload, with a warning', async () => {
  await gateway.configure([account(second)], { listen: { host: '127.0.0.1', port: 1 }, threads: 1 });
  await eventually('the rest of it is in force', everywhere('second'));
  await eventually('the log warns', () => /restart/.test(gateway.output()));
  assert.match(gateway.output(), /listen/);
  assert.match(gateway.output(), /threads/);
});

test('reloads under load fail no request', async () => {
  let over = false;
  let answered = 0;
  const clients = Array.from({ length: 10 }, async () => {
    while (!over) {
      const response = await ask(gateway, { model: 'p/m', messages });
      assert.equal(response.status, 200, await response.text());
      answered += 1;
    }
  });
  for (let turn = 0; turn < 5; turn += 1) {
    const before = loads();
    await gateway.configure([account(turn % 2 === 0 ? first : second)]);
    await eventually('it was loaded', () => loads() > before);
  }
  over = true;
  await Promise.all(clients);
  assert.ok(answered > 50);
});
