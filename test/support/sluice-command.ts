import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

const root = join(import.meta.dirname, '../..');

/** `sluice` from its sources, in any folder: types are stripped, and code is compiled, once for all of the tests. */
export const SLUICE = [
  process.execPath,
  '--import',
  join(root, 'test/support/compile-cache.js'),
  '--import',
  join(root, 'scripts/strip-types.js'),
  join(root, 'src/main.ts'),
] as const;

const MAX_RUN_MS = 60_000;

/** A command that has ended. */
export interface RunCommand {
  /** The exit code; a signal's name where one ended it. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

interface Surroundings {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** `sluice …` as a user types it. Rejects only where it could not be started. */
export function sluice(words: readonly string[], { cwd = root, env }: Surroundings = {}): Promise<RunCommand> {
  const [program, ...before] = SLUICE;
  return new Promise((resolve, reject) => {
    execFile(program, [...before, ...words], { cwd, env, timeout: MAX_RUN_MS }, (failed, stdout, stderr) => {
      if (failed && failed.code === undefined && !failed.signal) return reject(failed);
      resolve({ code: failed ? (failed.signal ?? failed.code ?? 1) : 0, stdout, stderr });
    });
  });
}

/** `sluice …` that runs until it is told to end; whoever starts it ends it. */
export function startSluice(
  words: readonly string[],
  { cwd = root, env }: Surroundings = {},
): ChildProcessByStdio<null, Readable, Readable> {
  const [program, ...before] = SLUICE;
  return spawn(program, [...before, ...words], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** What a command prints on standard output, without its line end. Rejects, with what it says, unless it exits with 0. */
export async function sluiceOutput(words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await sluice(words);
  if (code !== 0) throw new Error(`sluice ${words.join(' ')} ended with ${code}: ${stderr}`);
  return stdout.trim();
}
