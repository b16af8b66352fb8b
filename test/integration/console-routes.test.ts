import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';

const ADMIN_KEY = 'admin-key-of-this-test-0123456789';

// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape, whose fields the tests look at
type Json = any;

describe('what the console asks of the admin API', () => {
  let gateway: RunningGateway;
  before(async () => {
    gateway = await startGateway({
      server: { operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY }, demo: true },
      manifests: [
        {
          type: 'gateway-rate-limiting-config',
          rules: [{ id: 'all', when: {}, limit_to: 600, unit: 'requests_per_minute' }],
        },
        {
          type: 'gateway-rate-limiting-config',
          name: 'each',
          rules: [
            {
              id: 'each',
              when: {},
              limit_to: 5,
              unit: 'requests_per_hour',
              rate_limit_applies_per: ['virtualaccount', 'model'],
            },
          ],
        },
      ],
    });
  });
  after(() => gateway[Symbol.asyncDispose]());

  const send = (method: string, path: string, body?: unknown) =>
    fetch(`${gateway.operatorUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const json = async (path: string): Promise<Json> => (await send('GET', path)).json();
  const client = (path: string, init: RequestInit) =>
    fetch(`${gateway.url}/v1${path}`, { ...init, headers: { authorization: `Bearer ${KEY}`, ...init.headers } });

  it('models are listed with their prices, and no credential stands there', async () => {
    const { accounts, models, base_url } = await json('/admin/models');
    assert.deepEqual([accounts[0].name, accounts[0].credentials], ['demo', 1]);
    assert.ok(models.some(({ id, price }: Json) => id === 'demo/chat' && price !== null));
    assert.equal(base_url, `${gateway.url}/v1`);
  });

  it('rate limits are told as they are in force, and error codes with what to do', async () => {
    const { data } = await json('/admin/rate-limits');
    assert.deepEqual([data[0].id, data[0].limit, data[0].unit], ['all', 600, 'requests_per_minute']);
    const { errors } = await json('/admin/errors');
    assert.equal(errors.rate_limited.status, 429);
    assert.ok(errors.rate_limited.remedy.length > 10);
  });

  it('the window of a rate limit tells what is used, what is left and when all is free, for each group', async () => {
    const body = JSON.stringify({ model: 'demo/chat', messages: [{ role: 'user', content: 'hello' }] });
    for (let asked = 0; asked < 2; asked += 1) {
      const headers = { 'content-type': 'application/json' };
      await (await client('/chat/completions', { method: 'POST', headers, body })).text();
    }
    for (;;) {
      const { data } = await json('/admin/rate-limits');
      const [all, each] = data;
      assert.deepEqual([all.windows[0].group, all.windows[0].used, all.windows[0].left], [{}, 2, 598]);
      // Groups are those that the ledger saw, a moment later.
      if (each.windows.length === 0) continue;
      const [{ group, used, left, percent, free_at }] = each.windows;
      assert.deepEqual(group, { virtualaccount: 'virtualaccount:test', model: 'demo/chat' });
      assert.deepEqual([used, left, percent], [2, 3, 40]);
      const inMs = Date.parse(free_at) - Date.now();
      assert.ok(inMs > 3_000_000 && inMs < 3_700_000, `${inMs}`);
      break;
    }
  });

  it('the help of the editor knows the keys of every kind of manifest, their meaning and what is allowed', async () => {
    const { types } = await json('/admin/configuration/keys');
    assert.ok(types.includes('sluice/server') && types.includes('provider-account/openai'));
    const { keys } = await json('/admin/configuration/keys?type=gateway-rate-limiting-config');
    const unit = keys.find(({ path }: Json) => path === 'rules[].unit');
    assert.match(unit.allowed, /requests_per_minute/);
    assert.equal(unit.required, true);
    assert.ok(keys.every(({ meaning, allowed }: Json) => meaning !== null || allowed !== ''));
    assert.equal((await send('GET', '/admin/configuration/keys?type=nonsense')).status, 404);
  });

  it('a large configuration is checked in a thread of its own: probes are answered meanwhile', async () => {
    const { files } = await json('/admin/configuration');
    const [{ file, text }] = files;
    const users = Array.from({ length: 2_000 }, (_, at) => `---\ntype: user\nemail: u${at}@example.com\n`).join('');
    let isDone = false;
    const checking = send('POST', '/admin/configuration/check', { file, text: `${text}${users}` }).then((answer) => {
      isDone = true;
      return answer;
    });
    let slowestMs = 0;
    while (!isDone) {
      const before = performance.now();
      assert.equal((await fetch(`${gateway.operatorUrl}/livez`)).status, 200);
      slowestMs = Math.max(slowestMs, performance.now() - before);
      await delay(20);
    }
    const answer = await checking;
    assert.equal(answer.status, 200);
    assert.deepEqual(((await answer.json()) as Json).faults, []);
    assert.ok(slowestMs < 1_000, `a probe waited ${slowestMs.toFixed(0)} ms`);
  });

  it('a check tells what would take effect with a restart alone', async () => {
    const { files } = await json('/admin/configuration');
    const [{ file, text }] = files;
    const checked: Json = await (
      await send('POST', '/admin/configuration/check', {
        file,
        text: text.replace(/threads: \d+/, 'threads: 3'),
      })
    ).json();
    assert.ok(
      checked.warnings.some(({ path }: Json) => path === 'threads'),
      JSON.stringify(checked),
    );
  });

  it('files of all callers are listed in pages, and nothing of what is in them', async () => {
    for (const name of ['one', 'two', 'three']) {
      const form = new FormData();
      form.set('purpose', 'user_data');
      form.set('file', new Blob([`{"secret":"${name}"}\n`]), `${name}.jsonl`);
      assert.equal((await client('/files', { method: 'POST', body: form })).status, 200);
    }
    const first = await json('/admin/files?limit=2');
    const second = await json(`/admin/files?limit=2&after=${first.next}`);
    const names = [...first.data, ...second.data].map(({ filename }: Json) => filename);
    assert.deepEqual(names.toSorted(), ['one.jsonl', 'three.jsonl', 'two.jsonl']);
    assert.equal(second.next, null);
    assert.doesNotMatch(JSON.stringify([first, second]), /"secret"/);
    assert.deepEqual((await json('/admin/batches')).data, []);
    assert.equal((await send('GET', '/admin/batches?after=nonsense')).status, 400);
  });

  it('a chat of the playground is an exchange of the key that came along, with its receipt', async () => {
    const messages = [{ role: 'user', content: 'What is a sluice?' }];
    const request = { model: 'demo/chat', stream: true, messages };
    const answer = await send('POST', '/admin/playground/chat/completions', { key: KEY, request });
    assert.equal(answer.headers.get('content-type')?.split(';')[0], 'text/event-stream');
    assert.match(await answer.text(), /data: \[DONE\]/);
    const id = answer.headers.get('x-sluice-exchange-id') ?? '';
    for (;;) {
      const receipt = await json(`/admin/receipts/${id}`);
      if (receipt.error === undefined) {
        assert.equal(receipt.who.subject, 'virtualaccount:test');
        break;
      }
    }
    assert.equal(gateway.output().includes(KEY), false);
  });

  it('the playground passes a refusal on as a client would get it, and names what it lacks', async () => {
    const request = { model: 'demo/chat', messages: [] };
    const refused = await send('POST', '/admin/playground/chat/completions', { key: 'sk-unknown', request });
    assert.deepEqual([refused.status, ((await refused.json()) as Json).error.code], [401, 'invalid_api_key']);
    const lacking = await send('POST', '/admin/playground/chat/completions', { request });
    assert.deepEqual([lacking.status, ((await lacking.json()) as Json).error.param], [400, 'key']);
  });

  it('a configuration that is faulty, reaches for the machine, or was changed meanwhile is not written', async () => {
    const { files } = await json('/admin/configuration');
    const [{ file, text, version }] = files;
    assert.doesNotMatch(text, new RegExp(ADMIN_KEY));
    const faulty = text.replace('limit_to: 600', 'limit_to: many');
    const checked: Json = await (await send('POST', '/admin/configuration/check', { file, text: faulty })).json();
    assert.match(checked.faults[0].path, /limit_to/);
    assert.equal((await send('PUT', '/admin/configuration', { file, text: faulty, version })).status, 409);
    assert.equal((await send('PUT', '/admin/configuration', { file, text, version: 'other' })).status, 409);
    assert.equal((await send('PUT', '/admin/configuration', { file: '/etc/passwd', text, version })).status, 404);
    assert.match(await readFile(file, 'utf8'), /limit_to: 600/);
    const program = `${text}\n---\ntype: mcp-server/stdio\nname: shell\ncommand: /bin/sh\n`;
    const reads = text.replace('limit_to: 600', 'limit_to: "${file:/etc/passwd}"');
    for (const reaching of [program, reads]) {
      const refused = await send('PUT', '/admin/configuration', { file, text: reaching, version });
      assert.equal(refused.status, 409);
      assert.match(await refused.text(), /another program, or one otherwise, or reads another/);
    }
    const moved = { file, text: text.replace('limit_to: 600', 'limit_to: (secret 1)') };
    const told = await (await send('POST', '/admin/configuration/check', moved)).text();
    assert.match(told, /\(secret\)/);
    assert.doesNotMatch(told, new RegExp(ADMIN_KEY));
    const better = text.replace('limit_to: 600', 'limit_to: 700');
    assert.equal((await send('PUT', '/admin/configuration', { file, text: better, version })).status, 200);
    const written = await readFile(file, 'utf8');
    assert.ok(written.includes('limit_to: 700') && written.includes(ADMIN_KEY));
  });
});
