import { parentPort, workerData } from 'node:worker_threads';
import { Cell } from '../../../src/counters/cell.ts';
import { isRefusal, type Leg, type Reservation } from '../../../src/counters/counters.ts';
import { MemoryCounters } from '../../../src/counters/memory-counters.ts';

/** Reserves as fast as it can, beginning when the others do. `job` says what it does with what it gets. */
const { buffer, gate, thread, threads, tries, limit, job } = workerData;
const counters = new MemoryCounters(buffer, thread);
const legs: Leg[] = [
  { cell: new Cell('requests', { kind: 'sliding', ms: 3_600_000 }), limit },
  { cell: new Cell('budget', { kind: 'calendar', period: 'quarter' }), limit: Number.POSITIVE_INFINITY },
  { cell: new Cell('open', { kind: 'open' }), limit: Number.POSITIVE_INFINITY },
];
const ready = new Int32Array(gate);
Atomics.add(ready, 0, 1);
while (Atomics.load(ready, 0) < threads) {
  // All begin in the same microsecond: that is the point.
}
let passed = 0;
const open: Reservation[] = [];
for (let turn = 0; job === 'until death' || turn < tries; turn += 1) {
  const answer = counters.reserve(legs, [1, 3, 1], counters.clock.now());
  if (isRefusal(answer)) continue;
  passed += 1;
  if (job === 'settle') answer.settle([1, 2, 1], Date.now());
  else if (job === 'hold') open.push(answer);
  else if (job === 'until death') {
    // Some are open at any moment, and it is always in the middle of something.
    open.push(answer);
    if (open.length > 50) open.shift()?.settle([1, 2, 1], Date.now());
    if (turn === 1_000) parentPort?.postMessage('busy');
  }
}
parentPort?.postMessage(job === 'say the time' ? counters.clock.now() : passed);
// What it holds dies with it.
setInterval(() => open.length, 60_000);
