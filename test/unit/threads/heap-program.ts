/**
 * A process of its own, since V8's flags are the process's. Starts a thread through which, on a small heap, 1.6 GB of
 * memory outside of it come and go; prints how often all of its heap was collected, and for how many MiB its young
 * generation had room at the beginning. `steady`: the thread is started after keepHeapSteady.
 */
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics } from 'node:v8';
import { isMainThread, Worker } from 'node:worker_threads';
import { keepHeapSteady } from '../../../src/threads/steady-heap.ts';

const TURNS = 1_000;
const CHUNKS = 100;
const CHUNK_BYTES = 16_384;

if (isMainThread) {
  if (process.argv[2] === 'steady') keepHeapSteady();
  new Worker(new URL(import.meta.url));
} else {
  const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
  let majors = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (Reflect.get(Object(Reflect.get(entry, 'detail')), 'kind') === constants.NODE_PERFORMANCE_GC_MAJOR)
        majors += 1;
    }
  }).observe({ entryTypes: ['gc'] });
  let turns = 0;
  const turn = (): void => {
    for (let i = 0; i < CHUNKS; i += 1) Buffer.allocUnsafe(CHUNK_BYTES).fill(i);
    turns += 1;
    if (turns < TURNS) setImmediate(turn);
    else setTimeout(() => console.log(JSON.stringify({ majors, youngMib: (young?.space_size ?? 0) / 2 ** 20 })), 50);
  };
  turn();
}
