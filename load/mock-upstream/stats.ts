/** What the mock saw since the start or the last reset: `GET /stats`. */
export type Stats = {
  requests: number;
  /** Requests that have not been answered to the end yet, and the most there were at once. */
  open: number;
  openPeak: number;
  finished: number;
  /** The peer left before its answer was complete. */
  aborted: number;
  /** The mock itself cut the connection (`die`). */
  died: number;
  requestBytes: number;
  contentEvents: number;
  byModel: Record<string, number>;
  /** The last `MAX_ABORTS` aborts. `atUs` is CLOCK_MONOTONIC in µs, comparable between processes of one machine. */
  aborts: { atUs: number; user: string; events: number }[];
};

const MAX_ABORTS = 20_000;

export function emptyStats(open: number): Stats {
  return {
    requests: 0,
    open,
    openPeak: open,
    finished: 0,
    aborted: 0,
    died: 0,
    requestBytes: 0,
    contentEvents: 0,
    byModel: {},
    aborts: [],
  };
}

export function recordAbort(stats: Stats, user: string, events: number): void {
  stats.aborted++;
  if (stats.aborts.length >= MAX_ABORTS) stats.aborts.shift();
  stats.aborts.push({ atUs: Number(process.hrtime.bigint() / 1000n), user, events });
}
