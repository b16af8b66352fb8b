import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pricedAccount } from '../support/budgets.ts';
import { noOpenssl, selfSigned } from '../support/certificate.ts';
import { ask, messages } from '../support/chat-client.ts';
import { type ConnectProxy, startConnectProxy } from '../support/connect-proxy.ts';
import { eventually, startGateway } from '../support/gateway.ts';
import { completion, sendJson, startProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';
import { startSts, stsEnvironment } from '../support/sts-server.ts';
import { keyPair } from '../support/token-issuer.ts';

const CHAT = { model: 'p/m', messages };

interface Outside {
  readonly server: Server;
  readonly port: number;
  readonly proxy: ConnectProxy;
  readonly caFile: string;
}

/** A provider with a certificate of its own, under a name that only the proxy knows. */
async function outside(t: TestContext): Promise<Outside> {
  const { key, cert, certFile } = await selfSigned(t, 'DNS:provider.test', 'IP:127.0.0.1');
  const server = createServer({ key, cert }, (incoming, response) => {
    incoming.resume().on('end', () => sendJson(response, 200, completion('from outside')));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const proxy = await startConnectProxy({ ports: { 'provider.test': port } });
  t.after(() => proxy[Symbol.asyncDispose]());
  return { server, port, proxy, caFile: certFile };
}

test('providers are reached through upstream.proxy and trusted by upstream.ca_file; a reload takes the proxy away', {
  skip: noOpenssl,
}, async (t) => {
  const { proxy, caFile } = await outside(t);
  const manifests = [openAccount('p', 'https://provider.test/v1')];
  const upstream = { proxy: proxy.address, ca_file: caFile };
  const gateway = await startGateway({ manifests, server: { upstream } });
  t.after(() => gateway[Symbol.asyncDispose]());
  const first = await ask(gateway, CHAT);
  assert.equal(first.status, 200);
  assert.match(await first.text(), /from outside/);
  assert.deepEqual(proxy.tunnels, ['provider.test:443']);
  await gateway.configure(manifests, { upstream: { proxy: 'none', ca_file: caFile } });
  // The name leads nowhere from here.
  await eventually('the way is direct', async () => (await ask(gateway, CHAT)).status === 502);
});

test("an account's proxy and certificate are its own; the variables HTTPS_PROXY and NO_PROXY count for the others", {
  skip: noOpenssl,
}, async (t) => {
  const { port, proxy, caFile } = await outside(t);
  const trusting = { tls_settings: { reject_unauthorized: true, ca_cert: `\${file:${caFile}}` } };
  const gateway = await startGateway({
    environment: { HTTPS_PROXY: proxy.address, NO_PROXY: 'localhost,127.0.0.1' },
    manifests: [
      openAccount('p', 'https://provider.test/v1', trusting),
      openAccount('near', `https://127.0.0.1:${port}/v1`, trusting),
      openAccount('asked', `https://127.0.0.1:${port}/v1`, { ...trusting, proxy: proxy.address }),
      openAccount('direct', 'https://provider.test/v1', { ...trusting, proxy: 'none' }),
    ],
  });
  t.after(() => gateway[Symbol.asyncDispose]());
  const statusOf = async (account: string) => (await ask(gateway, { ...CHAT, model: `${account}/m` })).status;
  assert.equal(await statusOf('p'), 200);
  assert.deepEqual(proxy.tunnels, ['provider.test:443']);
  assert.equal(await statusOf('near'), 200);
  assert.equal(proxy.tunnels.length, 1);
  assert.equal(await statusOf('asked'), 200);
  assert.deepEqual(proxy.tunnels.slice(1), [`127.0.0.1:${port}`]);
  assert.equal(await statusOf('direct'), 502);
});

test('the keys of an issuer, a price list and the alerts of budgets go through upstream.proxy and trust upstream.ca_file', {
  skip: noOpenssl,
}, async (t) => {
  const { key, cert, certFile } = await selfSigned(t, 'DNS:login.test', 'DNS:hooks.test', 'DNS:prices.test');
  const { jwk } = await keyPair('k', 'EdDSA');
  const list = { version: 'seen', providers: [{ id: 'openai', models: [{ id: 'gpt-9', prices: { input_mtok: 1 } }] }] };
  const server = createServer({ key, cert }, (incoming, response) => {
    incoming.resume().on('end', () => sendJson(response, 200, incoming.url === '/keys' ? { keys: [jwk] } : list));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const proxy = await startConnectProxy({ ports: { 'login.test': port, 'hooks.test': port, 'prices.test': port } });
  t.after(() => proxy[Symbol.asyncDispose]());
  const provider = await startProvider((_request, response) => sendJson(response, 200, completion('hello')));
  t.after(() => provider.close());
  const costs = { name: 'costs', type: 'integration/notification-channel/webhook' };
  const notification_target = [{ type: 'webhook', notification_channel: 'hooks/costs' }];
  const gateway = await startGateway({
    server: {
      upstream: { proxy: proxy.address, no_proxy: ['127.0.0.1'], ca_file: certFile },
      prices: { url: 'https://prices.test/prices.json' },
    },
    manifests: [
      pricedAccount('p', `${provider.origin}/v1`, ['m']),
      {
        type: 'sluice/identity-provider',
        name: 'login',
        issuer: 'https://login.test/',
        jwks_uri: 'https://login.test/keys',
      },
      {
        type: 'provider-account/webhook',
        name: 'hooks',
        integrations: [{ ...costs, webhook_url: 'https://hooks.test/secret' }],
      },
      {
        type: 'tenant-budget-config',
        name: 'small',
        when: {},
        limits: { cost_per_day: 0.000_001 },
        applies_to: { type: 'aggregate' },
        mode: 'audit',
        alerts: { thresholds: [50], send_to: 'shared', notification_target },
      },
    ],
  });
  t.after(() => gateway[Symbol.asyncDispose]());
  await eventually('the keys are known', async () => (await gateway.metric('sluice_jwks_keys')) === 1);
  assert.equal((await ask(gateway, CHAT)).status, 200);
  await eventually('the alert is sent', async () => (await gateway.metric('sluice_alerts_sent_total')) === 1);
  await eventually('the list is in force', () => gateway.output().includes('another price list is in force'));
  assert.deepEqual([...new Set(proxy.tunnels)].sort(), ['hooks.test:443', 'login.test:443', 'prices.test:443']);
});

test('no source calls the global fetch, which knows neither the proxy nor the authorities of the configuration', () => {
  const source = join(import.meta.dirname, '../../src');
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  // Token sources have a method of that name.
  const calls = files.filter((file) =>
    /(?<![.#\w]|async )fetch\((?!signal)/.test(readFileSync(join(source, file), 'utf8')),
  );
  assert.deepEqual(calls, []);
});

test("AWS's own code asks for the keys of a role through upstream.proxy, and trusts upstream.ca_file", {
  skip: noOpenssl,
}, async (t) => {
  const { key, cert, certFile } = await selfSigned(t, 'DNS:sts.test');
  const keys = { accessKeyId: 'ASIAROLE', secretAccessKey: 'role-secret', sessionToken: 'role-session' };
  const sts = await startSts({ ...keys, lifeMs: 3_600_000 }, { key, cert });
  t.after(() => sts[Symbol.asyncDispose]());
  const proxy = await startConnectProxy({ ports: { 'sts.test': Number(new URL(sts.origin).port) } });
  t.after(() => proxy[Symbol.asyncDispose]());
  const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 };
  const output = { message: { role: 'assistant', content: [{ text: 'signed' }] } };
  const provider = await startProvider((_request, response) =>
    sendJson(response, 200, { output, stopReason: 'end_turn', usage }),
  );
  t.after(() => provider[Symbol.asyncDispose]());
  const gateway = await startGateway({
    environment: stsEnvironment({ origin: 'https://sts.test' }),
    server: { upstream: { proxy: proxy.address, no_proxy: ['127.0.0.1'], ca_file: certFile } },
    manifests: [
      {
        type: 'provider-account/aws-bedrock',
        name: 'p',
        region: 'eu-west-1',
        base_url: provider.origin,
        auth_data: { type: 'assumed-role-based', assumed_role_arn: 'arn:aws:iam::123456789012:role/bedrock' },
      },
    ],
  });
  t.after(() => gateway[Symbol.asyncDispose]());
  await eventually('the role is assumed', async () => (await ask(gateway, CHAT)).status === 200);
  assert.deepEqual([...new Set(proxy.tunnels)], ['sts.test:443']);
  assert.equal(sts.asked[0]?.get('Action'), 'AssumeRole');
  assert.match(String(provider.requests.at(-1)?.headers['authorization']), /Credential=ASIAROLE\//);
  assert.equal(provider.requests.at(-1)?.headers['x-amz-security-token'], 'role-session');
});
