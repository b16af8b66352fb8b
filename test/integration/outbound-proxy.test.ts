import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { noOpenssl, selfSigned } from '../support/certificate.ts';
import { ask, messages } from '../support/chat-client.ts';
import { type ConnectProxy, startConnectProxy } from '../support/connect-proxy.ts';
import { eventually, startGateway } from '../support/gateway.ts';
import { completion, sendJson } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';

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
