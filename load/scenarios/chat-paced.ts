/** Streams at the pace of a model: the cost of one chunk on its own, and how evenly chunks come through. */
import { chatRequest } from '../chat-request.ts';
import type { Streams } from '../driver/job.ts';
import { expectation } from '../expectation.ts';
import { driverShare, measure, percentiles } from '../measure.ts';
import type { Subject } from '../peers/peer.ts';
import { type Bench, count, cpu, type Scenario, timing } from '../scenario.ts';
import type { Settings } from '../settings.ts';
import { warmUp } from '../warm-up.ts';

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
  async warmUp(bench, subject) {
    await warmUp(bench.driver, await job(bench, subject));
  },
  async round(bench, subject) {
    const measured = await measure(bench.driver, subject, await job(bench, subject));
    const { result } = measured;
    return {
      figures: {
        ...percentiles(result, 'firstContent'),
        ...percentiles(result, 'gap'),
        stalls: result.counts['stalls'] ?? Number.NaN,
        cpuPerChunkUs: measured.cpuUs / (streams(bench.settings) * chunks(bench.settings)),
        driverPercent: driverShare(result) * 100,
      },
      voids: measured.voids,
    };
  },
};

async function job(bench: Bench, subject: Subject): Promise<Streams> {
  const name = model(bench.settings);
  return {
    kind: 'streams',
    request: chatRequest(subject, { model: name, stream: true }),
    expect: await expectation(bench, subject, name, 'stream'),
    streams: streams(bench.settings),
    rampMs: RAMP_MS,
    stallMs: 5 * PACE_MS,
  };
}

function streams(settings: Settings): number {
  return settings.connections ?? 300;
}

function chunks(settings: Settings): number {
  return settings.durationMs === undefined ? 100 : Math.max(1, Math.round(settings.durationMs / PACE_MS));
}

function model(settings: Settings): string {
  return `mock-paced-${PACE_MS}ms-${chunks(settings)}`;
}
