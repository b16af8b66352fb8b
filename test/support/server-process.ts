import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';

/** A server program of its own for one test file. Nothing of it outlives the test's process. */
export interface ServerProcess extends AsyncDisposable {
  readonly port: number;
  /** Not running; who asks is refused the connection. */
  stop(): Promise<void>;
  /** On the same port, with the same data. */
  start(): Promise<void>;
  /** There, but silent: connections are taken and nothing is answered. */
  pause(): void;
  resume(): void;
}

export interface ServerProgram {
  readonly binary: string;
  readonly arguments: readonly string[];
  readonly port: number;
  /** Removed at the end. */
  readonly folder: string;
  /** Ends it without waiting for its clients. */
  readonly stopSignal: NodeJS.Signals;
  readonly owner?: Owner | undefined;
  /** One attempt; rejects until the server answers. */
  answers(): Promise<void>;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const START_DEADLINE_MS = 30_000;
const MAX_OUTPUT_CHARACTERS = 20_000;

/** A test that runs out of its time is ended by a signal, and what it started must not outlive it. */
const running = new Map<ChildProcess, string>();
process.once('exit', () => {
  for (const [child, folder] of running) {
    // Those of a paused server would not notice that it is gone.
    signalTree(child, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(143));

export async function startServer(program: ServerProgram): Promise<ServerProcess> {
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = await startOnce(program);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    signalTree(child, 'SIGCONT');
    child.kill(signal);
    await exited;
  };
  await start();
  return {
    port: program.port,
    start,
    stop: () => end(program.stopSignal),
    pause: () => signalTree(child, 'SIGSTOP'),
    resume: () => signalTree(child, 'SIGCONT'),
    [Symbol.asyncDispose]: async () => {
      await end(program.stopSignal);
      rmSync(program.folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function startOnce(program: ServerProgram): Promise<ChildProcess> {
  const child = spawn(program.binary, program.arguments, {
    cwd: program.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...program.owner,
  });
  running.set(child, program.folder);
  child.once('exit', () => running.delete(child));
  let output = '';
  const keep = (data: Buffer): void => {
    output = (output + data.toString()).slice(-MAX_OUTPUT_CHARACTERS);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${program.binary} ended with ${code}:\n${output}`)));
  });
  failed.catch(() => {});
  const giveUpAt = performance.now() + START_DEADLINE_MS;
  for (;;) {
    try {
      await Promise.race([failed, program.answers()]);
      return child;
    } catch (error) {
      const ended = child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
      if (ended || performance.now() > giveUpAt) {
        child.kill('SIGKILL');
        throw new Error(`${program.binary} does not answer: ${(error as Error).message}\n${output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Below those that systems give to whoever asks for any port, and to connections that go out. */
const CHOSEN_PORTS = { first: 15_000, count: 16_000 };

/**
 * A program that cannot be told to find a port itself gets this one. No neighbour is given it between now and its
 * start: listeners at 0 get others, and two that choose hardly choose the same of so many.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = CHOSEN_PORTS.first + randomInt(CHOSEN_PORTS.count);
    const server = createServer().listen({ port, host: '127.0.0.1', exclusive: true });
    try {
      await once(server, 'listening');
    } catch {
      // It is in use: another one.
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** In one of these folders, else in PATH. */
export function findBinary(name: string, folders: readonly string[] = []): string | undefined {
  for (const folder of [...folders, ...(process.env.PATH ?? '').split(delimiter)]) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this one.
    }
  }
  return undefined;
}

/**
 * The value of `{ skip: … }`: why a test cannot run on a machine without the program. In the pipeline nothing is
 * skipped: there the test runs, and fails for want of it.
 */
export function skipWithout(name: string, binary: string | undefined): string | false {
  if (binary !== undefined || process.env.CI || process.env.SLUICE_CI) return false;
  return `${name} is not installed on this machine`;
}

function signalTree(child: ChildProcess | undefined, signal: NodeJS.Signals): void {
  if (child?.pid === undefined) return;
  for (const pid of [child.pid, ...childrenOf(child.pid)]) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended meanwhile.
    }
  }
}

/** Each connection of PostgreSQL is a process. */
function childrenOf(pid: number): number[] {
  try {
    const pids =
      process.platform === 'linux'
        ? readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
        : execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' });
    return pids.trim().split(/\s+/).filter(Boolean).map(Number);
  } catch {
    // It ended, or has none: pgrep calls that a failure.
    return [];
  }
}
