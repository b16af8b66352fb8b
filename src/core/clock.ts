let wallOffsetMs = performance.timeOrigin;

/** Below this the difference is only how the two clocks were read. */
const NOISE_MS = 20;

/** Milliseconds since the Unix epoch, with the fraction of performance.now(): one source for stamps and spans. */
export function epochMs(performanceNow: number): number {
  return wallOffsetMs + performanceNow;
}

/**
 * Now and then. performance.now() stands still while a machine sleeps and knows nothing of a clock that is set: without
 * this, exchanges of today would be written into, and budgets charged for, the day on which the thread began.
 */
export function followWall(wallMs: number): void {
  const offset = wallMs - performance.now();
  if (Math.abs(offset - wallOffsetMs) > NOISE_MS) wallOffsetMs = offset;
}
