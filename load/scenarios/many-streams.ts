/** Thousands of streams open at once: memory for each, and whether all of them keep flowing. */
import { readFileSync } from 'node:fs';
import { chatRequest } from '../chat-request.ts';
import { expectation } from '../expectation.ts';
import { driverShare, measure, megabytes, percentiles } from '../measure.ts';
import { count, cpu, type Scenario, timing } from '../scenario.ts';
import type { Settings } from '../settings.ts';

/** How many streams, how fast, and when one of them is late. */
interface Load {
  readonly name: string;
  readonly summary: string;
  readonly streams: number;
  readonly paceMs: number;
  readonly stallMs: number;
  readonly rampMs: number;
  /** From the end of the ramp, when all are open. */
  readonly openMs: number;
}

/** Files, listeners and idle sockets that a subject holds besides its streams. */
const SPARE_DESCRIPTORS = 300;

export const manyStreams: Scenario = streamsAtOnce({
  name: 'many-streams',
  summary: '4,000 streams at once, an event every 250 ms: stalls (gap > 5 paces), memory per open stream',
  streams: 4_000,
  paceMs: 250,
  stallMs: 1_250,
  rampMs: 4_000,
  openMs: 6_000,
});

export const slowStreams: Scenario = streamsAtOnce({
  name: 'slow-streams',
  summary:
    '10,000 streams at once, an event a second for a minute: those that are more than 250 ms late, memory of each',
  streams: 10_000,
  paceMs: 1_000,
  stallMs: 1_250,
  rampMs: 20_000,
  openMs: 60_000,
});

function streamsAtOnce(load: Load): Scenario {
  const { paceMs, rampMs } = load;
  /** How many events each stream has. */
  const chunks = (settings: Settings) => Math.ceil((rampMs + (settings.durationMs ?? load.openMs)) / paceMs);
  const model = (settings: Settings) => `mock-paced-${paceMs}ms-${chunks(settings)}`;
  return {
    name: load.name,
    summary: load.summary,
    models: (settings) => [model(settings)],
    rounds: 1,
    columns: [
      count('streams', 'streams'),
      timing('streamsWithoutStall', 'without stall'),
      timing('stalls', 'stalls'),
      timing('gapP50Us', 'gap p50 µs'),
      timing('gapP99Us', 'p99 µs'),
      timing('gapP99_9Us', 'p99.9 µs'),
      count('rssPerStreamKb', 'RSS KB/stream', 1),
      count('rssBeforeMb', 'RSS before MB', 1),
      count('rssPeakMb', 'peak', 1),
      count('rssAfterMb', 'after', 1),
      cpu('cpuPerChunkUs', 'CPU µs/chunk', 1),
      count('driverPercent', 'driver %'),
    ],
    async round(bench, subject) {
      const asked = bench.settings.connections ?? load.streams;
      const possible = Math.floor((openFileLimit() - SPARE_DESCRIPTORS) / 2);
      const streams = Math.min(asked, possible);
      const name = model(bench.settings);
      const measured = await measure(bench.driver, subject, {
        kind: 'streams',
        request: chatRequest(subject, { model: name, stream: true }),
        expect: await expectation(bench, subject, name, 'stream'),
        streams,
        rampMs,
        stallMs: load.stallMs,
      });
      const { result } = measured;
      return {
        figures: {
          streams,
          streamsWithoutStall: streams - (result.counts['stalledStreams'] ?? Number.NaN),
          stalls: result.counts['stalls'] ?? Number.NaN,
          ...percentiles(result, 'gap', [50, 99, 99.9]),
          rssPerStreamKb: (measured.rssAllOpen - measured.rssBefore) / 1024 / streams,
          rssBeforeMb: megabytes(measured.rssBefore),
          rssPeakMb: megabytes(measured.rssPeak),
          rssAfterMb: megabytes(measured.rssAfter),
          cpuPerChunkUs: measured.cpuUs / (streams * chunks(bench.settings)),
          driverPercent: driverShare(result) * 100,
        },
        voids: measured.voids,
        notes:
          streams < asked
            ? [`${asked} streams asked, ${streams} possible with ${openFileLimit()} open files`]
            : undefined,
      };
    },
  };
}

/** A relayed stream takes two descriptors of the subject; it inherits our limit, and we raise nothing. */
function openFileLimit(): number {
  const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return Number(line?.[1] ?? 1024);
}
