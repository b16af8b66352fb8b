/**
 * Clients that ask for 100 MB and never read. What may grow is what the kernel holds, plus our high watermark; the
 * provider has to be stopped. Several at once, since one alone is lost in the noise of a garbage-collected heap.
 */
import { chatRequest } from '../chat-request.ts';
import { measure, megabytes } from '../measure.ts';
import { count, type Scenario } from '../scenario.ts';

const MODEL = 'mock-stream-100mb';
const EVENT_BYTES = 64 * 1024;

export const slowReader: Scenario = {
  name: 'slow-reader',
  summary: '8 clients ask for a 100 MB stream and never read: growth of RSS for each, bytes taken from the provider',
  models: () => [MODEL],
  rounds: 3,
  columns: [
    count('readers', 'readers'),
    count('rssBeforeMb', 'RSS before MB', 1),
    count('rssPeakMb', 'peak', 1),
    count('rssAfterMb', 'after', 1),
    count('rssPerReaderKb', 'growth KB/reader'),
    count('takenPerReaderKb', 'taken from provider KB/reader'),
  ],
  async warmUp(bench, subject) {
    // Once through the same code, so that what is compiled and allocated once does not count.
    await bench.driver.run(job(chatRequest(subject, { model: MODEL, stream: true }), 4, 500), 30_000);
  },
  async round(bench, subject) {
    const readers = bench.settings.connections ?? 8;
    await bench.mock.reset();
    const request = chatRequest(subject, { model: MODEL, stream: true });
    const measured = await measure(bench.driver, subject, job(request, readers, bench.settings.durationMs ?? 2000));
    const stats = await bench.mock.stats();
    const voids = [...measured.voids];
    if (stats.requests !== readers) {
      voids.push({ scope: 'all', reason: `${stats.requests} of ${readers} requests reached the provider` });
    }
    return {
      figures: {
        readers,
        rssBeforeMb: megabytes(measured.rssBefore),
        rssPeakMb: megabytes(measured.rssPeak),
        rssAfterMb: megabytes(measured.rssAfter),
        rssPerReaderKb: (measured.rssPeak - measured.rssBefore) / 1024 / readers,
        takenPerReaderKb: (stats.contentEvents * EVENT_BYTES) / 1024 / readers,
      },
      voids,
    };
  },
};

function job(request: ReturnType<typeof chatRequest>, clients: number, holdMs: number) {
  return { kind: 'non-readers' as const, request, clients, holdMs };
}
