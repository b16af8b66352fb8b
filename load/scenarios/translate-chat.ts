/** Streams that are translated from other vendors' forms beside those that pass: CPU of each, and what neighbours feel. */
import { chatRequest } from '../chat-request.ts';
import type { Arrivals, ClosedLoop } from '../driver/job.ts';
import { expectation } from '../expectation.ts';
import { driverShare, measure, percentiles } from '../measure.ts';
import { neighbours } from '../neighbours.ts';
import { type Subject, VENDORS, type Vendor } from '../peers/peer.ts';
import { type Bench, count, cpu, type Scenario, timing } from '../scenario.ts';
import { warmUp } from '../warm-up.ts';

const MODEL = 'mock-burst-100';
const NEIGHBOUR = 'mock-whole';
const CONNECTIONS = 32;
const LOOP_REQUESTS = 4_000;
const LOOP_MS = 4_000;
/** Beside the neighbours: about a quarter of what one thread translates. */
const STREAMS_PER_SECOND = 100;

export const translateChat: Scenario = {
  name: 'translate-chat',
  summary: 'streams of 100 events translated from three forms and passed: CPU of each, p99 of small neighbours',
  models: () => [MODEL, NEIGHBOUR],
  rounds: 3,
  columns: [
    cpu('cpuPassedUs', 'passed CPU µs/stream'),
    ...VENDORS.flatMap((vendor) => [
      cpu(`${vendor}CpuUs`, `${vendor} CPU µs/stream`),
      cpu(`${vendor}TimesPassed`, '× passed', 2),
    ]),
    timing('quietP99Ms', 'neighbours alone p99 ms', 2),
    timing('besidePassedP99Ms', 'beside passed p99 ms', 2),
    timing('besideTranslatedP99Ms', 'beside translated p99 ms', 2),
    count('driverPercent', 'driver %'),
  ],
  unfit: (subject) => (subject.translatedName === undefined ? 'it translates nothing here' : undefined),
  async warmUp(bench, subject) {
    for (const asked of [subject, ...VENDORS.map((vendor) => translated(subject, vendor))])
      await warmUp(bench.driver, await loop(bench, asked));
  },
  async round(bench, subject) {
    const durationMs = bench.settings.durationMs ?? 4000;
    const passed = await measure(bench.driver, subject, await loop(bench, subject));
    const cpuPassedUs = passed.cpuUs / passed.result.completed;
    const figures: Record<string, number> = { cpuPassedUs };
    const voids = [...passed.voids];
    let driverPercent = 0;
    for (const vendor of VENDORS) {
      const made = await measure(bench.driver, subject, await loop(bench, translated(subject, vendor)));
      const cpuUs = made.cpuUs / made.result.completed;
      Object.assign(figures, { [`${vendor}CpuUs`]: cpuUs, [`${vendor}TimesPassed`]: cpuUs / cpuPassedUs });
      voids.push(...made.voids);
      driverPercent = Math.max(driverPercent, driverShare(made.result) * 100);
    }
    const quiet = await measure(bench.neighbour, subject, await neighbours(bench, subject, NEIGHBOUR, durationMs));
    const besidePassed = await beside(bench, subject, subject, durationMs);
    const besideMade = await beside(bench, subject, translated(subject, 'anthropic'), durationMs);
    Object.assign(figures, {
      quietP99Ms: percentiles(quiet.result, 'latency')['latencyP99Us']! / 1000,
      besidePassedP99Ms: besidePassed.p99Ms,
      besideTranslatedP99Ms: besideMade.p99Ms,
      driverPercent,
    });
    return { figures, voids: [...voids, ...quiet.voids, ...besidePassed.voids, ...besideMade.voids] };
  },
};

/** The same subject, asked for models whose provider speaks another form. Its answers are not the mock's bytes. */
function translated(subject: Subject, vendor: Vendor): Subject {
  const { translatedName } = subject;
  const modelName = (model: string): string => translatedName?.(model, vendor) ?? subject.modelName(model);
  return { ...subject, modelName, relaysBytes: false };
}

async function loop(bench: Bench, subject: Subject): Promise<ClosedLoop> {
  return {
    kind: 'closed-loop',
    request: chatRequest(subject, { model: MODEL, stream: true }),
    expect: await expectation(bench, subject, MODEL, 'stream'),
    connections: bench.settings.connections ?? CONNECTIONS,
    requests: bench.settings.requests ?? LOOP_REQUESTS,
    maxMs: LOOP_MS,
    connectionPer: 'run',
  };
}

async function beside(bench: Bench, subject: Subject, flooded: Subject, durationMs: number) {
  const flood: Arrivals = {
    kind: 'arrivals',
    request: chatRequest(flooded, { model: MODEL, stream: true }),
    expect: await expectation(bench, flooded, MODEL, 'stream'),
    perSecond: STREAMS_PER_SECOND,
    durationMs,
  };
  const [near, far] = await Promise.all([
    measure(bench.neighbour, subject, await neighbours(bench, subject, NEIGHBOUR, durationMs)),
    measure(bench.driver, subject, flood),
  ]);
  return {
    p99Ms: percentiles(near.result, 'latency')['latencyP99Us']! / 1000,
    // When exactly a stream of the flood left does not matter, only that it was answered.
    voids: [...near.voids, ...far.voids.filter(({ scope }) => scope === 'all')],
  };
}
