import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Cell } from '../../../src/counters/cell.ts';
import { isRefusal } from '../../../src/counters/counters.ts';
import { MemoryCounters, sharedCounts } from '../../../src/counters/memory-counters.ts';

const entry = new URL('./counting-thread.ts', import.meta.url);
const THREADS = 2;

const requests = () => new Cell('requests', { kind: 'sliding', ms: 3_600_000 });
const budget = () => new Cell('budget', { kind: 'calendar', period: 'quarter' });
const open = () => new Cell('open', { kind: 'open' });

function begin(job: 'hold' | 'settle' | 'until death' | 'say the time', data: { tries?: number; limit?: number } = {}) {
  const buffer = sharedCounts({ relayThreads: THREADS, maxCells: 1024, maxInFlight: 16_384 });
  const gate = new SharedArrayBuffer(4);
  const start = (thread: number, threads: number): Worker =>
    new Worker(entry, {
      workerData: { tries: 10_000, limit: Number.POSITIVE_INFINITY, ...data, job, buffer, gate, thread, threads },
    });
  return { main: new MemoryCounters(buffer, THREADS), start };
}

async function results(workers: readonly Worker[]): Promise<number[]> {
  return Promise.all(workers.map(async (worker): Promise<number> => (await once(worker, 'message'))[0]));
}

test('exactly the limit of many reservations at once on two threads passes', async () => {
  const { main, start } = begin('hold', { limit: 1_001 });
  const workers = [start(0, THREADS), start(1, THREADS)];
  const [first = 0, second = 0] = await results(workers);
  assert.equal(first + second, 1_001);
  const now = main.clock.now();
  assert.equal(main.read(requests(), now).used, 1_001);
  assert.deepEqual(main.read(budget(), now), { used: 0, held: 3 * 1_001 });
  assert.equal(main.openReservations, 1_001);
  await Promise.all(workers.map((worker) => worker.terminate()));
  main.reclaim(0);
  assert.equal(main.openReservations, second);
  assert.equal(main.read(open(), now).held, second);
  main.reclaim(1);
  main.reclaim(1);
  assert.deepEqual(main.read(budget(), now), { used: 0, held: 0 });
  assert.equal(main.read(requests(), now).used, 0);
  assert.equal(main.openReservations, 0);
});

test('settlements of two threads add up to the last unit', async () => {
  const { main, start } = begin('settle', { tries: 50_000 });
  const workers = [start(0, THREADS), start(1, THREADS)];
  assert.deepEqual(await results(workers), [50_000, 50_000]);
  const now = main.clock.now();
  assert.deepEqual(main.read(budget(), now), { used: 200_000, held: 0 });
  assert.deepEqual(main.read(open(), now), { used: 0, held: 0 });
  assert.equal(main.read(requests(), now).used, 100_000);
  assert.equal(main.openReservations, 0);
  await Promise.all(workers.map((worker) => worker.terminate()));
});

test('a thread that dies in the middle of its work leaves no lock and holds nothing', { timeout: 60_000 }, async () => {
  for (let turn = 0; turn < 10; turn += 1) {
    const { main, start } = begin('until death');
    const worker = start(0, 1);
    await once(worker, 'message');
    await worker.terminate();
    main.reclaim(0);
    const now = main.clock.now();
    assert.equal(main.openReservations, 0);
    assert.equal(main.read(open(), now).held, 0);
    assert.equal(main.read(budget(), now).held, 0);
    const answer = main.reserve([{ cell: open(), limit: 1 }], [1], now);
    assert.ok(!isRefusal(answer));
    answer.settle([1], now);
  }
});

test('a lock whose holder died is taken over by the thread that needs it', async () => {
  const { main, start } = begin('until death');
  const other = new MemoryCounters(main.buffer, 1);
  const worker = start(0, 1);
  await once(worker, 'message');
  await worker.terminate();
  // Nobody has reclaimed it: at the worst it holds a lock, and who comes waits a quarter of a second.
  const startedAt = performance.now();
  const answer = other.reserve([{ cell: open(), limit: 1_000 }], [1], other.clock.now());
  assert.ok(!isRefusal(answer));
  assert.ok(performance.now() - startedAt < 5_000);
});

test('all threads have one clock, whenever they began', async () => {
  const { main, start } = begin('say the time');
  const asked = main.clock.now();
  const worker = start(0, 1);
  const [said = 0] = await results([worker]);
  assert.ok(asked < said && said < main.clock.now(), `${asked} ${said} ${main.clock.now()}`);
  assert.ok(Math.abs(said - Date.now()) < 5_000);
  await worker.terminate();
});
