/** What an operator does while requests pass: scrapes, reloads of 10,000 keys and 500 rules, exports. Requests should not feel it. */
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { type ChatLoop, closedLoop, warmUpLoop } from '../chat-loop.ts';
import { chatRequest, fetchOnce } from '../chat-request.ts';
import { measure, percentiles } from '../measure.ts';
import { neighbours } from '../neighbours.ts';
import type { Operator, Subject } from '../peers/peer.ts';
import { type Scenario, timing } from '../scenario.ts';

const MODEL = 'mock-whole';
const KEYS = 10_000;
const RULES = 500;
/** Each has 26 series, of counters and of buckets of a histogram: more than 5,000 lines in a scrape. */
const SERIES_MODELS = Array.from({ length: 200 }, (_, at) => `mock-size-${1000 + at}b`);
const MIN_LINES = 5_000;
const SCRAPE_EVERY_MS = 50;
/** A thousand requests beside each work: p99.9 is the worst of them. */
const ROUND_MS = 10_000;
const RELOAD_EVERY_MS = 1500;
const LOOP: ChatLoop = { model: MODEL, body: 'whole', warmUpRequests: 100_000, roundRequests: 30_000 };
/** Exchanges that stand in the ledger before the first export, where --requests says nothing else. */
const LEDGER_ROWS = 130_000;
/** A job of those that fill the ledger. */
const FILL = { requests: 100_000, maxMs: 50_000, mostJobs: 40 };

/** Works until told to stop, and resolves with how often it was done. */
type Work = (operator: Operator, stopped: AbortSignal) => Promise<number>;

const WORKS: Record<'scrape' | 'reload' | 'export', { title: string; work: Work }> = {
  scrape: { title: `a scrape of 5,000 lines every ${SCRAPE_EVERY_MS} ms`, work: scrape },
  reload: { title: `reloads of ${KEYS.toLocaleString('en')} keys and ${RULES} rules`, work: reload },
  export: { title: 'exports of the ledger', work: exportLedger },
};

export const operatorWork: Scenario = {
  name: 'operator-work',
  summary:
    '100 small requests a second beside scrapes of 5,000 lines, reloads of 10,000 keys and 500 rules, and exports: their tails',
  models: () => [MODEL, ...SERIES_MODELS],
  rounds: 3,
  columns: [
    timing('quietP50Us', 'alone p50 µs'),
    timing('quietP99Us', 'p99 µs'),
    timing('quietP99_9Us', 'p99.9 µs'),
    ...Object.entries(WORKS).flatMap(([key, { title }]) => [
      timing(`${key}P50Us`, `beside ${title}: p50 µs`),
      timing(`${key}P99Us`, 'p99 µs'),
      timing(`${key}P99_9Us`, 'p99.9 µs'),
      timing(`${key}Count`, 'times'),
    ]),
  ],
  unfit: (subject) => (subject.operator === undefined ? `${subject.name} has no operator port` : undefined),
  async warmUp(bench, subject) {
    await warmUpLoop(bench, subject, LOOP);
    for (const model of SERIES_MODELS) await fetchOnce(chatRequest(subject, { model, stream: false }));
    const rows = bench.settings.requests ?? LEDGER_ROWS;
    for (let job = 0, done = 0; done < rows && job < FILL.mostJobs; job += 1) {
      const { requests, maxMs } = FILL;
      const loop = await closedLoop(bench, subject, LOOP, Math.min(requests, rows - done), maxMs);
      done += (await bench.driver.run(loop, maxMs + 10_000)).completed;
    }
  },
  async round(bench, subject) {
    const durationMs = bench.settings.durationMs ?? ROUND_MS;
    const measureBeside = async (work: (stopped: AbortSignal) => Promise<number>) => {
      const stop = new AbortController();
      const working = work(stop.signal);
      try {
        const measured = await measure(bench.neighbour, subject, await neighbours(bench, subject, MODEL, durationMs));
        stop.abort();
        return {
          times: percentiles(measured.result, 'latency', [50, 99, 99.9]),
          voids: measured.voids,
          count: await working,
        };
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
  return {
    [`${key}P50Us`]: times['latencyP50Us']!,
    [`${key}P99Us`]: times['latencyP99Us']!,
    [`${key}P99_9Us`]: times['latencyP99_9Us']!,
  };
}

async function scrape({ url }: Operator, stopped: AbortSignal): Promise<number> {
  let done = 0;
  for (; !stopped.aborted; done++) {
    const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(10_000) });
    const lines = (await answer.text()).split('\n').length;
    if (!answer.ok || lines < MIN_LINES) throw new Error(`/metrics answered ${answer.status} with ${lines} lines`);
    await delay(SCRAPE_EVERY_MS);
  }
  return done;
}

async function reload({ reloadWith }: Operator, stopped: AbortSignal): Promise<number> {
  let done = 0;
  for (; !stopped.aborted; done++) {
    // Each differs from the one before by a key and a rule, so that relay threads get all of it.
    reloadWith({ keys: KEYS + (done % 2), rules: RULES + (done % 2) });
    await delay(RELOAD_EVERY_MS);
  }
  reloadWith({ keys: 0, rules: 0 });
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
