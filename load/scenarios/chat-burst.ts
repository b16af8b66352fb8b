/** Streams whose chunks come all at once: the cost of one stream of 100 events. */
import { chatRequest } from '../chat-request.ts';
import type { ClosedLoop } from '../driver/job.ts';
import { expectation } from '../expectation.ts';
import { driverShare, measure, percentiles } from '../measure.ts';
import type { Subject } from '../peers/peer.ts';
import { type Bench, count, cpu, type Scenario, timing } from '../scenario.ts';
import { warmUp } from '../warm-up.ts';

const MODEL = 'mock-burst-100';
/** A run of it takes three seconds at the most. */
const WARM_UP = 6_000;

export const chatBurst: Scenario = {
  name: 'chat-burst',
  summary:
    'streams of 100 events sent at once, closed loop on 32 connections: streams/s, first content, CPU per stream',
  models: () => [MODEL],
  rounds: 3,
  costKey: 'cpuPerStreamUs',
  columns: [
    timing('streamsPerSecond', 'streams/s'),
    timing('firstContentP50Us', 'first content p50 µs'),
    timing('firstContentP99Us', 'p99 µs'),
    timing('latencyP50Us', 'whole stream p50 µs'),
    timing('latencyP99Us', 'p99 µs'),
    cpu('cpuPerStreamUs', 'CPU µs/stream'),
    count('driverPercent', 'driver %'),
  ],
  async warmUp(bench, subject) {
    await warmUp(bench.driver, await job(bench, subject, WARM_UP, 3000));
  },
  async round(bench, subject) {
    const { requests, durationMs } = bench.settings;
    const count = requests ?? (durationMs === undefined ? 2000 : Number.MAX_SAFE_INTEGER);
    const measured = await measure(bench.driver, subject, await job(bench, subject, count, durationMs ?? 5000));
    const { result } = measured;
    return {
      figures: {
        streamsPerSecond: (result.completed / result.elapsedMs) * 1000,
        ...percentiles(result, 'firstContent'),
        ...percentiles(result, 'latency'),
        cpuPerStreamUs: measured.cpuUs / result.completed,
        driverPercent: driverShare(result) * 100,
      },
      voids: measured.voids,
    };
  },
};

async function job(bench: Bench, subject: Subject, requests: number, maxMs: number): Promise<ClosedLoop> {
  return {
    kind: 'closed-loop',
    request: chatRequest(subject, { model: MODEL, stream: true }),
    expect: await expectation(bench, subject, MODEL, 'stream'),
    connections: bench.settings.connections ?? 32,
    requests,
    maxMs,
    connectionPer: 'run',
  };
}
