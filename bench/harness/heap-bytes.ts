import { median } from './median.ts';

/** Few enough that no collection comes between, many enough that one odd run does not show. */
const MOST_RUNS = 256;
const MOST_BYTES = 1_000_000;
const REPEATS = 9;

/**
 * How much JavaScript heap one run takes: what the collector will have to clean up after, and what a median of times
 * hides. Call it when the function is warm; NaN without `--expose-gc`.
 */
export function heapBytesPerRun(run: () => void): number {
  const { gc } = globalThis;
  if (!gc) return Number.NaN;
  const nothing = median(repeat(() => taken(gc, () => undefined, 1)));
  const once = Math.max(1, median(repeat(() => taken(gc, run, 1))) - nothing);
  const runs = Math.max(1, Math.min(MOST_RUNS, Math.floor(MOST_BYTES / once)));
  return (median(repeat(() => taken(gc, run, runs))) - nothing) / runs;
}

function taken(gc: () => unknown, run: () => void, runs: number): number {
  gc();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < runs; i += 1) run();
  return process.memoryUsage().heapUsed - before;
}

function repeat(measureOnce: () => number): number[] {
  return Array.from({ length: REPEATS }, measureOnce);
}
