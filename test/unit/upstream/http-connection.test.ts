import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { UpstreamAttempt } from '../../../src/upstream/attempt.ts';
import type { OriginConnection } from '../../../src/upstream/origin-connection.ts';
import type { OriginPool } from '../../../src/upstream/origin-pool.ts';
import { EVENTS_HEAD, httpChunk } from '../../support/raw-provider.ts';
import { HeardAttempt } from './attempts.ts';
import { pools, provide } from './providers.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}
const whole = (body: string | Buffer, more = ''): Buffer =>
  Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\n${more}content-length: ${body.length}\r\n\r\n`),
    typeof body === 'string' ? Buffer.from(body) : body,
  ]);

test('an answer that breaks off while it is paused is told as cut when it goes on, and its place is free', async () => {
  for (const answer of ['HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc', `${EVENTS_HEAD}${httpChunk('abc')}5\r\n`]) {
    const sockets: Socket[] = [];
    const provider = await provide((socket) => {
      sockets.push(socket);
      socket.write(answer);
    });
    const made = pools();
    const heard = new HeardAttempt(made, provider.origin);
    await heard.until(() => heard.text() === 'abc');
    heard.attempt.pause();
    sockets[0]!.end();
    await eventually(() => made.connected === 0);
    heard.attempt.resume();
    await heard.over();
    assert.equal(heard.error?.code, 'upstream_cut');
    assert.equal(made.get({ origin: provider.origin, credential: 'c' }).running, 0);
  }
});

test('an answer that is paused and resumed from within its last piece ends behind it, and what follows goes to nobody', async () => {
  const provider = await provide((socket, body) => socket.write(Buffer.concat([whole(body), whole('evil')])));
  const made = pools({ maxUpstreamConnections: 1 });
  for (const own of ['first', 'second']) {
    const heard = new HeardAttempt(made, provider.origin, { body: Buffer.from(own) });
    heard.chunk = (bytes) => {
      heard.attempt.pause();
      heard.attempt.resume();
      HeardAttempt.prototype.chunk.call(heard, bytes);
    };
    await heard.over();
    assert.deepEqual(
      heard.heard.map(([what]) => what),
      ['started', 'chunk', 'ended'],
    );
    assert.equal(heard.text(), own);
  }
  assert.equal(provider.accepted(), 2);
});

test('an exchange whose answer is still being decoded does not stop the next one on its connection', async () => {
  const noise = randomBytes(1 << 20);
  const next: Socket[] = [];
  const provider = await provide((socket, body) => {
    if (body === 'next') next.push(socket);
    else socket.write(whole(gzipSync(noise), 'content-encoding: gzip\r\n'));
  });
  const made = pools({ maxUpstreamConnections: 1 });
  const pool = made.get({ origin: provider.origin, credential: 'c' });
  const first = new HeardAttempt(made, provider.origin);
  await eventually(() => pool.idle === 1);
  assert.ok(!first.heard.some(([what]) => what === 'ended'), 'the provider’s end came before the decoder’s');
  const second = new HeardAttempt(made, provider.origin, { body: Buffer.from('next') });
  await eventually(() => next.length === 1);
  first.attempt.pause();
  next[0]!.write(whole('own'));
  assert.equal((await second.over()).text(), 'own');
  first.attempt.resume();
  await first.over();
  assert.equal(provider.accepted(), 1);
});

test('a connection stays watched when undici refuses the request for which it would take it over', async () => {
  const provider = await provide((socket, body) => socket.write(whole(body)));
  const made = pools({ maxUpstreamConnections: 1 });
  const pool = made.get({ origin: provider.origin, credential: 'c' });
  const ask = (more = {}) => new HeardAttempt(made, provider.origin, more).over();
  await ask();
  assert.equal((await ask({ headers: ['bad name', 'x'] })).error?.code, 'internal_error');
  await eventually(() => pool.idle === 1);
  assert.deepEqual([pool.open, pool.running], [1, 0]);
  for (const socket of provider.sockets) socket.write(whole('evil'));
  await eventually(() => provider.sockets.size === 0 && pool.open === 0);
  assert.equal((await ask({ body: Buffer.from('own') })).text(), 'own');
  assert.equal((await ask({ headers: ['bad name', 'x'] })).error?.code, 'internal_error');
  made.destroy();
  await eventually(() => provider.sockets.size === 0 && pool.open === 0);
});

test('an attempt that is aborted from within a piece of undici’s is cut behind it, since undici may end it in one call', async () => {
  const calls: string[] = [];
  const control = { pause: () => {}, resume: () => {}, abort: () => calls.push('cut') };
  const pool = {
    enter: (entering: UpstreamAttempt) => entering.dispatchOptions({} as OriginConnection),
    drop: () => calls.push('dropped'),
  };
  const attempt: UpstreamAttempt = new UpstreamAttempt(pool as unknown as OriginPool, {
    started: () => calls.push('started'),
    chunk: () => attempt.abort(),
    ended: () => calls.push('ended'),
    failed: () => calls.push('failed'),
  });
  attempt.send({ origin: 'http://p', path: '/', method: 'GET', headers: [], body: undefined });
  attempt.onRequestStart(control);
  const controller = control as unknown as Dispatcher.DispatchController;
  attempt.onResponseStart(controller, 200, {});
  attempt.onResponseData(controller, Buffer.from('x'));
  attempt.onResponseData(controller, Buffer.from('y'));
  attempt.onResponseEnd();
  assert.deepEqual(calls, ['started', 'dropped']);
  await turn();
  assert.deepEqual(calls, ['started', 'dropped', 'cut']);
});

test('a chunk’s size may have zeros before it, and is bounded', async () => {
  for (const [size, expected] of [
    ['000000005', 'hello'],
    ['00000000000000000005', 'hello'],
    ['100000005', 'upstream_protocol'],
    ['0'.repeat(40), 'upstream_protocol'],
  ] as const) {
    const provider = await provide((socket) => socket.write(`${EVENTS_HEAD}${size}\r\nhello\r\n0\r\n\r\n`));
    const heard = await new HeardAttempt(pools(), provider.origin).over();
    assert.equal(heard.error?.code ?? heard.text(), expected);
  }
});
