/** Collects what a job sees, and closes the books with elapsed time and the driver's own CPU. */
import { Recorder } from '../recorder.ts';
import type { Expectation, JobResult } from './job.ts';

const MAX_REASONS = 20;

export class Tally {
  completed = 0;
  readonly #errors: Record<string, number> = {};
  readonly #times: Record<string, Recorder> = {};
  readonly counts: Record<string, number> = {};
  readonly #startCpu = process.cpuUsage();
  readonly #startMs = performance.now();
  #endMs = 0;

  times(name: string): Recorder {
    this.#times[name] ??= new Recorder();
    return this.#times[name];
  }

  error(reason: string): void {
    const known = reason in this.#errors || Object.keys(this.#errors).length < MAX_REASONS;
    const key = known ? reason : 'other';
    this.#errors[key] = (this.#errors[key] ?? 0) + 1;
  }

  /** Counts an answer as complete or as an error. */
  judge(expect: Expectation, status: number, bodyBytes: number): void {
    this.#endMs = performance.now();
    if (status !== expect.status) this.error(`status ${status}`);
    else if (expect.bodyBytes !== undefined && bodyBytes !== expect.bodyBytes) {
      this.error(`body of ${bodyBytes} bytes instead of ${expect.bodyBytes}`);
    } else this.completed++;
  }

  /** `elapsedMs` ends with the last answer, where there was one. */
  result(): JobResult {
    const cpu = process.cpuUsage(this.#startCpu);
    return {
      completed: this.completed,
      errors: this.#errors,
      elapsedMs: (this.#endMs || performance.now()) - this.#startMs,
      driverCpuUs: cpu.user + cpu.system,
      times: Object.fromEntries(Object.entries(this.#times).map(([name, recorder]) => [name, recorder.toData()])),
      counts: this.counts,
    };
  }
}

export function nowUs(): number {
  return performance.now() * 1000;
}

/** CLOCK_MONOTONIC in µs, comparable between processes of one machine. */
export function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
