/**
 * Whole answers one at a time, 32 and 512 at once: p50, p99 and p99.9, and beside them how long the busiest thread of the
 * subject waited for a core. A tail that rises with that wait is made by what runs beside the thread, not by the thread.
 */
import { chatRequest } from '../chat-request.ts';
import { expectation } from '../expectation.ts';
import { measure, percentiles } from '../measure.ts';
import type { Subject } from '../peers/peer.ts';
import { busiestThread, threadTimes } from '../proc.ts';
import { type Bench, type Column, count, type Scenario, timing } from '../scenario.ts';
import { warmUp } from '../warm-up.ts';

const MODEL = 'mock-whole';
const CONNECTIONS = [1, 32, 512];
const WARM_UP_REQUESTS = 40_000;
const WARM_UP_MS = 3000;
const ROUND_MS = 4000;

export const tails: Scenario = {
  name: 'tails',
  summary:
    'whole answers on 1, 32 and 512 connections: p50, p99, p99.9 and how long the busiest thread waited for a core',
  models: () => [MODEL],
  rounds: 3,
  columns: CONNECTIONS.flatMap(columnsAt),
  async warmUp(bench, subject) {
    await warmUp(bench.driver, await loop(bench, subject, 32, WARM_UP_REQUESTS, WARM_UP_MS));
  },
  async round(bench, subject) {
    const figures: Record<string, number> = {};
    const voids = [];
    for (const connections of CONNECTIONS) {
      const durationMs = bench.settings.durationMs ?? ROUND_MS;
      const before = subject.pid === undefined ? undefined : threadTimes(subject.pid);
      const job = await loop(bench, subject, connections, Number.MAX_SAFE_INTEGER, durationMs);
      const measured = await measure(bench.driver, subject, job);
      const seconds = measured.result.elapsedMs / 1000;
      const busiest =
        subject.pid === undefined || !before ? undefined : busiestThread(before, threadTimes(subject.pid));
      for (const [name, us] of Object.entries(percentiles(measured.result, 'latency', [50, 99, 99.9]))) {
        figures[`${name}At${connections}`] = us;
      }
      figures[`waitedMsAt${connections}`] = (busiest?.waitedUs ?? Number.NaN) / 1000 / seconds;
      voids.push(...measured.voids);
    }
    return { figures, voids };
  },
};

function columnsAt(connections: number): Column[] {
  return [
    timing(`latencyP50UsAt${connections}`, `${connections} connection${connections === 1 ? '' : 's'}: p50 µs`),
    timing(`latencyP99UsAt${connections}`, 'p99 µs'),
    timing(`latencyP99_9UsAt${connections}`, 'p99.9 µs'),
    count(`waitedMsAt${connections}`, 'waited ms/s', 1),
  ];
}

async function loop(bench: Bench, subject: Subject, connections: number, requests: number, maxMs: number) {
  return {
    kind: 'closed-loop' as const,
    request: chatRequest(subject, { model: MODEL, stream: false }),
    expect: await expectation(bench, subject, MODEL, 'whole'),
    connections,
    requests,
    maxMs,
    connectionPer: 'run' as const,
  };
}
