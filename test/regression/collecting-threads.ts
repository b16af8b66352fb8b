/** A process of its own: four threads collect again and again in the same moments. Ends with 0 where none of them failed. */
import { isMainThread, Worker } from 'node:worker_threads';
import { collectWhenIdle, keepHeapSteady } from '../../src/threads/steady-heap.ts';

const THREADS = 3;
const COLLECTIONS = 40;

if (isMainThread) {
  keepHeapSteady();
  for (let thread = 0; thread < THREADS; thread += 1) new Worker(new URL(import.meta.url));
}
for (let each = 0; each < COLLECTIONS; each += 1) collectWhenIdle(() => 0);
// Its timers keep nothing alive.
setTimeout(() => {}, 5_000);
