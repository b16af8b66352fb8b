/** Runs a job against a subject and reads off what every scenario wants: CPU of the subject, memory, times, voids. */
import type { Driver } from './driver/driver.ts';
import type { Job, JobResult } from './driver/job.ts';
import type { Subject } from './peers/peer.ts';
import { sample, watchRss } from './proc.ts';
import { Recorder } from './recorder.ts';
import type { Void } from './scenario.ts';

/** Above this share of one core the driver is what is being measured. */
const DRIVER_SATURATED = 0.95;
/** Requests that start later than this, at p99, tell of the driver and not of the subject. */
const MAX_LATENESS_US = 5000;
/** /proc counts in ticks of 10 ms: with fewer than this much the count is off by more than 5 %. */
const MIN_CPU_US = 200_000;
const RSS_WATCH_MS = 100;
/** Bound of any single job; scenarios stay well below it. */
const DEADLINE_MS = 180_000;

export type Measured = {
  result: JobResult;
  /** CPU of the subject's process tree, µs; NaN for direct. */
  cpuUs: number;
  rssBefore: number;
  rssAfter: number;
  rssPeak: number;
  /** RSS at the moment all streams were open; NaN when the job does not report it. */
  rssAllOpen: number;
  voids: Void[];
};

export async function measure(driver: Driver, subject: Subject, job: Job): Promise<Measured> {
  const { pid } = subject;
  let rssAllOpen = Number.NaN;
  const watch = pid === undefined ? undefined : watchRss(pid, RSS_WATCH_MS);
  const before = pid === undefined ? undefined : sample(pid);
  try {
    const result = await driver.run(job, DEADLINE_MS, () => {
      if (pid !== undefined) rssAllOpen = sample(pid).rssBytes;
    });
    const after = pid === undefined ? undefined : sample(pid);
    const voids = voidsOf(result);
    if (before && after) voids.push(...cpuVoids(after.rssBytes, after.cpuUs - before.cpuUs));
    return {
      result,
      cpuUs: (after?.cpuUs ?? Number.NaN) - (before?.cpuUs ?? Number.NaN),
      rssBefore: before?.rssBytes ?? Number.NaN,
      rssAfter: after?.rssBytes ?? Number.NaN,
      rssPeak: watch?.stop() ?? Number.NaN,
      rssAllOpen,
      voids,
    };
  } finally {
    watch?.stop();
  }
}

function cpuVoids(rssBytes: number, cpuUs: number): Void[] {
  if (rssBytes === 0) return [{ scope: 'all', reason: 'its process ended' }];
  if (cpuUs >= MIN_CPU_US) return [];
  return [{ scope: 'cpu', reason: `only ${cpuUs / 1000} ms of CPU in all, too little to count in ticks` }];
}

function voidsOf(result: JobResult): Void[] {
  const voids: Void[] = Object.entries(result.errors).map(([reason, count]) => ({
    scope: 'all',
    reason: `${count} × ${reason}`,
  }));
  const share = driverShare(result);
  if (share > DRIVER_SATURATED) {
    voids.push({ scope: 'timing', reason: `driver saturated (${Math.round(share * 100)} % of a core)` });
  }
  const lateUs = percentiles(result, 'lateness')['latenessP99Us'] ?? Number.NaN;
  if (lateUs > MAX_LATENESS_US) {
    voids.push({ scope: 'timing', reason: `driver started requests ${(lateUs / 1000).toFixed(1)} ms late at p99` });
  }
  return voids;
}

export function driverShare(result: JobResult): number {
  return result.driverCpuUs / 1000 / result.elapsedMs;
}

/** Percentiles of a recorded time as `NAMEP50Us`, `NAMEP99Us`; 99.9 as `NAMEP99_9Us`. */
export function percentiles(
  result: JobResult,
  name: string,
  percents: readonly number[] = [50, 99],
): Record<string, number> {
  const data = result.times[name];
  const recorder = data ? Recorder.from(data) : new Recorder();
  return Object.fromEntries(
    percents.map((percent) => [`${name}P${String(percent).replace('.', '_')}Us`, recorder.percentile(percent)]),
  );
}

export function megabytes(bytes: number): number {
  return bytes / (1024 * 1024);
}
