/**
 * A process of its own, since V8's flags are the process's. Starts a thread through which, on a small heap, 1.6 GB of
 * memory outside of it come and go; prints how often all of its heap was collected, and for how many MiB its young
 * generation had room at the beginning. `steady`: the thread is started after keepHeapSteady. `collected`: and begins after
 * collectWhenIdle has done its work; MiB resident of its young generation then. `rested`: a function is compiled, and nobody
 * calls it while collectWhenIdle does its work; whether it is compiled still, and for how many MiB outside of the heap the thread
 * is charged more than before.
 */
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import { isMainThread, Worker } from 'node:worker_threads';
import { collectWhenIdle, keepHeapSteady } from '../../../src/threads/steady-heap.ts';

const TURNS = 1_000;
const CHUNKS = 100;
const CHUNK_BYTES = 16_384;

/** Exported, so that it lives on when nothing makes one. */
export class Shape {
  readonly #size: number;
  readonly twice: number;

  constructor(size: number) {
    this.#size = size;
    this.twice = 2 * size;
  }

  get size(): number {
    return this.#size;
  }
}

function lengthOf(shape: Shape): number {
  return shape.size + shape.twice;
}

if (isMainThread) {
  const how = process.argv[2] ?? '';
  if (how !== 'as V8 has it') keepHeapSteady();
  new Worker(new URL(import.meta.url), { argv: [how] });
} else {
  const young = () => getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
  const atFirst = young();
  let majors = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (Reflect.get(Object(Reflect.get(entry, 'detail')), 'kind') === constants.NODE_PERFORMANCE_GC_MAJOR)
        majors += 1;
    }
  }).observe({ entryTypes: ['gc'] });
  let turns = 0;
  let garbage: object | undefined;
  const turn = (): void => {
    for (let i = 0; i < CHUNKS; i += 1) Buffer.allocUnsafe(CHUNK_BYTES).fill(i);
    turns += 1;
    if (turns < TURNS) setImmediate(turn);
    else setTimeout(print, 50);
  };
  let residentMib = 0;
  const print = (): void =>
    console.log(JSON.stringify({ majors, youngMib: (atFirst?.space_size ?? 0) / 2 ** 20, residentMib }));
  if (process.argv[2] === 'collected') {
    // What loading leaves behind.
    for (let i = 0; i < 200_000; i += 1) garbage = { before: garbage === undefined ? i : 0 };
    collectWhenIdle(() => turns);
    setTimeout(() => {
      residentMib = (young()?.physical_space_size ?? 0) / 2 ** 20;
      majors = 0;
      turn();
    }, 2_000);
  } else if (process.argv[2] === 'rested') {
    // V8's flag --allow-natives-syntax. 16: the function is optimized (OptimizationStatus::kOptimized).
    const statusOf = new Function('f', 'return %GetOptimizationStatus(f)');
    const isCompiled = (): boolean => (Number(statusOf(lengthOf)) & 16) !== 0;
    let served = 0;
    collectWhenIdle(() => served);
    for (let i = 0; i < 1_000_000; i += 1) served += lengthOf(new Shape(i)) > 0 ? 1 : 0;
    setTimeout(() => {
      const wasCompiled = isCompiled();
      const outside = (): number => getHeapStatistics().external_memory / 2 ** 20;
      const before = outside();
      const tell = (): void =>
        console.log(JSON.stringify({ majors, wasCompiled, isCompiled: isCompiled(), outsideMib: outside() - before }));
      setTimeout(tell, 3_500);
    }, 300);
  } else turn();
}
