/** What a start of `npm start` costs, seen from outside: until it is ready, and when it is idle then (Linux). */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Kernel clock ticks of utime and stime: 100 a second on every Linux that Node runs on. */
const TICK_MS = 10;
const READY_MS = 60_000;
/**
 * The garbage of the start is given back a second after it, thread by thread, and later where cores are busy: idle is what
 * has not become less for so long.
 */
const CALM_MS = 3_000;
const LOOK_MS = 250;
const MAX_IDLE_MS = 20_000;

export interface StartCost {
  /** From starting npm to the line that says it is ready. */
  readonly readyMs: number;
  /** CPU time of the gateway until then, all its threads: what other programs do hardly changes it. */
  readonly cpuMs: number;
  /** Resident set of the gateway, without npm, when no exchange came so far. */
  readonly idleMib: number;
}

/** One start of a gateway without configuration, in a data folder of its own. */
export async function measureStart(threads = 1): Promise<StartCost> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-start-'));
  const startedAt = performance.now();
  const npm = spawn('npm', ['start', '--', '--port', '0', '--threads', String(threads), '--data-dir', folder], {
    cwd: root,
    // No account of the person who measures.
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_|_KEY$|^SLUICE_/.test(name))),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    await untilReady(npm);
    const readyMs = performance.now() - startedAt;
    const gateway = childOf(npm);
    const cpuMs = cpuOf(gateway);
    return { readyMs, cpuMs, idleMib: await idleMibOf(gateway) };
  } finally {
    await end(npm);
    await rm(folder, { recursive: true, force: true });
  }
}

/** While `work` runs every core has something to do besides. */
export async function withBusyCores<T>(work: () => Promise<T>): Promise<T> {
  const busy = Array.from({ length: availableParallelism() }, () =>
    spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
  );
  try {
    return await work();
  } finally {
    for (const each of busy) each.kill('SIGKILL');
  }
}

function untilReady(npm: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    const late = setTimeout(() => npm.kill('SIGKILL'), READY_MS);
    npm.stdout?.on('data', (bytes) => {
      output += bytes;
      if (output.includes('Sluice is ready')) resolve();
    });
    npm.once('close', () => {
      clearTimeout(late);
      reject(new Error(`it ended before it was ready, or was not ready within ${READY_MS} ms:\n${output}`));
    });
  });
}

/** The shell that npm starts is replaced by the gateway. */
function childOf({ pid }: ChildProcess): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}

function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The command name stands in parentheses and may hold spaces: fields are counted from the last ')'.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

async function idleMibOf(pid: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  const startedAt = performance.now();
  let lessAt = startedAt;
  for (;;) {
    const now = performance.now();
    const mib = residentMib(pid);
    if (mib < least) {
      least = mib;
      lessAt = now;
    }
    if (now - lessAt > CALM_MS || now - startedAt > MAX_IDLE_MS) return least;
    await delay(LOOK_MS);
  }
}

function residentMib(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kib) / 1024);
}

async function end(npm: ChildProcess): Promise<void> {
  if (npm.exitCode !== null || npm.signalCode !== null) return;
  const exited = once(npm, 'exit');
  npm.kill('SIGTERM');
  await exited;
}
