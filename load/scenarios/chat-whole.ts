/** Whole answers as fast as they come: the cost of one relayed request. */
import { type ChatLoop, roundOf, warmUpLoop } from '../chat-loop.ts';
import { driverShare, measure, megabytes, percentiles } from '../measure.ts';
import { count, cpu, type Scenario, timing } from '../scenario.ts';

const LOOP: ChatLoop = { model: 'mock-whole', body: 'whole', warmUpRequests: 80_000, roundRequests: 30_000 };

export const chatWhole = answersOf(LOOP, {
  name: 'chat-whole',
  summary: 'whole answers of 0.6 KB, closed loop on 32 connections: requests/s, latency, CPU per request',
});

/** What each answer of such a loop costs whoever gives it. */
export function answersOf(loop: ChatLoop, named: Pick<Scenario, 'name' | 'summary'>): Scenario {
  return {
    ...named,
    models: () => [loop.model],
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
      await warmUpLoop(bench, subject, loop);
    },
    async round(bench, subject) {
      const measured = await measure(bench.driver, subject, await roundOf(bench, subject, loop));
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
}
