import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { ask, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { RawClient } from '../support/raw-client.ts';
import { openAccount } from '../support/scripted-provider.ts';

let provider: FakeProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startProvider((_request, response) => sendJson(response, 200, completion('hello')));
  gateway = await startGateway({
    server: {
      listen: { host: '127.0.0.1', port: 0, trusted_proxies: ['127.0.0.0/8'] },
      limits: { max_body_bytes: 5000 },
    },
    manifests: [openAccount('p', `${provider.origin}/v1`)],
  });
});
disposeAfter(() => [gateway, provider]);

const client = { 'user-agent': 'curl/8.0 "x"', 'x-forwarded-for': '198.51.100.1, 203.0.113.9' };

test('the log says of a refused request who asked, with what, and for which path', async () => {
  const refusals: [id: string, status: number, path: string, asked: () => Promise<Response>][] = [];
  const refused = (id: string, status: number, path: string, body: object | string, key?: string) =>
    refusals.push([
      id,
      status,
      path.split('?')[0]!,
      () => ask(gateway, body, { path, key, headers: { ...client, 'x-request-id': id } }),
    ]);
  refused('no-path', 404, '/wp-login.php?token=in-the-query', {});
  refused('no-key', 401, '/v1/chat/completions', {}, 'wrong');
  refused('no-json', 400, '/chat/completions', '{');
  refused('no-model', 404, '/v1/chat/completions', { model: 'none/x', messages });
  refused('too-large', 413, '/v1/chat/completions', { model: 'p/m', messages, x: 'x'.repeat(6000) });
  refused('no-method', 405, '/v1/models', {});
  for (const [id, status, path, asked] of refusals) {
    const response = await asked();
    assert.equal(response.status, status, id);
    await response.text();
    const record = await recordOf(gateway, id);
    assert.equal(record['client.address'], '203.0.113.9', id);
    assert.equal(record['user_agent.original'], 'curl/8.0 "x"', id);
    assert.equal(record['url.path'], path, id);
  }
  assert.ok(!gateway.output().includes('in-the-query'), 'a query may hold a key');
});

test('a client’s words about itself are cut and make no log line of their own', async () => {
  const raw = await RawClient.open(gateway);
  raw.send(
    `GET /${'p'.repeat(5000)} HTTP/1.1\r\nhost: x\r\nuser-agent: ${'u'.repeat(5000)}"{\r\nx-request-id: long\r\nx-forwarded-for: nonsense\r\n\r\n`,
  );
  assert.equal((await raw.answer()).status, 404);
  raw.leave();
  const record = await recordOf(gateway, 'long');
  assert.equal(record['client.address'], '127.0.0.1');
  for (const name of ['user_agent.original', 'url.path']) assert.ok(String(record[name]).length <= 301, name);
});

test('the log has no address of an answered request, since it is about refusals', async () => {
  const headers = { ...client, 'x-request-id': 'answered' };
  const response = await ask(gateway, { model: 'p/m', messages }, { headers });
  assert.equal(response.status, 200);
  await response.text();
  assert.equal((await recordOf(gateway, 'answered'))['client.address'], undefined);
});
