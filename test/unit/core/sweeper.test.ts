import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { SWEEP_MS, Sweeper, type Swept } from '../../../src/core/sweeper.ts';
import { leastMs } from '../growth.ts';

class Item implements Swept {
  sweepIndex = -1;
  sweeps = 0;
  readonly #onSweep: (item: Item) => void;

  constructor(onSweep: (item: Item) => void = () => {}) {
    this.#onSweep = onSweep;
  }

  sweep(): void {
    this.sweeps += 1;
    this.#onSweep(this);
  }
}

function start(t: TestContext): Sweeper {
  t.mock.timers.enable({ apis: ['setInterval'] });
  return new Sweeper();
}

test('the sweeper looks at what was added every SWEEP_MS', (t) => {
  const sweeper = start(t);
  const item = new Item();
  sweeper.add(item);
  assert.equal(item.sweeps, 0);
  t.mock.timers.tick(SWEEP_MS * 3);
  assert.equal(item.sweeps, 3);
});

test('the sweeper no longer looks at what was removed, and removing it again does nothing', (t) => {
  const sweeper = start(t);
  const items = [new Item(), new Item(), new Item()];
  for (const item of items) sweeper.add(item);
  sweeper.remove(items[0]!);
  sweeper.remove(items[0]!);
  assert.equal(sweeper.size, 2);
  t.mock.timers.tick(SWEEP_MS);
  assert.deepEqual(
    items.map((item) => item.sweeps),
    [0, 1, 1],
  );
});

test('an entry that removes itself while it is swept takes no other one’s turn', (t) => {
  const sweeper = start(t);
  const items = Array.from({ length: 5 }, () => new Item((item) => sweeper.remove(item)));
  for (const item of items) sweeper.add(item);
  t.mock.timers.tick(SWEEP_MS);
  assert.ok(items.every((item) => item.sweeps === 1));
  assert.equal(sweeper.size, 0);
});

test('an entry that removes or adds others while it is swept leaves nobody out', (t) => {
  for (let victim = 0; victim < 5; victim += 1) {
    for (let killer = 0; killer < 5; killer += 1) {
      if (victim === killer) continue;
      const sweeper = new Sweeper();
      t.mock.timers.reset();
      t.mock.timers.enable({ apis: ['setInterval'] });
      const items: Item[] = [];
      for (let i = 0; i < 5; i += 1) {
        items.push(
          new Item(() => {
            if (i !== killer || items[killer]!.sweeps > 1) return;
            sweeper.remove(items[victim]!);
            sweeper.add(new Item());
          }),
        );
      }
      for (const item of items) sweeper.add(item);
      t.mock.timers.tick(SWEEP_MS);
      for (const [index, item] of items.entries()) {
        if (index !== victim) assert.ok(item.sweeps >= 1, `${index} was left out: ${killer} removed ${victim}`);
      }
      assert.equal(sweeper.size, 5);
    }
  }
});

test('an idle sweeper has no timer, and gets one again', (t) => {
  const sweeper = start(t);
  const item = new Item((self) => sweeper.remove(self));
  sweeper.add(item);
  t.mock.timers.tick(SWEEP_MS * 2);
  const calls = t.mock.method(globalThis, 'setInterval');
  sweeper.add(item);
  assert.equal(calls.mock.callCount(), 1);
  t.mock.timers.tick(SWEEP_MS);
  assert.equal(item.sweeps, 2);
});

test('thousands of sweeper entries come and go in bounded time', () => {
  const sweeper = new Sweeper();
  const items = Array.from({ length: 100_000 }, () => new Item());
  const ms = leastMs(() => {
    for (const item of items) sweeper.add(item);
    for (const item of items) sweeper.remove(item);
  }, 3);
  assert.ok(ms < 500, `${ms} ms`);
  assert.equal(sweeper.size, 0);
  // Its timer stops itself at the next look.
});

test('an entry whose sweep throws takes no other one’s turn, and what it throws is not lost', (t) => {
  const sweeper = start(t);
  const fault = new Error('a bug');
  const items = [
    new Item(),
    new Item(() => {
      throw fault;
    }),
    new Item(),
  ];
  for (const item of items) sweeper.add(item);
  for (let sweep = 0; sweep < 2; sweep += 1) assert.throws(() => t.mock.timers.tick(SWEEP_MS), fault);
  assert.deepEqual(
    items.map((item) => item.sweeps),
    [2, 2, 2],
  );
});

/** Connects to `port`, and says more when it is told to. */
const PEER = `
  const { workerData: { port, told } } = require('node:worker_threads');
  const socket = require('node:net').connect(port, '127.0.0.1', () => socket.write('a'));
  socket.once('data', () => {
    socket.write('b', () => { Atomics.store(told, 0, 2); Atomics.notify(told, 0); });
  });
`;

test('a wait runs out after what came while its thread was busy was read', { timeout: 30_000 }, async () => {
  const told = new Int32Array(new SharedArrayBuffer(4));
  const sweeper = new Sweeper();
  const read: string[] = [];
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const peer = new Worker(PEER, { eval: true, workerData: { port: address.port, told } });
  const [socket] = await once(server, 'connection');
  const swept = Promise.withResolvers<void>();
  const item = new Item(() => {
    read.push('sweep');
    sweeper.remove(item);
    swept.resolve();
  });
  socket.on('data', (bytes: Buffer) => {
    read.push(bytes.toString());
    if (read.length > 1) return;
    sweeper.add(item);
    socket.write('go');
    // As a long computation does, within a callback of a socket: timers come before the next look at sockets.
    Atomics.wait(told, 0, 0);
    const until = performance.now() + 10 * SWEEP_MS;
    while (performance.now() < until);
  });
  await swept.promise;
  assert.deepEqual(read, ['a', 'b', 'sweep']);
  socket.destroy();
  server.close();
  await peer.terminate();
});
