/** Thousands of streams open at once: memory for each, and whether all of them keep flowing. */
import { readFileSync } from 'node:fs';
import { chatRequest } from '../chat-request.ts';
import { STALL_PACES } from '../driver/streams.ts';
import { expectation } from '../expectation.ts';
import { driverShare, measure, megabytes, percentiles } from '../measure.ts';
import { count, cpu, type Scenario, timing } from '../scenario.ts';
import type { Settings } from '../settings.ts';

const PACE_MS = 250;
const RAMP_MS = 4000;
/** Files, listeners and idle sockets that a subject holds besides its streams. */
const SPARE_DESCRIPTORS = 300;

export const manyStreams: Scenario = {
  name: 'many-streams',
  summary: `4,000 streams at once, an event every ${PACE_MS} ms: stalls (gap > ${STALL_PACES} paces), memory per open stream`,
  models: (settings) => [model(settings)],
  rounds: 1,
  columns: [
    count('streams', 'streams'),
    timing('streamsWithoutStall', 'without stall'),
    timing('stalls', 'stalls'),
    timing('gapP50Us', 'gap p50 µs'),
    timing('gapP99Us', 'p99 µs'),
    count('rssPerStreamKb', 'RSS KB/stream', 1),
    count('rssBeforeMb', 'RSS before MB', 1),
    count('rssPeakMb', 'peak', 1),
    count('rssAfterMb', 'after', 1),
    cpu('cpuPerChunkUs', 'CPU µs/chunk', 1),
    count('driverPercent', 'driver %'),
  ],
  async round(bench, subject) {
    const asked = bench.settings.connections ?? 4000;
    const possible = Math.floor((openFileLimit() - SPARE_DESCRIPTORS) / 2);
    const streams = Math.min(asked, possible);
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
        streams,
        streamsWithoutStall: streams - (result.counts['stalledStreams'] ?? Number.NaN),
        stalls: result.counts['stalls'] ?? Number.NaN,
        ...percentiles(result, 'gap'),
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

/** All are open from the end of the ramp for the duration, 6 s unless told otherwise. */
function chunks(settings: Settings): number {
  return Math.ceil((RAMP_MS + (settings.durationMs ?? 6000)) / PACE_MS);
}

function model(settings: Settings): string {
  return `mock-paced-${PACE_MS}ms-${chunks(settings)}`;
}

/** A relayed stream takes two descriptors of the subject; it inherits our limit, and we raise nothing. */
function openFileLimit(): number {
  const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return Number(line?.[1] ?? 1024);
}
