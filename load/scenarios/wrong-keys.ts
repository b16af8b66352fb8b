/** A flood of wrong keys next to good ones: what a refusal costs, and what it does to those who may. */
import { chatRequest } from '../chat-request.ts';
import type { ClosedLoop } from '../driver/job.ts';
import { measure, percentiles } from '../measure.ts';
import { neighbours } from '../neighbours.ts';
import type { Subject } from '../peers/peer.ts';
import { type Bench, count, cpu, type Scenario, timing, type Void } from '../scenario.ts';

const MODEL = 'mock-whole';
const WRONG_KEY = 'sk-wrong-ffffffffffffffffffffffffffffffff';
/** Each refusal closes its connection; few at once keep the machine's two cores from being the subject. */
const CONNECTIONS = 4;

export const wrongKeys: Scenario = {
  name: 'wrong-keys',
  summary: "a flood of wrong keys next to good ones: CPU per refusal, the good ones' p99 with and without",
  models: () => [MODEL],
  rounds: 3,
  columns: [
    timing('refusalsPerSecond', 'refusals/s'),
    cpu('cpuPerRefusalUs', 'CPU µs/refusal', 1),
    timing('quietP50Ms', 'good keys alone p50 ms', 2),
    timing('quietP99Ms', 'p99 ms', 2),
    timing('besideP50Ms', 'beside the flood p50 ms', 2),
    timing('besideP99Ms', 'p99 ms', 2),
    timing('addedP99Ms', 'added p99 ms', 2),
    count('reachedProvider', 'reached provider'),
  ],
  unfit: (subject) => (subject.checksKeys ? undefined : 'checks no keys'),
  async warmUp(bench, subject) {
    await bench.driver.run(flood(bench, subject, 1000, 3000), 30_000);
  },
  async round(bench, subject) {
    const durationMs = bench.settings.durationMs ?? 3000;
    await bench.mock.reset();
    const refused = await measure(bench.driver, subject, flood(bench, subject, bench.settings.requests ?? 8000, 5000));
    const { requests } = await bench.mock.stats();
    const quiet = await measure(bench.neighbour, subject, await neighbours(bench, subject, MODEL, durationMs));
    const [beside, flooding] = await Promise.all([
      measure(bench.neighbour, subject, await neighbours(bench, subject, MODEL, durationMs)),
      measure(bench.driver, subject, flood(bench, subject, Number.MAX_SAFE_INTEGER, durationMs)),
    ]);
    const quietTimes = percentiles(quiet.result, 'latency');
    const besideTimes = percentiles(beside.result, 'latency');
    return {
      figures: {
        refusalsPerSecond: (refused.result.completed / refused.result.elapsedMs) * 1000,
        cpuPerRefusalUs: refused.cpuUs / refused.result.completed,
        quietP50Ms: quietTimes['latencyP50Us']! / 1000,
        quietP99Ms: quietTimes['latencyP99Us']! / 1000,
        besideP50Ms: besideTimes['latencyP50Us']! / 1000,
        besideP99Ms: besideTimes['latencyP99Us']! / 1000,
        addedP99Ms: (besideTimes['latencyP99Us']! - quietTimes['latencyP99Us']!) / 1000,
        reachedProvider: requests,
      },
      // CPU is read off the first job only: that the others use little of it voids nothing.
      voids: [...refused.voids, ...[quiet, beside, flooding].flatMap(({ voids }) => voids.filter(notOfCpu))],
    };
  },
};

function notOfCpu({ scope }: Void): boolean {
  return scope !== 'cpu';
}

function flood(bench: Bench, subject: Subject, requests: number, maxMs: number): ClosedLoop {
  const headers = { authorization: `Bearer ${WRONG_KEY}` };
  return {
    kind: 'closed-loop',
    request: chatRequest(subject, { model: MODEL, stream: false, headers }),
    expect: { status: 401 },
    connections: bench.settings.connections ?? CONNECTIONS,
    requests,
    maxMs,
    connectionPer: 'request',
  };
}
