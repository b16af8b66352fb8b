/** A driver process: takes one job at a time over IPC and answers with its result. Ends with the process that forked it. */
import { setPriority } from 'node:os';
import { arrivals } from './arrivals.ts';
import { closedLoop } from './closed-loop.ts';
import { interleaved } from './interleaved.ts';
import type { DriverMessage, Job, JobResult } from './job.ts';
import { leavers } from './leavers.ts';
import { nonReaders } from './non-readers.ts';
import { streams } from './streams.ts';

function send(message: DriverMessage): void {
  process.send?.(message);
}

function run(job: Job): Promise<JobResult> {
  const onAllOpen = (): void => send({ event: 'all-open' });
  switch (job.kind) {
    case 'closed-loop':
      return closedLoop(job);
    case 'arrivals':
      return arrivals(job);
    case 'interleaved':
      return interleaved(job);
    case 'streams':
      return streams(job, onAllOpen);
    case 'leavers':
      return leavers(job);
    case 'non-readers':
      return nonReaders(job, onAllOpen);
  }
}

/**
 * A neighbour sends a hundred requests a second and is asked when each was answered. On two busy cores it would measure
 * how long the scheduler kept it waiting. Where the system does not allow a higher priority it goes on without.
 */
if (process.argv.includes('--first')) {
  try {
    setPriority(-15);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SYSTEM_ERROR') throw error;
  }
}

process.on('message', (job: Job) => {
  run(job).then(
    (result) => send({ result }),
    (error: Error) => send({ failed: error.stack ?? error.message }),
  );
});
process.once('disconnect', () => process.exit(0));
