/**
 * Child processes of one run: started with their output in a file, ended by their own id. Whatever way the run ends,
 * `stopAll` (finally, SIGINT, SIGTERM) or the exit hook leaves none behind.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const STOP_GRACE_MS = 3000;
const POLL_MS = 50;

export type Child = { name: string; pid: number; logFile: string; process: ChildProcess };

export type ChildOptions = {
  name: string;
  command: string;
  args: string[];
  /** Holds the log file `NAME.log`. */
  folder: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Extra descriptors, e.g. 'ipc'. */
  extraStdio?: 'ipc'[];
};

const living = new Set<Child>();

process.once('exit', () => {
  for (const child of living) child.process.kill('SIGKILL');
});

export function startChild(options: ChildOptions): Child {
  const logFile = join(options.folder, `${options.name}.log`);
  const log = openSync(logFile, 'a');
  const process = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: options.env,
    stdio: ['ignore', log, log, ...(options.extraStdio ?? [])],
    serialization: 'advanced',
  });
  closeSync(log);
  const child: Child = { name: options.name, pid: process.pid ?? -1, logFile, process };
  living.add(child);
  process.once('exit', () => living.delete(child));
  process.once('error', () => living.delete(child));
  return child;
}

/** Resolves once `isReady` says so; throws with the end of the log when the process ends or the time is over. */
export async function untilReady(child: Child, timeoutMs: number, isReady: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + timeoutMs;
  let failure = '';
  child.process.once('error', (error) => {
    failure = error.message;
  });
  while (performance.now() < end) {
    if (failure || hasEnded(child)) throw new Error(`${child.name} did not start: ${failure}\n${logTail(child)}`);
    if (await isReady()) return;
    await delay(POLL_MS);
  }
  throw new Error(`${child.name} was not ready after ${timeoutMs} ms\n${logTail(child)}`);
}

/** Something answers 2xx at the address. */
export function answers(url: string): () => Promise<boolean> {
  return async () => {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(1000) });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false;
    }
  };
}

export async function stopChild(child: Child): Promise<void> {
  if (hasEnded(child) || !living.has(child)) return;
  const ended = new Promise((resolve) => child.process.once('exit', resolve));
  child.process.kill('SIGTERM');
  const timer = setTimeout(() => child.process.kill('SIGKILL'), STOP_GRACE_MS);
  await ended;
  clearTimeout(timer);
}

export async function stopAll(): Promise<void> {
  await Promise.all([...living].map(stopChild));
}

export function hasEnded(child: Child): boolean {
  return child.process.exitCode !== null || child.process.signalCode !== null;
}

export function logTail(child: Child): string {
  return readFileSync(child.logFile, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
}

/** A port that nobody has just now. Another process may take it first; then the child fails to start and says so. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
