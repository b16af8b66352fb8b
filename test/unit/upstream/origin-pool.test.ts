import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import type { OriginPools } from '../../../src/upstream/origin-pools.ts';
import { deadPort, EVENTS_HEAD, httpChunk, wholeAnswer } from '../../support/raw-provider.ts';
import { limits, timeouts } from '../relay/local-provider.ts';
import { HeardAttempt } from './attempts.ts';
import { pools, provide } from './providers.ts';

const poolOf = (made: OriginPools, origin: string) => made.get({ origin, credential: 'c' });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}
const ask = (made: OriginPools, origin: string, text: string) =>
  new HeardAttempt(made, origin, { body: Buffer.from(text) });
const echo = (body: string, more = ''): string =>
  `HTTP/1.1 200 OK\r\n${more}content-length: ${body.length}\r\n\r\n${body}`;
const EVIL = echo('evil');

test('the connection that was used last is used next, and the others fall idle', async () => {
  const held: Socket[] = [];
  const served: Socket[] = [];
  const provider = await provide((socket, body) => {
    if (body === 'held') held.push(socket);
    else {
      served.push(socket);
      socket.write(echo(body));
    }
  });
  const made = pools();
  const burst = Array.from({ length: 5 }, () => ask(made, provider.origin, 'held'));
  await eventually(() => held.length === 5);
  for (const socket of held) {
    socket.write(echo('held'));
    await turn();
  }
  await Promise.all(burst.map((each) => each.over()));
  assert.equal(poolOf(made, provider.origin).idle, 5);
  for (let count = 0; count < 10; count += 1) await ask(made, provider.origin, 'next').over();
  assert.equal(new Set(served).size, 1);
  assert.equal(provider.accepted(), 5);
});

test('a second answer in the same bytes as the first goes to nobody, even where the next exchange waits already', async () => {
  const provider = await provide((socket, body) => socket.write(echo(body) + EVIL));
  const made = pools({ maxUpstreamConnections: 1 });
  const attempts = Array.from({ length: 20 }, (_, index) => ask(made, provider.origin, `own ${index}`));
  for (const [index, heard] of attempts.entries()) {
    await heard.over();
    assert.equal(heard.text(), `own ${index}`);
  }
  assert.equal(provider.accepted(), 20, 'each connection was given up for what it brought unasked');
});

test('unasked bytes on an idle connection go to nobody, even in the moment of the next request', async () => {
  const sockets: Socket[] = [];
  const provider = await provide((socket, body) => {
    sockets.push(socket);
    socket.write(echo(body));
  });
  const made = pools();
  for (let count = 0; count < 20; count += 1) {
    await ask(made, provider.origin, 'first').over();
    // It is in the connection, and not yet read, when the next request is given to undici.
    sockets.at(-1)?.write(EVIL);
    const next = await ask(made, provider.origin, 'own').over();
    assert.equal(next.text(), 'own');
    assert.equal(next.attempt.diedReused, false);
  }
});

test('a connection that the provider closes in the moment of the next request costs nobody an error', async () => {
  const provider = await provide((socket, body) => socket.write(echo(body)));
  const made = pools();
  for (let count = 0; count < 20; count += 1) {
    await ask(made, provider.origin, 'first').over();
    for (const socket of provider.sockets) socket.end();
    const next = await ask(made, provider.origin, 'own').over();
    assert.equal(next.text(), 'own');
  }
  assert.equal(poolOf(made, provider.origin).open, 1);
});

test('a provider that closes right behind its answer, without a word, costs no waiting exchange an error', async () => {
  const provider = await provide((socket, body) => socket.end(echo(body)));
  const made = pools({ maxUpstreamConnections: 2 });
  const attempts = Array.from({ length: 40 }, (_, index) => ask(made, provider.origin, `own ${index}`));
  for (const [index, heard] of attempts.entries()) {
    await heard.over();
    assert.equal(heard.text(), `own ${index}`);
  }
  await eventually(() => made.connected === 0);
  assert.deepEqual([poolOf(made, provider.origin).running, poolOf(made, provider.origin).idle], [0, 0]);
});

test('connection: close is obeyed, and the place is free again', async () => {
  const provider = await provide((socket, body) => socket.end(echo(body, 'connection: close\r\n')));
  const made = pools({ maxUpstreamConnections: 1 });
  const attempts = Array.from({ length: 10 }, (_, index) => ask(made, provider.origin, `own ${index}`));
  for (const [index, heard] of attempts.entries()) {
    await heard.over();
    assert.equal(heard.text(), `own ${index}`);
  }
  assert.equal(provider.accepted(), 10);
});

test('an exchange that asks from within the end of an answer gets another connection, or the same in the next turn', async () => {
  const provider = await provide((socket, body) => socket.write(echo(body)));
  const made = pools({ maxUpstreamConnections: 1, maxUpstreamQueue: 0 });
  const first = ask(made, provider.origin, 'first');
  let next: HeardAttempt | undefined;
  first.ended = () => {
    HeardAttempt.prototype.ended.call(first);
    next = ask(made, provider.origin, 'next');
  };
  await first.over();
  assert.equal((await next?.over())?.text(), 'next');
  assert.equal(provider.accepted(), 1);
});

test('no more exchanges wait than may, and those that wait only for the next turn are not counted', async () => {
  const answers: (() => void)[] = [];
  const provider = await provide((socket, body) => answers.push(() => socket.write(echo(body))));
  const made = pools({ maxUpstreamConnections: 1, maxUpstreamQueue: 1 });
  const first = ask(made, provider.origin, 'first');
  await eventually(() => answers.length === 1);
  const second = ask(made, provider.origin, 'second');
  const refused = new HeardAttempt(made, provider.origin);
  assert.equal(refused.attempt.inLine, false);
  assert.equal(made.queued, 1);
  answers.shift()?.();
  await first.over();
  await eventually(() => answers.length === 1);
  answers.shift()?.();
  await second.over();
  assert.deepEqual(refused.heard, []);
});

test('nothing is left of a burst of 1,000 connections after the provider’s idle time', async () => {
  const held: Socket[] = [];
  const provider = await provide((socket) => held.push(socket));
  const made = pools();
  const pool = poolOf(made, provider.origin);
  const burst = Array.from({ length: 1_000 }, () => ask(made, provider.origin, 'x'));
  await eventually(() => held.length === 1_000);
  assert.deepEqual([pool.running, pool.open, made.connected], [1_000, 1_000, 1_000]);
  // undici closes its end two seconds before the provider would.
  for (const socket of held) socket.write(echo('x', 'keep-alive: timeout=3\r\n'));
  await Promise.all(burst.map((each) => each.over()));
  assert.deepEqual([pool.running, pool.idle], [0, 1_000]);
  await eventually(() => made.connected === 0);
  assert.deepEqual([pool.running, pool.idle], [0, 0]);
});

test('a connection that was not opened gives its place to the next in line', async () => {
  const made = pools({ maxUpstreamConnections: 2 });
  const origin = `http://127.0.0.1:${await deadPort()}`;
  const attempts = Array.from({ length: 10 }, () => ask(made, origin, 'x'));
  assert.equal(poolOf(made, origin).waiting, 8);
  for (const heard of attempts) assert.equal((await heard.over()).error?.code, 'connect_failed');
  assert.deepEqual([poolOf(made, origin).running, poolOf(made, origin).idle, made.connected], [0, 0, 0]);
});

test('a request that undici refuses leaves its connection to others, and many of them are no deep recursion', async () => {
  const provider = await provide((socket, body) => socket.write(echo(body)));
  const made = pools({ maxUpstreamConnections: 1 });
  await ask(made, provider.origin, 'good').over();
  const bad = { headers: ['bad name', 'x'] };
  const refused = Array.from({ length: 4_000 }, () => new HeardAttempt(made, provider.origin, bad));
  const good = ask(made, provider.origin, 'good');
  for (const heard of refused) assert.equal((await heard.over()).error?.code, 'internal_error');
  assert.equal((await good.over()).text(), 'good');
  assert.equal(provider.accepted(), 1);
});

test('an error thrown while one waiting exchange is refused does not keep the others of its turn from being served', async (t) => {
  const held: Socket[] = [];
  const provider = await provide((socket, body) => {
    if (body === 'held') held.push(socket);
    else socket.write(echo(body));
  });
  const made = pools({ maxUpstreamConnections: 3 });
  const burst = Array.from({ length: 3 }, () => ask(made, provider.origin, 'held'));
  await eventually(() => held.length === 3);
  const bad = new HeardAttempt(made, provider.origin, { headers: ['bad name', 'x'] });
  bad.failed = () => {
    throw new Error('a bug');
  };
  const waiting = Array.from({ length: 2 }, (_, index) => ask(made, provider.origin, `own ${index}`));
  const thrown: string[] = [];
  process.setUncaughtExceptionCaptureCallback((error) => thrown.push(error.message));
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  // Written in one turn of the loop they are read in one, and their connections given out in one.
  for (const socket of held) socket.write(echo('held'));
  await Promise.all(burst.map((each) => each.over()));
  for (const [index, heard] of waiting.entries()) assert.equal((await heard.over()).text(), `own ${index}`);
  assert.deepEqual(thrown, ['a bug']);
  await eventually(() => poolOf(made, provider.origin).running === 0);
});

test('an error thrown while one waiting exchange is refused does not keep the broken connection’s from being told', async (t) => {
  const held: Socket[] = [];
  const provider = await provide((socket) => held.push(socket));
  const made = pools({ maxUpstreamConnections: 1 });
  const first = ask(made, provider.origin, 'held');
  await eventually(() => held.length === 1);
  const bad = new HeardAttempt(made, provider.origin, { headers: ['bad name', 'x'] });
  bad.failed = () => {
    throw new Error('a bug');
  };
  const thrown: string[] = [];
  process.setUncaughtExceptionCaptureCallback((error) => thrown.push(error.message));
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  held[0]?.destroy();
  assert.equal((await first.over()).error?.code, 'upstream_cut');
  await eventually(() => poolOf(made, provider.origin).running === 0);
  assert.deepEqual(thrown, ['a bug']);
  assert.equal(made.connected, 0);
});

test('an attempt that is aborted in the middle of its answer frees its place once and at once', async () => {
  const provider = await provide((socket, body) => {
    socket.write(body === 'talks' ? EVENTS_HEAD + httpChunk('a') : wholeAnswer({}));
  });
  const made = pools({ maxUpstreamConnections: 1 });
  const pool = poolOf(made, provider.origin);
  for (let count = 0; count < 5; count += 1) {
    const talks = ask(made, provider.origin, 'talks');
    await talks.until(() => talks.text() === 'a');
    const next = ask(made, provider.origin, 'next');
    assert.deepEqual([pool.running, pool.waiting], [1, 1]);
    talks.attempt.abort();
    talks.attempt.abort();
    assert.deepEqual([pool.running, pool.waiting], [1, 0]);
    assert.equal((await next.over()).text(), '{}');
    assert.deepEqual([pool.running, pool.idle], [0, 1]);
  }
});

test('a pool that closes serves those that wait first', async () => {
  const answers: (() => void)[] = [];
  const provider = await provide((socket, body) => answers.push(() => socket.write(echo(body))));
  const made = pools({ maxUpstreamConnections: 1 });
  const pool = poolOf(made, provider.origin);
  const attempts = Array.from({ length: 5 }, (_, index) => ask(made, provider.origin, `own ${index}`));
  made.reconfigure(limits, timeouts, []);
  for (const [index, heard] of attempts.entries()) {
    await eventually(() => answers.length === 1);
    answers.shift()?.();
    assert.equal((await heard.over()).text(), `own ${index}`);
  }
  await eventually(() => provider.sockets.size === 0);
  assert.deepEqual([pool.open, pool.running, pool.idle], [0, 0, 0]);
});

test('a pool that is destroyed tells its open and its waiting exchanges', async () => {
  const provider = await provide((socket) => socket.write(EVENTS_HEAD + httpChunk('a')));
  const made = pools({ maxUpstreamConnections: 1 });
  const talks = ask(made, provider.origin, 'talks');
  const waits = ask(made, provider.origin, 'waits');
  await talks.until(() => talks.text() === 'a');
  made.destroy();
  assert.equal((await waits.over()).error?.code, 'upstream_cut');
  assert.equal((await talks.over()).error?.code, 'upstream_cut');
  await eventually(() => provider.sockets.size === 0);
});
