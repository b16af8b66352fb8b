/**
 * What a bench file exports as `subject`. A task cannot be timed without saying what its result must be: the harness
 * checks every task before it starts the clock, and so does the test suite, so that a fast wrong implementation cannot
 * win.
 */
export interface BenchSubject {
  readonly tasks: readonly BenchTask[];
  /** Throws where the thing that is timed computes something wrong. */
  check(): void;
}

export interface BenchTask {
  readonly name: string;
  /** What one run does so many times: figures are given for one of them. */
  readonly operations: number;
  /** Bytes that one operation reads, where throughput means something. */
  readonly bytes: number | undefined;
  /** Synchronous; its result is used by the harness, so that the compiler cannot leave the work out. */
  run(): unknown;
  check(): void;
}

export interface TaskOptions<Result> {
  readonly name: string;
  readonly operations?: number;
  readonly bytes?: number;
  run(): Result;
  check(result: Result): void;
}

export function task<Result>(options: TaskOptions<Result>): BenchTask {
  const { name, operations = 1, bytes } = options;
  // Twice, because what one run leaves behind must not change the next: it is run millions of times.
  const check = (): void => {
    options.check(options.run());
    options.check(options.run());
  };
  return { name, operations, bytes, run: () => options.run(), check };
}

export function subjectOf(tasks: readonly BenchTask[]): BenchSubject {
  const check = (): void => {
    for (const each of tasks) each.check();
  };
  return { tasks, check };
}
