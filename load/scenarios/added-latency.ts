/**
 * What a subject adds to one request on one connection: blocks of requests to the mock and to the subject in turn, so
 * that both percentiles are of the same seconds. For `direct` it is the mock against itself: the noise of this table.
 */
import { chatRequest } from '../chat-request.ts';
import { expectation } from '../expectation.ts';
import { measure, percentiles } from '../measure.ts';
import type { Subject } from '../peers/peer.ts';
import { type Bench, type Scenario, timing } from '../scenario.ts';
import { warmUp } from '../warm-up.ts';

const MODEL = 'mock-whole';
const BLOCK = 50;
const WARM_UP = 6_000;

export const addedLatency: Scenario = {
  name: 'added-latency',
  summary: 'one connection, one request at a time, in turn with the mock itself: latency added at p50 and p99',
  models: () => [MODEL],
  rounds: 3,
  columns: [
    timing('directP50Us', 'mock p50 µs'),
    timing('directP99Us', 'p99 µs'),
    timing('subjectP50Us', 'through it p50 µs'),
    timing('subjectP99Us', 'p99 µs'),
    timing('addedP50Us', 'added p50 µs'),
    timing('addedP99Us', 'added p99 µs'),
  ],
  async warmUp(bench, subject) {
    await warmUp(bench.driver, await job(bench, subject, WARM_UP));
  },
  async round(bench, subject) {
    const measured = await measure(bench.driver, subject, await job(bench, subject, bench.settings.requests ?? 4000));
    const times = { ...percentiles(measured.result, 'direct'), ...percentiles(measured.result, 'subject') };
    const added = (at: string): number => times[`subject${at}`]! - times[`direct${at}`]!;
    return {
      figures: { ...times, addedP50Us: added('P50Us'), addedP99Us: added('P99Us') },
      voids: measured.voids,
    };
  },
};

async function job(bench: Bench, subject: Subject, requestsEach: number) {
  const target = async (name: string, whom: Subject) => ({
    name,
    request: chatRequest(whom, { model: MODEL, stream: false }),
    expect: await expectation(bench, whom, MODEL, 'whole'),
  });
  return {
    kind: 'interleaved' as const,
    targets: [await target('direct', bench.direct), await target('subject', subject)],
    requestsEach,
    block: BLOCK,
  };
}
