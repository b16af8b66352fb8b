import { parentPort, workerData } from 'node:worker_threads';
import { SharedCounters } from '../../../src/threads/shared-counters.ts';

/** Takes places as fast as it can, beginning when the other one does, and says how many it got. */
const { buffer, gate, thread, threads, tries, most, gives } = workerData;
const counters = new SharedCounters(threads, thread, buffer);
const ready = new Int32Array(gate);
Atomics.add(ready, 0, 1);
Atomics.notify(ready, 0);
while (Atomics.load(ready, 0) < threads) {
  // Both begin in the same microsecond: that is the point.
}
let taken = 0;
let highest = 0;
for (let i = 0; i < tries; i += 1) {
  if (!counters.enter(most)) continue;
  taken += 1;
  highest = Math.max(highest, counters.inFlight);
  if (gives) counters.leave();
}
parentPort?.postMessage({ taken, highest });
