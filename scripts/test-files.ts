import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestOutcome } from './test-outcomes.ts';

const STRIPPED_TYPES = fileURLToPath(new URL('../test/support/stripped-types.js', import.meta.url));
const REPORTER = fileURLToPath(new URL('test-outcomes.ts', import.meta.url));
/** Beyond the timeout of a file: the runner ends it with SIGTERM, which a blocked event loop does not hear. */
const GRACE_MS = 30_000;

export interface TestFiles {
  /** In whose folder they are, and are run. */
  readonly root: string;
  /** Relative to `root`. */
  readonly files: readonly string[];
  /** Files that run beside each other, each in a process of its own. */
  readonly atOnce: number;
  /** The most that one file may take. */
  readonly timeoutMs: number;
  readonly graceMs?: number;
  /** Default: what the tests report goes to our own output. */
  readonly output?: 'inherit' | 'ignore';
}

/** What came of one run. */
export interface TestResult {
  /** Those that did not say that they passed, in the order in which they were given. */
  readonly failed: string[];
  /** Milliseconds of each file that came to its end. */
  readonly took: ReadonlyMap<string, number>;
}

/**
 * Runs test files under `node --test`. It always ends: where no file has ended for the timeout of one and a grace, the
 * runner, its files and what they started are killed, and whatever has not passed by then has failed.
 */
export async function runTestFiles(options: TestFiles): Promise<TestResult> {
  const { root, files, timeoutMs, graceMs = GRACE_MS } = options;
  const names = new Map(files.map((file) => [resolve(root, file), file]));
  const passed = new Set<string>();
  const faulty = new Set<string>();
  const took = new Map<string, number>();
  let code: number | null = 0;
  if (files.length > 0) {
    const runner = start(options);
    const silence = setTimeout(() => killGroup(runner), timeoutMs + graceMs);
    runner.on('message', ({ file, passed: isGood, ms }: TestOutcome) => {
      const name = names.get(file);
      if (name === undefined) return;
      silence.refresh();
      if (ms !== undefined) took.set(name, ms);
      (isGood ? passed : faulty).add(name);
    });
    const end = (): void => {
      killGroup(runner);
      process.exit(130);
    };
    process.once('SIGINT', end).once('SIGTERM', end);
    // 'close' comes behind the last message, 'exit' may come before it.
    await once(runner, 'close');
    clearTimeout(silence);
    process.off('SIGINT', end).off('SIGTERM', end);
    code = runner.exitCode;
  }
  const failed = files.filter((file) => !passed.has(file) || faulty.has(file));
  // A fault of the runner itself is nobody's: every file is to be looked at again.
  return { failed: failed.length === 0 && code !== 0 ? [...files] : failed, took };
}

/** In a process group of its own, so that all of it can be killed. */
function start({ root, files, atOnce, timeoutMs, output = 'inherit' }: TestFiles): ChildProcess {
  const reporter = process.stdout.isTTY ? 'spec' : 'tap';
  const words = ['--import', STRIPPED_TYPES, '--test', `--test-concurrency=${atOnce}`, `--test-timeout=${timeoutMs}`];
  for (const each of [reporter, REPORTER]) words.push(`--test-reporter=${each}`, '--test-reporter-destination=stdout');
  // A test that runs tests is no part of the outer run.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const stdio = ['ignore', output, output, 'ipc'] as const;
  return spawn(process.execPath, [...words, ...files], { cwd: root, env, stdio: [...stdio], detached: true });
}

function killGroup({ pid }: ChildProcess): void {
  try {
    process.kill(-pid!, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}
