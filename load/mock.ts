/** The mock upstream seen from the command: its address, and what it counted. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Child, startChild, untilReady } from './child.ts';
import type { Stats } from './mock-upstream/stats.ts';

const MAIN = fileURLToPath(new URL('mock-upstream/main.ts', import.meta.url));
const READY_MS = 10_000;

export type Mock = { url: string; pid: number; stats(): Promise<Stats>; reset(): Promise<void> };

export async function startMock(folder: string): Promise<Mock> {
  const args = [MAIN, '--port', '0'];
  const child = startChild({ name: 'mock-upstream', folder, command: process.execPath, args, extraStdio: ['ipc'] });
  await untilReady(child, READY_MS, async () => addressOf(child) !== undefined);
  const url = addressOf(child) ?? '';
  return {
    url,
    pid: child.pid,
    stats: async () => (await fetch(`${url}/stats`)).json() as Promise<Stats>,
    reset: async () => {
      await (await fetch(`${url}/stats/reset`, { method: 'POST' })).arrayBuffer();
    },
  };
}

function addressOf(child: Child): string | undefined {
  return /listening on (http:\S+)\n/.exec(readFileSync(child.logFile, 'utf8'))?.[1];
}
