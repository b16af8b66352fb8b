/** Streams at the pace of a model: the cost of one chunk on its own, and how evenly chunks come through. */
import { chatRequest } from '../chat-request.ts';
import { expectation } from '../expectation.ts';
import { driverShare, measure, percentiles } from '../measure.ts';
import { count, cpu, type Scenario, timing } from '../scenario.ts';
import type { Settings } from '../settings.ts';

const PACE_MS = 25;
const RAMP_MS = 1000;

export const chatPaced: Scenario = {
  name: 'chat-paced',
  summary: '300 streams of 100 events, 25 ms apart: CPU per chunk, gaps between chunks, stalls',
  models: (settings) => [model(settings)],
  rounds: 3,
  costKey: 'cpuPerChunkUs',
  columns: [
    timing('firstContentP50Us', 'first content p50 µs'),
    timing('firstContentP99Us', 'p99 µs'),
    timing('gapP50Us', 'gap p50 µs'),
    timing('gapP99Us', 'p99 µs'),
    timing('stalls', 'stalls'),
    cpu('cpuPerChunkUs', 'CPU µs/chunk', 1),
    count('driverPercent', 'driver %'),
  ],
  async round(bench, subject) {
    const streams = bench.settings.connections ?? 300;
    const name = model(bench.settings);
    const measured = await measure(bench.driver, subject, {
      kind: 'streams',
      request: chatRequest(subject, { model: name, stream: true }),
      expect: await expectation(bench, subject, name, 'stream'),
      streams,
      rampMs: RAMP_MS,
      paceMs: PACE_MS,
    });
    const { result } = measured;
    return {
      figures: {
        ...percentiles(result, 'firstContent'),
        ...percentiles(result, 'gap'),
        stalls: result.counts['stalls'] ?? Number.NaN,
        cpuPerChunkUs: measured.cpuUs / (streams * chunks(bench.settings)),
        driverPercent: driverShare(result) * 100,
      },
      voids: measured.voids,
    };
  },
};

function chunks(settings: Settings): number {
  return settings.durationMs === undefined ? 100 : Math.max(1, Math.round(settings.durationMs / PACE_MS));
}

function model(settings: Settings): string {
  return `mock-paced-${PACE_MS}ms-${chunks(settings)}`;
}
