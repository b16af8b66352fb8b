import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { OriginPools } from '../../../src/upstream/origin-pools.ts';
import { noOpenssl, selfSigned } from '../../support/certificate.ts';
import { limits, timeouts } from '../relay/local-provider.ts';
import { HeardAttempt } from './attempts.ts';

test('connections over TLS are used again, a second one resumes the first one’s session, and strangers are refused', {
  skip: noOpenssl,
}, async (t) => {
  const { key, cert } = await selfSigned(t, 'IP:127.0.0.1');
  const large = randomBytes(3 << 20).toString('base64');
  const sessions: boolean[] = [];
  const held: (() => void)[] = [];
  const server = createServer({ key, cert }, (incoming, response) => {
    incoming.resume().on('end', () => {
      if (incoming.url === '/held') held.push(() => response.end('held'));
      else if (incoming.url === '/large') response.end(large);
      else response.end('own');
    });
  });
  server.on('secureConnection', (socket: TLSSocket) => sessions.push(socket.isSessionReused()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const pools = new OriginPools(limits, timeouts);
  t.after(() => {
    pools.destroy();
    server.closeAllConnections();
    server.close();
  });
  const tls = { rejectUnauthorized: true, ca: cert };
  const ask = (more = {}) => new HeardAttempt(pools, origin, more, tls);

  for (let count = 0; count < 5; count += 1) assert.equal((await ask().over()).text(), 'own');
  assert.deepEqual(sessions, [false]);
  const paused = ask({ path: '/large' });
  const pausing = setInterval(() => {
    if (paused.attempt.paused) paused.attempt.resume();
    else paused.attempt.pause();
  }, 0);
  assert.ok((await paused.over()).text() === large, 'paused at every turn of the loop, it arrives whole');
  clearInterval(pausing);
  const first = ask({ path: '/held' });
  while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await ask().over()).text(), 'own');
  held.shift()?.();
  assert.equal((await first.over()).text(), 'held');
  assert.deepEqual(sessions, [false, true]);
  assert.equal(pools.connected, 2);

  const stranger = await new HeardAttempt(pools, origin).over();
  assert.equal(stranger.error?.code, 'connect_failed');
});

test('a handshake of TLS that fails is connect_failed, with what to do about its cause', {
  skip: noOpenssl,
}, async (t) => {
  const { key, cert } = await selfSigned(t, 'DNS:elsewhere.test');
  const pools = new OriginPools(limits, timeouts);
  const plain = createPlainServer((_incoming, response) => response.end('plain'));
  const named = createServer({ key, cert });
  const modern = createServer({ key, cert, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' });
  t.after(() => {
    pools.destroy();
    for (const server of [plain, named, modern]) {
      server.closeAllConnections();
      server.close();
    }
  });
  for (const [server, ca, said] of [
    [plain, cert, /does not speak TLS at this port: write http:\/\/ .*\(ERR_SSL_WRONG_VERSION_NUMBER\)/],
    [named, undefined, /an authority that is not trusted here; upstream\.ca_file can name it \(\w+\)/],
    [named, cert, /certificate is for another host name \(ERR_TLS_CERT_ALTNAME_INVALID\)/],
    [modern, cert, /share no version or cipher of TLS/],
  ] as const) {
    if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening');
    const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const tls = { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) };
    const { error } = await new HeardAttempt(pools, origin, {}, tls).over();
    assert.equal(error?.code, 'connect_failed', error?.message);
    assert.match(error.message, said);
  }
});
