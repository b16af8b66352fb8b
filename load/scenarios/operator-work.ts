/** What an operator does while requests pass: scrapes, a reload of 10,000 keys, an export. Requests should not feel it. */
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { type ChatLoop, roundOf, warmUpLoop } from '../chat-loop.ts';
import { measure, percentiles } from '../measure.ts';
import { neighbours } from '../neighbours.ts';
import type { Operator, Subject } from '../peers/peer.ts';
import { type Scenario, timing } from '../scenario.ts';

const MODEL = 'mock-whole';
const KEYS = 10_000;
const SCRAPE_EVERY_MS = 50;
const RELOAD_EVERY_MS = 1500;
/** Exchanges that stand in the ledger before the first export. */
const LEDGER: ChatLoop = { model: MODEL, body: 'whole', warmUpRequests: 100_000, roundRequests: 30_000 };

/** Works until told to stop, and resolves with how often it was done. */
type Work = (operator: Operator, stopped: AbortSignal) => Promise<number>;

const WORKS: Record<'scrape' | 'reload' | 'export', { title: string; work: Work }> = {
  scrape: { title: `a scrape every ${SCRAPE_EVERY_MS} ms`, work: scrape },
  reload: { title: `reloads of ${KEYS.toLocaleString('en')} keys`, work: reload },
  export: { title: 'exports of the ledger', work: exportLedger },
};

export const operatorWork: Scenario = {
  name: 'operator-work',
  summary: '100 small requests a second beside scrapes, reloads of 10,000 keys, and exports: their p50 and p99',
  models: () => [MODEL],
  rounds: 3,
  columns: [
    timing('quietP50Us', 'alone p50 µs'),
    timing('quietP99Us', 'p99 µs'),
    ...Object.entries(WORKS).flatMap(([key, { title }]) => [
      timing(`${key}P50Us`, `beside ${title}: p50 µs`),
      timing(`${key}P99Us`, 'p99 µs'),
      timing(`${key}Count`, 'times'),
    ]),
  ],
  unfit: (subject) => (subject.operator === undefined ? `${subject.name} has no operator port` : undefined),
  async warmUp(bench, subject) {
    await warmUpLoop(bench, subject, LEDGER);
    await bench.driver.run(await roundOf(bench, subject, LEDGER), 60_000);
  },
  async round(bench, subject) {
    const durationMs = bench.settings.durationMs ?? 5000;
    const measureBeside = async (work: (stopped: AbortSignal) => Promise<number>) => {
      const stop = new AbortController();
      const working = work(stop.signal);
      try {
        const measured = await measure(bench.neighbour, subject, await neighbours(bench, subject, MODEL, durationMs));
        stop.abort();
        return { times: percentiles(measured.result, 'latency'), voids: measured.voids, count: await working };
      } finally {
        stop.abort();
        await working.catch(() => undefined);
      }
    };
    const quiet = await measureBeside(async () => 0);
    const figures: Record<string, number> = named('quiet', quiet.times);
    const voids = [...quiet.voids];
    for (const [key, { work }] of Object.entries(WORKS)) {
      const beside = await measureBeside((stopped) => work(operatorOf(subject), stopped));
      Object.assign(figures, named(key, beside.times), { [`${key}Count`]: beside.count });
      voids.push(...beside.voids);
    }
    return { figures, voids: voids.filter(({ scope }) => scope !== 'cpu') };
  },
};

function operatorOf({ operator, name }: Subject): Operator {
  if (operator === undefined) throw new Error(`${name} has no operator port`);
  return operator;
}

function named(key: string, times: Record<string, number>): Record<string, number> {
  return { [`${key}P50Us`]: times['latencyP50Us']!, [`${key}P99Us`]: times['latencyP99Us']! };
}

async function scrape({ url }: Operator, stopped: AbortSignal): Promise<number> {
  let done = 0;
  for (; !stopped.aborted; done++) {
    const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(10_000) });
    await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`/metrics answered ${answer.status}`);
    await delay(SCRAPE_EVERY_MS);
  }
  return done;
}

async function reload({ reloadWithKeys }: Operator, stopped: AbortSignal): Promise<number> {
  let done = 0;
  for (; !stopped.aborted; done++) {
    // Each differs from the one before by one key, so that none is skipped as unchanged.
    reloadWithKeys(KEYS + (done % 2));
    await delay(RELOAD_EVERY_MS);
  }
  reloadWithKeys(0);
  return done;
}

async function exportLedger({ exportCommand }: Operator, stopped: AbortSignal): Promise<number> {
  let done = 0;
  for (; !stopped.aborted; done++) {
    const { command, args, ...where } = exportCommand;
    const child = spawn(command, args, { ...where, stdio: ['ignore', 'ignore', 'inherit'] });
    const kill = (): void => void child.kill('SIGTERM');
    stopped.addEventListener('abort', kill, { once: true });
    const code = await new Promise((resolve) => child.once('close', resolve));
    stopped.removeEventListener('abort', kill);
    if (code !== 0 && !stopped.aborted) throw new Error(`the export ended with ${code}`);
  }
  return done;
}
