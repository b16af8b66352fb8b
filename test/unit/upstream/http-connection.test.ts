import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { UpstreamAttempt } from '../../../src/upstream/attempt.ts';
import { HeadLines } from '../../../src/upstream/head-lines.ts';
import { HttpConnection, type Sender } from '../../../src/upstream/http-connection.ts';
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

test('an idle connection keeps no thread alive, and serves the next request all the same', async () => {
  const provider = await provide((socket, body) => socket.write(whole(body)));
  const made = pools({ maxUpstreamConnections: 1 });
  const ask = (body: string) => new HeardAttempt(made, provider.origin, { body: Buffer.from(body) }).over();
  const sockets = (): number =>
    process.getActiveResourcesInfo().filter((resource) => resource === 'TCPSocketWrap').length;
  for (const body of ['first', 'second']) {
    assert.equal((await ask(body)).text(), body);
    const before = sockets();
    await eventually(() => sockets() < before);
  }
  assert.equal(provider.accepted(), 1);
});

test('bytes of a request that wait in their socket are not written over by the next request of another', () => {
  const heldBy = (): { connection: HttpConnection; held: Buffer[] } => {
    const held: Buffer[] = [];
    // Takes nothing until it is told to, which is never.
    const socket = new Duplex({ read: () => {}, write: (chunk: Buffer) => void held.push(chunk) });
    const keeper = { spent: () => {}, closed: () => {} };
    return { connection: new HttpConnection(socket as Socket, keeper, new HeadLines()), held };
  };
  const sender = { onRequestStart: () => {} } as unknown as Sender;
  const sent = ['first', 'second', 'third'].map((body) => {
    const { connection, held } = heldBy();
    connection.send(sender, Buffer.from('POST / HTTP/1.1\r\n'), Buffer.from(body), true);
    return { held, expected: `POST / HTTP/1.1\r\ncontent-length: ${body.length}\r\n\r\n${body}` };
  });
  for (const { held, expected } of sent) assert.equal(String(Buffer.concat(held)), expected);
});

test('a request tells the length of its body in decimal digits, and none where it has no body to tell of', () => {
  const sentFor = (body: Buffer | undefined, expectsBody: boolean): string => {
    const written: Buffer[] = [];
    const socket = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        // Its memory may be another request's when this returns.
        written.push(Buffer.from(chunk));
        done();
      },
    });
    const keeper = { spent: () => {}, closed: () => {} };
    const connection = new HttpConnection(socket as Socket, keeper, new HeadLines());
    connection.send({ onRequestStart: () => {} } as unknown as Sender, Buffer.from('head\r\n'), body, expectsBody);
    return String(Buffer.concat(written));
  };
  assert.equal(sentFor(undefined, false), 'head\r\n\r\n');
  assert.equal(sentFor(undefined, true), 'head\r\ncontent-length: 0\r\n\r\n');
  for (const length of [0, 1, 9, 10, 99, 100, 1_000, 32_768, 32_769, 70_000]) {
    const text = sentFor(Buffer.alloc(length, 'x'), true);
    assert.equal(text, `head\r\ncontent-length: ${length}\r\n\r\n${'x'.repeat(length)}`);
  }
});
