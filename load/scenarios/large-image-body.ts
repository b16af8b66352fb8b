/** 20 MB image requests next to small ones: what they do to the small ones' p99. */
import { chatRequest } from '../chat-request.ts';
import type { Arrivals } from '../driver/job.ts';
import { expectation } from '../expectation.ts';
import { measure, megabytes, percentiles } from '../measure.ts';
import { neighbours } from '../neighbours.ts';
import type { Subject } from '../peers/peer.ts';
import { type Bench, count, type Scenario, timing } from '../scenario.ts';

const MODEL = 'mock-whole';
const IMAGE_BYTES = 20 * 1024 * 1024;
const IMAGES_PER_SECOND = 4;

export const largeImageBody: Scenario = {
  name: 'large-image-body',
  summary: "four 20 MB image requests a second next to 100 small ones: the small ones' p99 with and without",
  models: () => [MODEL],
  rounds: 3,
  columns: [
    timing('quietP50Ms', 'alone p50 ms', 2),
    timing('quietP99Ms', 'p99 ms', 2),
    timing('besideP50Ms', 'beside images p50 ms', 2),
    timing('besideP99Ms', 'p99 ms', 2),
    timing('addedP99Ms', 'added p99 ms', 2),
    timing('imageP50Ms', 'image p50 ms', 1),
    count('rssBeforeMb', 'RSS before MB', 1),
    count('rssPeakMb', 'peak', 1),
  ],
  async warmUp(bench, subject) {
    await bench.driver.run(await images(bench, subject, 1000), 60_000);
  },
  async round(bench, subject) {
    const durationMs = bench.settings.durationMs ?? 4000;
    const quiet = await measure(bench.neighbour, subject, await neighbours(bench, subject, MODEL, durationMs));
    const [beside, flood] = await Promise.all([
      measure(bench.neighbour, subject, await neighbours(bench, subject, MODEL, durationMs)),
      measure(bench.driver, subject, await images(bench, subject, durationMs)),
    ]);
    const quietTimes = percentiles(quiet.result, 'latency');
    const besideTimes = percentiles(beside.result, 'latency');
    return {
      figures: {
        quietP50Ms: quietTimes['latencyP50Us']! / 1000,
        quietP99Ms: quietTimes['latencyP99Us']! / 1000,
        besideP50Ms: besideTimes['latencyP50Us']! / 1000,
        besideP99Ms: besideTimes['latencyP99Us']! / 1000,
        addedP99Ms: (besideTimes['latencyP99Us']! - quietTimes['latencyP99Us']!) / 1000,
        imageP50Ms: percentiles(flood.result, 'latency')['latencyP50Us']! / 1000,
        rssBeforeMb: megabytes(quiet.rssBefore),
        rssPeakMb: megabytes(flood.rssPeak),
      },
      // When exactly an image left does not matter, only that it was answered.
      voids: [...quiet.voids, ...beside.voids, ...flood.voids.filter(({ scope }) => scope === 'all')],
    };
  },
};

async function images(bench: Bench, subject: Subject, durationMs: number): Promise<Arrivals> {
  const content = [
    { type: 'text', text: 'What is in this picture?' },
    { type: 'image_url', image_url: { url: `data:image/png;base64,${'iVBORw0KGgoAAAAN'.repeat(IMAGE_BYTES / 16)}` } },
  ];
  return {
    kind: 'arrivals',
    request: chatRequest(subject, { model: MODEL, stream: false, content }),
    expect: await expectation(bench, subject, MODEL, 'whole'),
    perSecond: IMAGES_PER_SECOND,
    durationMs,
  };
}
