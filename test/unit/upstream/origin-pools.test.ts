import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wholeAnswer } from '../../support/raw-provider.ts';
import { limits, timeouts } from '../relay/local-provider.ts';
import { HeardAttempt } from './attempts.ts';
import { pools, provide } from './providers.ts';

const origin = 'http://127.0.0.1:1';

test('an origin with one credential is one pool, and another credential, origin or TLS setting is another', () => {
  const made = pools();
  const first = made.get({ origin, credential: 'a' });
  assert.equal(made.get({ origin, credential: 'a' }), first);
  const others = [
    made.get({ origin, credential: 'b' }),
    made.get({ origin: 'http://127.0.0.1:2', credential: 'a' }),
    made.get({ origin, credential: 'a', tls: { rejectUnauthorized: true } }),
    made.get({ origin, credential: 'a', tls: { rejectUnauthorized: false } }),
    made.get({ origin, credential: 'a', tls: { rejectUnauthorized: true, ca: 'x' } }),
  ];
  assert.equal(new Set([first, ...others]).size, 6);
});

test('pools in use stay over a reload, and the others are closed once their attempts are over', async () => {
  let answer: () => void = () => {};
  const provider = await provide((socket) => {
    answer = () => socket.write(wholeAnswer({ a: 1 }));
  });
  const made = pools();
  const kept = { origin: 'http://127.0.0.1:1', credential: 'kept' };
  const keptPool = made.get(kept);
  const dropped = made.get({ origin: provider.origin, credential: 'c' });
  const heard = new HeardAttempt(made, provider.origin);
  while (heard.attempt.sentAt === 0) await new Promise((resolve) => setImmediate(resolve));
  made.reconfigure(limits, timeouts, [kept]);
  assert.equal(made.get(kept), keptPool);
  assert.notEqual(made.get({ origin: provider.origin, credential: 'c' }), dropped);
  while (provider.sockets.size === 0) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setTimeout(resolve, 20));
  answer();
  await heard.over();
  assert.equal(heard.text(), '{"a":1}', 'what was open finishes on the old one');
});

test('a reload that changes what a pool is made of makes new pools', () => {
  const connection = { origin, credential: 'a' };
  for (const [newLimits, newTimeouts] of [
    [{ ...limits, maxUpstreamConnections: 7 }, timeouts],
    [limits, { ...timeouts, connectMs: 7 }],
  ] as const) {
    const made = pools();
    const before = made.get(connection);
    made.reconfigure(newLimits, newTimeouts, [connection]);
    assert.notEqual(made.get(connection), before);
  }
});

test('a reload that changes nothing of a pool keeps its warm connections', async () => {
  const provider = await provide((socket) => socket.write(wholeAnswer({})));
  const made = pools();
  await new HeardAttempt(made, provider.origin).over();
  made.reconfigure({ ...limits, maxBodyBytes: 1 }, { ...timeouts, idleMs: 1 }, [
    { origin: provider.origin, credential: 'c' },
  ]);
  await new HeardAttempt(made, provider.origin).over();
  assert.equal(provider.accepted(), 1);
});

test('connections are counted over all pools, and are gone when the pools are destroyed', async () => {
  const provider = await provide((socket) => socket.write(wholeAnswer({})));
  const made = pools();
  assert.equal(made.connected, 0);
  await new HeardAttempt(made, provider.origin).over();
  assert.equal(made.connected, 1);
  made.destroy();
  assert.equal(made.connected, 0);
  while (provider.sockets.size > 0) await new Promise((resolve) => setImmediate(resolve));
});

test('no more connections are opened than limits.max_upstream_connections, and the rest waits its turn', async () => {
  const answers: (() => void)[] = [];
  const provider = await provide((socket) => {
    answers.push(() => socket.write(wholeAnswer({})));
  });
  const made = pools({ maxUpstreamConnections: 3 });
  const attempts = Array.from({ length: 10 }, () => new HeardAttempt(made, provider.origin));
  while (answers.length < 3) await new Promise((resolve) => setImmediate(resolve));
  const pool = made.get({ origin: provider.origin, credential: 'c' });
  assert.deepEqual([pool.running, pool.waiting], [3, 7]);
  for (let done = 0; done < 10; done += 1) {
    while (answers.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(provider.sockets.size <= 3);
    answers.shift()?.();
  }
  await Promise.all(attempts.map((attempt) => attempt.over()));
  assert.equal(provider.accepted(), 3);
  assert.equal(made.get({ origin: provider.origin, credential: 'c' }).running, 0);
});
