import { Bench, type Statistics } from 'tinybench';
import { heapBytesPerRun } from './heap-bytes.ts';
import type { TaskMeasurement } from './measurement.ts';
import type { BenchSubject, BenchTask } from './subject.ts';

export interface MeasureOptions {
  /** Per task: until the optimizing compiler has settled. */
  readonly warmUpMs: number;
  readonly timeMs: number;
}

export const DEFAULT_OPTIONS: MeasureOptions = { warmUpMs: 250, timeMs: 700 };

/**
 * A sample is a batch of runs that takes at least this long: reading the clock costs some 40 ns, as much as the
 * shortest of what is measured here.
 */
export const SAMPLE_NS = 50_000;

/** Times every task of a subject, after its check. Whatever a check throws is the caller's to show. */
export function measure(subject: BenchSubject, options: MeasureOptions = DEFAULT_OPTIONS): TaskMeasurement[] {
  subject.check();
  return subject.tasks.map((task) => measureTask(task, options));
}

function measureTask(task: BenchTask, { warmUpMs, timeMs }: MeasureOptions): TaskMeasurement {
  const { name, operations, bytes } = task;
  const batch = batchOf(task, warmUpMs);
  const heapBytes =
    Math.max(
      0,
      heapBytesPerRun(() => consume(task.run())),
    ) / operations;
  globalThis.gc?.();
  const bench = new Bench({ time: timeMs, iterations: 10, warmup: false, throws: true });
  bench.add(name, () => runBatch(task, batch), { async: false });
  const [timed] = bench.runSync();
  const latency = statisticsOf(timed?.result);
  const ns = 1e6 / operations;
  return {
    name,
    medianNs: latency.p50 * ns,
    meanNs: latency.mean * ns,
    p99Ns: latency.p99 * ns,
    marginPercent: latency.rme,
    samples: latency.samplesCount,
    heapBytes,
    bytes,
  };
}

/** Runs until it is warm; tells how many runs make a sample. */
function batchOf(task: BenchTask, warmUpMs: number): number {
  const start = performance.now();
  let runs = 0;
  let elapsedMs = 0;
  do {
    consume(task.run());
    runs += 1;
    elapsedMs = performance.now() - start;
  } while (elapsedMs < warmUpMs);
  return Math.max(1, Math.ceil((SAMPLE_NS * runs) / (elapsedMs * 1e6)));
}

/** The sample is the mean of the batch; tinybench's time budget counts the whole of it. */
function runBatch(task: BenchTask, batch: number): { overriddenDuration: number; overriddenIterationCost: number } {
  const start = performance.now();
  for (let i = 0; i < batch; i += 1) consume(task.run());
  const elapsedMs = performance.now() - start;
  return { overriddenDuration: elapsedMs / batch, overriddenIterationCost: elapsedMs };
}

let consumed: unknown;

/** What nobody looks at, a compiler may leave out. */
function consume(result: unknown): void {
  consumed = result;
}

/** The result of the last run, so that `consumed` is read. */
export function lastResult(): unknown {
  return consumed;
}

function statisticsOf(result: unknown): Statistics {
  if (typeof result === 'object' && result !== null && 'latency' in result) return result.latency as Statistics;
  throw new Error('tinybench gave no statistics');
}
