/** A driver process: takes one job at a time over IPC and answers with its result. Ends with the process that forked it. */
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

process.on('message', (job: Job) => {
  run(job).then(
    (result) => send({ result }),
    (error: Error) => send({ failed: error.stack ?? error.message }),
  );
});
process.once('disconnect', () => process.exit(0));
