import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import type { UpstreamSettings } from '../../../src/config/server/upstream.ts';
import { OriginPools } from '../../../src/upstream/origin-pools.ts';
import { noOpenssl, selfSigned } from '../../support/certificate.ts';
import { type ConnectProxyOptions, startConnectProxy } from '../../support/connect-proxy.ts';
import { limits, timeouts } from '../relay/local-provider.ts';
import { HeardAttempt } from './attempts.ts';

const large = randomBytes(3 << 20).toString('base64');

const answer: RequestListener = (incoming, response) => {
  incoming.resume().on('end', () => {
    if (incoming.url === '/large') response.end(large);
    else if (incoming.url === '/headers') response.end(JSON.stringify(incoming.headers));
    else response.end('own');
  });
};

async function listening(t: TestContext, server: HttpServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function proxyOf(t: TestContext, options: ConnectProxyOptions = {}) {
  const proxy = await startConnectProxy(options);
  t.after(() => proxy[Symbol.asyncDispose]());
  return proxy;
}

function poolsThrough(
  t: TestContext,
  proxy: string,
  more: Partial<UpstreamSettings> = {},
  connectMs = 5000,
): OriginPools {
  const settings = { proxies: { http: proxy, https: proxy }, noProxy: [], ...more };
  const pools = new OriginPools(limits, { ...timeouts, connectMs }, settings);
  t.after(() => pools.destroy());
  return pools;
}

/** Large, paused at every turn of the loop. */
async function arrivesWhole(ask: (more: object) => HeardAttempt): Promise<void> {
  const paused = ask({ path: '/large' });
  const pausing = setInterval(() => {
    if (paused.attempt.paused) paused.attempt.resume();
    else paused.attempt.pause();
  }, 0);
  assert.ok((await paused.over()).text() === large);
  clearInterval(pausing);
}

test('an http provider is reached through a tunnel, whole, on one connection, and read past the queue of streams', async (t) => {
  const port = await listening(t, createHttpServer(answer));
  const proxy = await proxyOf(t, { ports: { 'provider.test': port } });
  const pools = poolsThrough(t, proxy.address);
  const ask = (more = {}) => new HeardAttempt(pools, 'http://provider.test:8000', more);
  assert.equal((await ask().over()).text(), 'own');
  let queued = 0;
  const { push } = Socket.prototype;
  t.mock.method(Socket.prototype, 'push', function (this: Socket, chunk: unknown) {
    if (chunk !== null && this.remotePort === proxy.port) queued += 1;
    return push.call(this, chunk);
  });
  assert.equal((await ask().over()).text(), 'own');
  assert.equal(queued, 0);
  await arrivesWhole(ask);
  assert.deepEqual(proxy.tunnels, ['provider.test:8000']);
});

test('an https provider with a private authority is reached through a tunnel, whole, and its session is resumed', {
  skip: noOpenssl,
}, async (t) => {
  const { key, cert } = await selfSigned(t, 'DNS:provider.test');
  const server = createHttpsServer({ key, cert }, answer);
  const sessions: boolean[] = [];
  server.on('secureConnection', (socket: TLSSocket) => sessions.push(socket.isSessionReused()));
  const port = await listening(t, server);
  const proxy = await proxyOf(t, { ports: { 'provider.test': port } });
  const pools = poolsThrough(t, proxy.address, { ca: cert });
  const ask = (more = {}) => new HeardAttempt(pools, 'https://provider.test', more);
  assert.equal((await ask().over()).text(), 'own');
  await arrivesWhole(ask);
  const both = [ask(), ask()];
  for (const each of both) assert.equal((await each.over()).text(), 'own');
  assert.deepEqual(sessions, [false, true]);
  assert.deepEqual(proxy.tunnels, ['provider.test:443', 'provider.test:443']);

  const strangers = poolsThrough(t, proxy.address);
  assert.equal((await new HeardAttempt(strangers, 'https://provider.test').over()).error?.code, 'connect_failed');
});

test('the password of a proxy goes to the proxy and not to the provider', async (t) => {
  const port = await listening(t, createHttpServer(answer));
  const proxy = await proxyOf(t, { ports: { 'provider.test': port } });
  const pools = poolsThrough(t, `http://us%65r:p%40ss@127.0.0.1:${proxy.port}`);
  const seen = await new HeardAttempt(pools, 'http://provider.test', { path: '/headers' }).over();
  assert.equal(
    proxy.requests[0]?.headers['proxy-authorization'],
    `Basic ${Buffer.from('user:p@ss').toString('base64')}`,
  );
  assert.equal('proxy-authorization' in JSON.parse(seen.text()), false);
});

for (const [does, write, said] of [
  ['asks for a password', 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n', /\(the proxy answered 407\)/],
  ['forbids it', 'HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno', /\(the proxy answered 403\)/],
  ['does not speak HTTP', 'SSH-2.0-x\r\n\r\n', /\(the proxy did not answer in HTTP\)/],
  ['never ends its head', `HTTP/1.1 200 OK\r\n${'x'.repeat(20_000)}`, /\(the proxy did not answer in HTTP\)/],
  ['says more than its answer', 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n', /sent more than its answer/],
  ['closes', '', /\(the proxy closed the connection\)/],
] as const) {
  test(`a proxy that ${does} is a connection that failed, and the error names no address`, async (t) => {
    const proxy = await proxyOf(t, { answer: (socket) => socket.end(write) });
    const pools = poolsThrough(t, proxy.address);
    const { error } = await new HeardAttempt(pools, 'https://provider.test').over();
    assert.equal(error?.code, 'connect_failed');
    assert.match(error.message, said);
    assert.doesNotMatch(error.message, /127\.0\.0\.1|provider\.test/);
  });
}

test('a proxy that is away is a connection that failed, and one that hangs a timeout', async (t) => {
  const pools = poolsThrough(t, 'http://127.0.0.1:1');
  assert.equal((await new HeardAttempt(pools, 'https://provider.test').over()).error?.code, 'connect_failed');
  const proxy = await proxyOf(t, { answer: () => undefined });
  const hanging = poolsThrough(t, proxy.address, {}, 1);
  assert.equal((await new HeardAttempt(hanging, 'https://provider.test').over()).error?.code, 'connect_timeout');
});

test('a provider behind no_proxy is reached directly; a reload that changes the way opens new connections', async (t) => {
  const port = await listening(t, createHttpServer(answer));
  const proxy = await proxyOf(t);
  const settings = { proxies: { http: proxy.address }, noProxy: ['127.0.0.1'] };
  const pools = poolsThrough(t, proxy.address, settings);
  const origin = `http://127.0.0.1:${port}`;
  assert.equal((await new HeardAttempt(pools, origin).over()).text(), 'own');
  assert.deepEqual(proxy.tunnels, []);
  pools.reconfigure(limits, { ...timeouts, connectMs: 5000 }, [{ origin, credential: 'c' }], {
    ...settings,
    noProxy: [],
  });
  assert.equal((await new HeardAttempt(pools, origin).over()).text(), 'own');
  assert.deepEqual(proxy.tunnels, [`127.0.0.1:${port}`]);
});
