import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { OriginPools } from '../../../src/upstream/origin-pools.ts';
import { randomFrom } from '../../support/random.ts';
import { EVENTS_HEAD, httpChunk, startRawProvider } from '../../support/raw-provider.ts';
import { limits, timeouts } from '../relay/local-provider.ts';
import { HeardAttempt } from './attempts.ts';

const CONNECTIONS = 5;
const ATTEMPTS = 1_500;

/** All the ways in which a provider ends what it was asked, mostly the first ones; `done` where the connection may be used again. */
const WAYS: ((socket: Socket, body: string, later: (then: () => void) => void, done: () => void) => void)[] = [
  (socket, body, _later, done) => {
    done();
    socket.write(whole(body));
  },
  (socket, body, later, done) =>
    later(() => {
      done();
      socket.write(whole(body));
    }),
  (socket, body, later, done) => {
    socket.write(`HTTP/1.1 103 Early Hints\r\n\r\n${EVENTS_HEAD}${httpChunk(body.slice(0, 3))}`);
    later(() => {
      done();
      socket.write(`${httpChunk(body.slice(3))}0\r\n\r\n`);
    });
  },
  (socket, body) => socket.end(whole(body, 'connection: close\r\n')),
  (socket, body) => socket.end(whole(body)),
  (socket, body) => socket.write(whole(body) + whole('evil')),
  (socket) => socket.end(),
  (socket) => socket.resetAndDestroy(),
  (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'),
  (socket) => socket.write('garbage\r\n\r\n'),
];

function whole(body: string, more = ''): string {
  return `HTTP/1.1 200 OK\r\n${more}content-length: ${body.length}\r\n\r\n${body}`;
}

for (const seed of [1, 2, 3]) {
  test(`whatever providers and clients do, a connection carries one exchange at a time and each hears its own (seed ${seed})`, async (t) => {
    const random = randomFrom(seed);
    const busy = new Set<Socket>();
    let second = 0;
    let most = 0;
    const provider = await startRawProvider((socket, body) => {
      if (busy.has(socket)) second += 1;
      busy.add(socket);
      const way = WAYS[Math.floor(random() * random() * WAYS.length)]!;
      const later = (then: () => void): void => void setTimeout(() => !socket.destroyed && then(), random() * 4);
      way(socket, body, later, () => busy.delete(socket));
    });
    t.after(() => provider[Symbol.asyncDispose]());
    const pools = new OriginPools({ ...limits, maxUpstreamConnections: CONNECTIONS }, timeouts);
    t.after(() => pools.destroy());
    const pool = pools.get({ origin: provider.origin, credential: 'c' });
    const heard: HeardAttempt[] = [];
    const givenUp = new Set<HeardAttempt>();
    while (heard.length < ATTEMPTS) {
      for (let some = random() * 12; some > 0; some -= 1) {
        const body = Buffer.from(`own ${heard.length}`);
        // With `te` it goes through undici, which takes a connection of ours over.
        const each = new HeardAttempt(pools, provider.origin, {
          body,
          ...(random() < 0.1 && { headers: ['te', 'x'] }),
        });
        heard.push(each);
        const pausedMs = random() < 0.2 ? random() * 4 : 0;
        if (pausedMs > 0) {
          each.started = (status, headers) => {
            each.attempt.pause();
            setTimeout(() => each.attempt.resume(), pausedMs);
            HeardAttempt.prototype.started.call(each, status, headers);
          };
        }
        if (random() > 0.2) continue;
        const abort = (): void => {
          if (each.heard.some(([what]) => what === 'ended' || what === 'failed')) return;
          givenUp.add(each);
          each.attempt.abort();
        };
        if (random() < 0.3) abort();
        else setTimeout(abort, random() * 5);
      }
      most = Math.max(most, pool.running);
      await new Promise((resolve) => setTimeout(resolve, random() * 3));
    }
    for (const each of heard) if (!givenUp.has(each)) await Promise.race([each.over(), gaveUpLater(each, givenUp)]);
    assert.equal(second, 0, 'a second request before the end of the first');
    assert.equal(most, CONNECTIONS);
    for (const [index, each] of heard.entries()) {
      const ends = each.heard.filter(([what]) => what === 'ended' || what === 'failed');
      assert.equal(ends.length, givenUp.has(each) ? 0 : 1);
      if (ends[0]?.[0] === 'ended') assert.equal(each.text(), `own ${index}`);
    }
    while (pool.running > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(pool.waiting, 0);
    assert.ok(pool.idle <= CONNECTIONS);
    pools.destroy();
    while (provider.sockets.size > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([pool.open, pool.running, pool.idle], [0, 0, 0]);
  });
}

async function gaveUpLater(each: HeardAttempt, givenUp: ReadonlySet<HeardAttempt>): Promise<void> {
  while (!givenUp.has(each) && !each.heard.some(([what]) => what === 'ended' || what === 'failed')) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
