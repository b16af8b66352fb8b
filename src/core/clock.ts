/** Milliseconds since the Unix epoch, with the fraction of performance.now(): one source for stamps and spans. */
export function epochMs(performanceNow: number): number {
  return performance.timeOrigin + performanceNow;
}
