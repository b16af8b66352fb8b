/** Streams whose chunks come all at once: the cost of one stream of 100 events. */
import { type ChatLoop, roundOf, warmUpLoop } from '../chat-loop.ts';
import { driverShare, measure, percentiles } from '../measure.ts';
import { count, cpu, type Scenario, timing } from '../scenario.ts';

const LOOP: ChatLoop = { model: 'mock-burst-100', body: 'stream', warmUpRequests: 6_000, roundRequests: 6_000 };

export const chatBurst: Scenario = {
  name: 'chat-burst',
  summary:
    'streams of 100 events sent at once, closed loop on 32 connections: streams/s, first content, CPU per stream',
  models: () => [LOOP.model],
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
    await warmUpLoop(bench, subject, LOOP);
  },
  async round(bench, subject) {
    const measured = await measure(bench.driver, subject, await roundOf(bench, subject, LOOP));
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
