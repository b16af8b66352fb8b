import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
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
      assert.match(await refused.text(), /another program, or reads another/);
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
