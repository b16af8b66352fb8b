import type { Driver } from './driver/driver.ts';
import type { Job } from './driver/job.ts';

/**
 * With one run, however long, the first measured rounds of Sluice cost up to a third more than all later ones:
 * when its clients leave for the first time, V8 throws away code that assumed they never do, and compiles it anew.
 */
const RUNS = 3;
const DEADLINE_MS = 60_000;

/** Until the subject is as fast as it stays; what it answers is not looked at. */
export async function warmUp(driver: Driver, job: Job): Promise<void> {
  for (let run = 0; run < RUNS; run += 1) await driver.run(job, DEADLINE_MS);
}
