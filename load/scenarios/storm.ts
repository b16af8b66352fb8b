/** Four providers behind one virtual model die in every way at once: what is answered, recorded and given back. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Subject } from '../peers/peer.ts';
import { STORM_ADMIN_KEY, STORM_MODEL, STORM_NAMES } from '../peers/sluice-storm.ts';
import { count, type Round, type Scenario, type Void } from '../scenario.ts';
import { askUntil, type Told } from '../storm/clients.ts';
import { startStorm } from '../storm/providers.ts';

const CONNECTIONS = 64;
const DURATION_MS = 60_000;
/** Spread evenly over the storm: each is one request. */
const MAX_RECEIPTS = 2_000;
const SETTLED_MS = 20_000;

export const storm: Scenario = {
  name: 'storm',
  summary: 'four targets that refuse, fail, limit, hang, are cut, empty or wrong at random, for a minute',
  models: () => [],
  rounds: 1,
  columns: [
    count('asked', 'asked'),
    count('whole', 'whole, of one target'),
    count('errors', 'the right error'),
    count('cut', 'cut after content'),
    count('wrong', 'wrong'),
    count('rows', 'rows in the ledger'),
    count('receipts', 'receipts read'),
    count('hops', 'of several hops'),
    count('inFlight', 'slots not back'),
    count('reservations', 'reservations not back'),
    count('up', 'targets up after it'),
  ],
  unfit: (subject) =>
    subject.storm === undefined ? `${subject.name} has no providers that can be shot down` : undefined,
  async round(bench, subject) {
    const ports = subject.storm!;
    const { isOver, close } = await startStorm(ports, bench.settings.durationMs ?? DURATION_MS);
    try {
      const told = await askUntil(subject, STORM_MODEL, bench.settings.connections ?? CONNECTIONS, isOver);
      return await judge(subject, told);
    } finally {
      await close();
    }
  },
};

async function judge(subject: Subject, told: readonly Told[]): Promise<Round> {
  const of = (kind: Told['kind']): number => told.filter((each) => each.kind === kind).length;
  const settled = await untilSettled(subject, told.length);
  const read = await readReceipts(subject, told);
  const up = await untilUp(subject);
  const figures = {
    asked: told.length,
    whole: of('whole'),
    errors: of('error'),
    cut: of('cut'),
    wrong: of('wrong'),
    ...settled,
    receipts: read.receipts,
    hops: read.hops,
    up,
  };
  const faults = [
    ...told.flatMap(({ kind, why }) => (kind === 'wrong' ? [why ?? ''] : [])).slice(0, 5),
    ...read.faults.slice(0, 5),
    ...(settled.rows === told.length ? [] : [`${settled.rows} rows of ${told.length} requests`]),
    ...(settled.inFlight + settled.reservations === 0 ? [] : ['something was not given back']),
    ...(up === STORM_NAMES.length ? [] : [`${up} targets came back`]),
  ];
  // The figures say what is wrong, so they stay readable.
  const voids: Void[] = [];
  return { figures, voids, notes: faults.length === 0 ? ['everything is as it should be'] : faults };
}

async function untilSettled(subject: Subject, asked: number) {
  const end = performance.now() + SETTLED_MS;
  for (;;) {
    const metrics = await metricsOf(subject);
    const now = {
      rows: metrics('sluice_ledger_rows_total'),
      inFlight: metrics('sluice_in_flight'),
      reservations: metrics('sluice_reservations_open'),
    };
    const isSettled = now.rows >= asked && now.inFlight + now.reservations === 0;
    if (isSettled || performance.now() > end) return now;
    await delay(250);
  }
}

/** Each receipt must tell one hop for each attempt before the last. */
async function readReceipts(subject: Subject, told: readonly Told[]) {
  const ids = told.flatMap(({ id }) => (id === '' ? [] : [id]));
  const step = Math.max(1, Math.ceil(ids.length / MAX_RECEIPTS));
  const faults: string[] = [];
  let receipts = 0;
  let hops = 0;
  for (let at = 0; at < ids.length; at += step) {
    const response = await admin(subject, `/admin/receipts/${ids[at]}`);
    if (response.status !== 200) {
      faults.push(`no receipt of ${ids[at]}: ${response.status}`);
      await response.arrayBuffer();
      continue;
    }
    receipts += 1;
    const { route } = (await response.json()) as { route?: { attempts?: number; failed_attempts?: unknown[] } };
    const { attempts = 0, failed_attempts: failed = [] } = route ?? {};
    if (failed.length > 0) hops += 1;
    if (attempts > 0 && failed.length !== attempts - 1) {
      faults.push(`${ids[at]} made ${attempts} attempts, and its receipt tells ${failed.length} hops before the last`);
    }
  }
  return { receipts, hops, faults };
}

/** They come back by being asked: the storm is over. */
async function untilUp(subject: Subject): Promise<number> {
  const end = performance.now() + SETTLED_MS;
  for (;;) {
    await askUntil(subject, STORM_MODEL, 4, delay(250));
    const up = (await metricsOf(subject))('sluice_target_up');
    if (up === STORM_NAMES.length || performance.now() > end) return up;
  }
}

function admin({ operator }: Subject, path: string): Promise<Response> {
  return fetch(`${operator?.url}${path}`, {
    headers: { authorization: `Bearer ${STORM_ADMIN_KEY}` },
    signal: AbortSignal.timeout(10_000),
  });
}

/** Sums of a metric over its labels. */
async function metricsOf(subject: Subject): Promise<(name: string) => number> {
  const text = await (await admin(subject, '/metrics')).text();
  return (name) =>
    text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
