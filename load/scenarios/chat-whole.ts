/** Whole answers as fast as they come: the cost of one relayed request. */
import { chatRequest } from '../chat-request.ts';
import type { ClosedLoop } from '../driver/job.ts';
import { expectation } from '../expectation.ts';
import { driverShare, measure, megabytes, percentiles } from '../measure.ts';
import type { Subject } from '../peers/peer.ts';
import { type Bench, count, cpu, type Scenario, timing } from '../scenario.ts';
import { warmUp } from '../warm-up.ts';

const MODEL = 'mock-whole';
/** A run of it takes three seconds at the most. */
const WARM_UP = 80_000;

export const chatWhole: Scenario = {
  name: 'chat-whole',
  summary: 'whole answers of 0.6 KB, closed loop on 32 connections: requests/s, latency, CPU per request',
  models: () => [MODEL],
  rounds: 3,
  costKey: 'cpuPerRequestUs',
  columns: [
    timing('requestsPerSecond', 'requests/s'),
    timing('latencyP50Us', 'p50 µs'),
    timing('latencyP99Us', 'p99 µs'),
    cpu('cpuPerRequestUs', 'CPU µs/request', 1),
    count('rssBeforeMb', 'RSS before MB', 1),
    count('rssPeakMb', 'peak', 1),
    count('rssAfterMb', 'after', 1),
    count('driverPercent', 'driver %'),
  ],
  async warmUp(bench, subject) {
    await warmUp(bench.driver, await job(bench, subject, WARM_UP, 3000));
  },
  async round(bench, subject) {
    const { requests, durationMs } = bench.settings;
    const count = requests ?? (durationMs === undefined ? 30_000 : Number.MAX_SAFE_INTEGER);
    const measured = await measure(bench.driver, subject, await job(bench, subject, count, durationMs ?? 5000));
    const { result } = measured;
    return {
      figures: {
        requestsPerSecond: (result.completed / result.elapsedMs) * 1000,
        ...percentiles(result, 'latency'),
        cpuPerRequestUs: measured.cpuUs / result.completed,
        rssBeforeMb: megabytes(measured.rssBefore),
        rssPeakMb: megabytes(measured.rssPeak),
        rssAfterMb: megabytes(measured.rssAfter),
        driverPercent: driverShare(result) * 100,
      },
      voids: measured.voids,
    };
  },
};

async function job(bench: Bench, subject: Subject, requests: number, maxMs: number): Promise<ClosedLoop> {
  return {
    kind: 'closed-loop',
    request: chatRequest(subject, { model: MODEL, stream: false }),
    expect: await expectation(bench, subject, MODEL, 'whole'),
    connections: bench.settings.connections ?? 32,
    requests,
    maxMs,
    connectionPer: 'run',
  };
}
