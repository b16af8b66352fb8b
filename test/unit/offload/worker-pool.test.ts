import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { WorkerPool, type WorkerPoolOptions } from '../../../src/offload/worker-pool.ts';
import { eventually } from '../../support/gateway.ts';
import { blockTask, echoTask, endTask, loadTask, throwTask } from './tasks-for-test.ts';

const entry = new URL('./worker-for-test.ts', import.meta.url);

async function withPool(options: Partial<WorkerPoolOptions>, use: (pool: WorkerPool) => Promise<void>) {
  const pool = new WorkerPool({ entry, ...options });
  try {
    await use(pool);
  } finally {
    await pool.close();
  }
}

test('a task gives its result, and what is transferred is gone for the sender', async () => {
  await withPool({}, async (pool) => {
    const bytes = new Uint8Array([1, 2, 3]);
    const result = await pool.run(echoTask, bytes, { transfer: [bytes.buffer] });
    assert.deepEqual(result, { value: new Uint8Array([1, 2, 3]) });
    assert.equal(bytes.byteLength, 0);
  });
});

test('a task that throws, or whose thread dies, fails, and the pool lives on', async () => {
  await withPool({}, async (pool) => {
    const thrown = await pool.run(throwTask, 'broken');
    assert.ok('failure' in thrown && thrown.failure === 'failed');
    assert.match(String(thrown.cause), /broken/);
    const died = await pool.run(endTask, undefined);
    assert.ok('failure' in died && died.failure === 'failed');
    assert.deepEqual(await pool.run(echoTask, new Uint8Array([7])), { value: new Uint8Array([7]) });
  });
});

test('a task beyond its deadline is stopped, even where it never yields', async () => {
  await withPool({}, async (pool) => {
    const begin = performance.now();
    const stopped = await pool.run(blockTask, 60_000, { deadlineMs: 300 });
    assert.ok('failure' in stopped && stopped.failure === 'deadline');
    assert.ok(performance.now() - begin < 5000);
  });
  await withPool({}, async (pool) => {
    assert.deepEqual(await pool.run(blockTask, 1), { value: 1 });
  });
});

test('a thread is not stopped while it loads code, which would end the process, and whoever gave its task up does not wait', async () => {
  await withPool({}, async (pool) => {
    const progress = new Int32Array(new SharedArrayBuffer(4));
    const abandoned = new AbortController();
    const task = pool.run(loadTask, progress.buffer, { abandoned: abandoned.signal });
    await eventually('it loads', () => Atomics.load(progress, 0) === 1);
    abandoned.abort();
    const given = await task;
    assert.ok('failure' in given && given.failure === 'deadline');
    assert.equal(Atomics.load(progress, 0), 1, 'it loads still');
    // The next call waits until then.
    const next = await pool.run(echoTask, new Uint8Array([7]), { deadlineMs: 20_000 });
    assert.deepEqual(next, { value: new Uint8Array([7]) });
    assert.equal(Atomics.load(progress, 0), 2);
  });
});

test('a task that waits behind one that is stopped gets a thread of its own', async () => {
  await withPool({}, async (pool) => {
    await pool.run(echoTask, new Uint8Array([0]));
    const stopped = pool.run(blockTask, 60_000, { deadlineMs: 300 });
    const waiting = pool.run(echoTask, new Uint8Array([7]), { deadlineMs: 20_000 });
    assert.ok('failure' in (await stopped));
    assert.deepEqual(await waiting, { value: new Uint8Array([7]) });
  });
});

test('a thread that starts gets no task, so that none stops it while it loads code', async (t) => {
  const folder = join(tmpdir(), `sluice-pool-${process.pid}`);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  await withPool({ entry: new URL('./held-worker-for-test.ts', import.meta.url), maxThreads: 2 }, async (pool) => {
    // Two threads begin, of which the second one waits for the file.
    const results = await Promise.all(
      [1, 2, 3].map((value) => pool.run(echoTask, new Uint8Array([value]), { deadlineMs: 15_000 })),
    );
    writeFileSync(join(folder, 'go'), '');
    assert.deepEqual(
      results,
      [1, 2, 3].map((value) => ({ value: new Uint8Array([value]) })),
    );
  });
});

test('a pool that is closed while a thread of it starts lets it start', async () => {
  const pool = new WorkerPool({ entry, maxThreads: 2 });
  const [first] = await Promise.all([pool.run(echoTask, new Uint8Array([1])), pool.run(echoTask, new Uint8Array([2]))]);
  assert.deepEqual(first, { value: new Uint8Array([1]) });
  const begin = performance.now();
  await pool.close();
  assert.ok(performance.now() - begin < 4_000);
});

test('the queue of each kind of task is bounded, also while the first thread starts', async () => {
  await withPool({}, async (pool) => {
    const results = await Promise.all(Array.from({ length: 10 }, () => pool.run(blockTask, 20, { maxQueued: 3 })));
    assert.deepEqual(await pool.run(echoTask, new Uint8Array([7])), { value: new Uint8Array([7]) });
    const refused = results.filter((result) => 'failure' in result && result.failure === 'queue-full');
    assert.equal(refused.length, 6);
    assert.equal(results.filter((result) => 'value' in result).length, 4);
  });
});

test('closing the pool waits for running tasks and refuses new ones', async () => {
  const pool = new WorkerPool({ entry });
  const open = pool.run(blockTask, 50);
  const closed = pool.close();
  assert.deepEqual(await pool.run(blockTask, 1), { failure: 'closed' });
  await closed;
  assert.deepEqual(await open, { value: 50 });
});

test('a worker that cannot start fails its tasks, and not the process', async () => {
  await withPool({ entry: new URL('./no-such-worker.ts', import.meta.url) }, async (pool) => {
    const result = await pool.run(blockTask, 1, { deadlineMs: 3000 });
    assert.ok('failure' in result);
  });
});
