/** Somebody has the console open while requests pass: its live tail, and its pages that refresh. Requests should not feel it. */
import { setTimeout as delay } from 'node:timers/promises';
import { type ChatLoop, roundOf, warmUpLoop } from '../chat-loop.ts';
import { measure, percentiles } from '../measure.ts';
import { neighbours } from '../neighbours.ts';
import type { Operator, Subject } from '../peers/peer.ts';
import { count, cpu, type Scenario, timing } from '../scenario.ts';

const MODEL = 'mock-whole';
/** Exchanges that stand in the ledger before the console opens. */
const LEDGER: ChatLoop = { model: MODEL, body: 'whole', warmUpRequests: 100_000, roundRequests: 30_000 };
/** What the overview, the limits and the models refresh every five to ten seconds: asked here each second. */
const REFRESHED = [
  '/admin/usage?by=hour&since=24h&beyond=latencies',
  '/admin/usage?by=model&since=24h&beyond=latencies',
  '/admin/budgets?limit=200',
  '/admin/rate-limits',
  '/admin/targets',
  '/admin/requests?limit=50',
];
const REFRESH_MS = 1_000;

export const openConsole: Scenario = {
  name: 'console',
  summary:
    '100 small requests a second beside an open live console (tail, overview, limits each second): their p50 and p99',
  models: () => [MODEL],
  rounds: 5,
  columns: [
    timing('quietP50Us', 'alone p50 µs'),
    timing('quietP99Us', 'p99 µs'),
    timing('consoleP50Us', 'beside a live console: p50 µs'),
    timing('consoleP99Us', 'p99 µs'),
    cpu('consoleCpuMsPerS', 'CPU ms/s of all threads for it', 1),
    count('consoleCount', 'answers'),
    count('consoleEvents', 'events of its tail'),
  ],
  unfit: ({ name, operator }) =>
    operator?.consoleToken() === undefined ? `${name} has no console that this run may open` : undefined,
  async warmUp(bench, subject) {
    await warmUpLoop(bench, subject, LEDGER);
    await bench.driver.run(await roundOf(bench, subject, LEDGER), 60_000);
    await cookieOf(subject);
  },
  async round(bench, subject) {
    const durationMs = bench.settings.durationMs ?? 5000;
    const measured = async () => measure(bench.neighbour, subject, await neighbours(bench, subject, MODEL, durationMs));
    const quiet = await measured();
    const stop = new AbortController();
    const watching = watch(await cookieOf(subject), operatorOf(subject), stop.signal);
    try {
      const beside = await measured();
      stop.abort();
      const seen = await watching;
      return {
        figures: {
          ...named('quiet', percentiles(quiet.result, 'latency')),
          ...named('console', percentiles(beside.result, 'latency')),
          consoleCpuMsPerS: (beside.cpuUs - quiet.cpuUs) / durationMs,
          consoleCount: seen.answers,
          consoleEvents: seen.events,
        },
        voids: [...quiet.voids, ...beside.voids],
      };
    } finally {
      stop.abort();
      await watching.catch(() => undefined);
    }
  },
};

function named(key: string, times: Record<string, number>): Record<string, number> {
  return { [`${key}P50Us`]: times['latencyP50Us']!, [`${key}P99Us`]: times['latencyP99Us']! };
}

function operatorOf({ operator, name }: Subject): Operator {
  if (operator === undefined) throw new Error(`${name} has no operator port`);
  return operator;
}

/** The token of a start opens one session. */
const cookies = new WeakMap<Subject, Promise<string>>();

function cookieOf(subject: Subject): Promise<string> {
  const known = cookies.get(subject) ?? signIn(operatorOf(subject));
  cookies.set(subject, known);
  return known;
}

async function signIn({ url, consoleToken }: Operator): Promise<string> {
  const answer = await fetch(`${url}/console/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: url },
    body: JSON.stringify({ token: consoleToken() }),
  });
  if (!answer.ok) throw new Error(`the console answered ${answer.status}: ${await answer.text()}`);
  return answer.headers.getSetCookie()[0]?.split(';')[0] ?? '';
}

async function watch(
  cookie: string,
  { url }: Operator,
  stopped: AbortSignal,
): Promise<{ answers: number; events: number }> {
  const headers = { cookie };
  let [answers, events] = [0, 0];
  const tail = async (): Promise<void> => {
    const answer = await fetch(`${url}/admin/requests/tail`, { headers, signal: stopped });
    if (!answer.ok || answer.body === null) throw new Error(`the tail answered ${answer.status}`);
    const decoder = new TextDecoder();
    for await (const piece of answer.body) events += decoder.decode(piece).split('event: request').length - 1;
  };
  const refresh = async (): Promise<void> => {
    while (!stopped.aborted) {
      for (const path of REFRESHED) {
        const answer = await fetch(url + path, { headers, signal: stopped });
        await answer.arrayBuffer();
        if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
        answers += 1;
      }
      await delay(REFRESH_MS, undefined, { signal: stopped });
    }
  };
  const outcomes = await Promise.allSettled([tail(), refresh()]);
  for (const outcome of outcomes) if (outcome.status === 'rejected' && !stopped.aborted) throw outcome.reason;
  return { answers, events };
}
