import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { SharedCounters } from '../../../src/threads/shared-counters.ts';

const entry = new URL('./taking-thread.ts', import.meta.url);

interface Result {
  taken: number;
  highest: number;
}

async function race(
  counters: SharedCounters,
  data: { tries: number; most: number; gives: boolean },
): Promise<Result[]> {
  const gate = new SharedArrayBuffer(4);
  const workers = [0, 1].map(
    (thread) => new Worker(entry, { workerData: { ...data, buffer: counters.buffer, gate, thread, threads: 2 } }),
  );
  const results = await Promise.all(workers.map(async (worker): Promise<Result> => (await once(worker, 'message'))[0]));
  await Promise.all(workers.map((worker) => worker.terminate()));
  return results;
}

test('exactly as many of many takes at once on two threads succeed as there are places', async () => {
  const most = 1001;
  const counters = new SharedCounters(2, 0);
  const results = await race(counters, { tries: 200_000, most, gives: false });
  assert.equal(results[0]!.taken + results[1]!.taken, most);
  assert.equal(counters.inFlight, most);
});

test('a place that is given back can be taken again, and at the end nothing is left over', async () => {
  const counters = new SharedCounters(2, 0);
  const results = await race(counters, { tries: 200_000, most: 2, gives: true });
  // Two threads, one place each at a time: nobody may be refused while there is room for both.
  for (const { taken } of results) assert.equal(taken, 200_000);
  assert.equal(counters.inFlight, 0);
});

test('a dead thread’s places are given back, and those of others stay', async () => {
  const counters = new SharedCounters(2, 0);
  const results = await race(counters, { tries: 300, most: 100_000, gives: false });
  assert.deepEqual(
    results.map(({ taken }) => taken),
    [300, 300],
  );
  counters.reclaim(1);
  assert.equal(counters.inFlight, 300);
  counters.reclaim(1);
  assert.equal(counters.inFlight, 300);
  counters.reclaim(0);
  assert.equal(counters.inFlight, 0);
});

test('bodies are held in whole KiB, up to the bound and not beyond', () => {
  const counters = new SharedCounters(1, 0);
  assert.equal(counters.holdBody(1, 4096), true);
  assert.equal(counters.bodyBytes, 1024);
  assert.equal(counters.holdBody(3072, 4096), true);
  assert.equal(counters.bodyBytes, 4096);
  assert.equal(counters.holdBody(1, 4096), false);
  assert.equal(counters.bodyBytes, 4096, 'what was refused is not held');
  counters.releaseBody(1);
  assert.equal(counters.holdBody(1024, 4096), true);
  counters.releaseBody(3072);
  counters.releaseBody(1024);
  assert.equal(counters.bodyBytes, 0);
});

test('bodies of a gibibyte, as many as fit into a terabyte, are counted right', () => {
  const counters = new SharedCounters(1, 0);
  const gibibyte = 1024 ** 3;
  for (let i = 1; i <= 1024; i += 1) {
    assert.equal(counters.holdBody(gibibyte, 1024 * gibibyte), true);
    assert.equal(counters.bodyBytes, i * gibibyte);
  }
  assert.equal(counters.holdBody(1, 1024 * gibibyte), false);
});

test('exchanges and bodies of a dead thread are given back together', () => {
  const main = new SharedCounters(2, 0);
  const other = new SharedCounters(2, 1, main.buffer);
  main.enter(10);
  other.enter(10);
  other.enter(10);
  other.holdBody(5000, 1e6);
  main.holdBody(1000, 1e6);
  main.reclaim(1);
  assert.equal(main.inFlight, 1);
  assert.equal(main.bodyBytes, 1024);
});

test('two looks at an idle gateway find the same, and any exchange between them shows', () => {
  const main = new SharedCounters(2, 0);
  const second = new SharedCounters(2, 1, main.buffer);
  const idle = main.idleMark;
  assert.notEqual(idle, undefined);
  assert.equal(second.idleMark, idle);
  second.enter(10);
  assert.equal(main.idleMark, undefined, 'an exchange of another thread is open');
  second.leave();
  // Its record comes with a frame.
  main.takeFrame(1);
  assert.notEqual(main.idleMark, idle);
  assert.equal(main.idleMark, second.idleMark);
});
