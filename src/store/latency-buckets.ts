/*
 * Histograms of latencies that the ledger sums by series and hour or day: few buckets, since each is a column that every batch
 * adds to. Bucket i counts what is at most its bound and above
 * the one before; the last bucket counts the rest. Bounds are for ever: sums of older rows would mean something else.
 */

/** Milliseconds until the first content. */
const FIRST_CONTENT_BOUNDS = [100, 150, 250, 400, 600, 1_000, 1_600, 2_500, 4_000, 8_000, 20_000] as const;
/** Milliseconds that the gateway added. */
const OVERHEAD_BOUNDS = [0.2, 0.5, 1, 2, 5, 10, 50] as const;

const LATENCY_BOUNDS = { first_content: FIRST_CONTENT_BOUNDS, overhead: OVERHEAD_BOUNDS } as const;
export type Latency = keyof typeof LATENCY_BOUNDS;
export type LatencyColumn = `${Latency}_${number}`;

/** Those of one latency, in the order of their bounds. */
function bucketColumns(latency: Latency): LatencyColumn[] {
  return [...LATENCY_BOUNDS[latency], Number.POSITIVE_INFINITY].map(
    (_, bucket): LatencyColumn => `${latency}_${bucket}`,
  );
}

export const LATENCY_COLUMNS: readonly LatencyColumn[] = [
  ...bucketColumns('first_content'),
  ...bucketColumns('overhead'),
];

/** Where the buckets of a latency begin among LATENCY_COLUMNS. */
const LATENCY_OFFSETS = { first_content: 0, overhead: FIRST_CONTENT_BOUNDS.length + 1 } as const;

/** The bucket among those of LATENCY_COLUMNS. */
export function firstContentBucket(ms: number): number {
  return bucketIn(FIRST_CONTENT_BOUNDS, ms);
}

/** The bucket among those of LATENCY_COLUMNS. */
export function overheadBucket(ms: number): number {
  return LATENCY_OFFSETS.overhead + bucketIn(OVERHEAD_BOUNDS, ms);
}

function bucketIn(bounds: readonly number[], ms: number): number {
  let bucket = 0;
  while (bucket < bounds.length && ms > bounds[bucket]!) bucket += 1;
  return bucket;
}

/**
 * The value below which that share lies, in milliseconds, taken as evenly spread within its bucket; undefined: nothing was
 * counted. What lies beyond the last bound is told as that bound.
 */
export function latencyQuantile(latency: Latency, counts: readonly number[], share: number): number | undefined {
  const bounds = LATENCY_BOUNDS[latency];
  const own = counts.slice(LATENCY_OFFSETS[latency], LATENCY_OFFSETS[latency] + bounds.length + 1);
  const total = own.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let left = total * share;
  for (const [bucket, count] of own.entries()) {
    const [from, to] = [bounds[bucket - 1] ?? 0, bounds[bucket]];
    if (to === undefined) return from;
    if (count >= left && count > 0) return from + ((to - from) * left) / count;
    left -= count;
  }
  return undefined;
}

/** How many were counted. */
export function latencyCount(latency: Latency, counts: readonly number[]): number {
  const from = LATENCY_OFFSETS[latency];
  return counts.slice(from, from + LATENCY_BOUNDS[latency].length + 1).reduce((sum, count) => sum + count, 0);
}
