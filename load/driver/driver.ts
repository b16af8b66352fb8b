/** A driver process seen from the command: `run` gives it a job and waits for the result, bounded in time. */
import { fileURLToPath } from 'node:url';
import { type Child, logTail, startChild, stopChild } from '../child.ts';
import type { DriverMessage, Job, JobResult } from './job.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

export type Driver = {
  /** Rejects when the driver dies or `deadlineMs` is over. */
  run(job: Job, deadlineMs: number, onAllOpen?: () => void): Promise<JobResult>;
  stop(): Promise<void>;
};

export function startDriver(name: 'driver' | 'neighbour', folder: string): Driver {
  const args = name === 'neighbour' ? [MAIN, '--first'] : [MAIN];
  const child = startChild({ name, folder, command: process.execPath, args, extraStdio: ['ipc'] });
  return {
    run: (job, deadlineMs, onAllOpen) => runJob(child, job, deadlineMs, onAllOpen),
    stop: () => stopChild(child),
  };
}

function runJob(child: Child, job: Job, deadlineMs: number, onAllOpen?: () => void): Promise<JobResult> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      child.process.off('message', onMessage);
      child.process.off('exit', onExit);
    };
    const fail = (reason: string): void => {
      settle();
      reject(new Error(`driver '${child.name}', job ${job.kind}: ${reason}`));
    };
    const onMessage = (message: DriverMessage): void => {
      if ('event' in message) onAllOpen?.();
      else if ('failed' in message) fail(message.failed);
      else {
        settle();
        resolve(message.result);
      }
    };
    const onExit = (): void => fail(`ended\n${logTail(child)}`);
    const timer = setTimeout(() => fail(`no result in ${deadlineMs} ms`), deadlineMs);
    child.process.on('message', onMessage);
    child.process.on('exit', onExit);
    child.process.send(job);
  });
}
