/** Clients that leave: how long until the provider's side of it is cancelled, in a stream and while waiting for a whole answer. */
import { setTimeout as delay } from 'node:timers/promises';
import { chatRequest } from '../chat-request.ts';
import type { JobResult, Leavers } from '../driver/job.ts';
import { measure } from '../measure.ts';
import type { Subject } from '../peers/peer.ts';
import { Recorder } from '../recorder.ts';
import { type Bench, type Scenario, timing, type Void } from '../scenario.ts';

const STREAM_MODEL = 'mock-paced-25ms-400';
const WHOLE_MODEL = 'mock-ttfb-8000ms';
const PER_SECOND = 200;
/** A call that is not cancelled by then counts as never cancelled. */
const PATIENCE_MS = 1500;

export const clientLeaves: Scenario = {
  name: 'client-leaves',
  summary: '300 clients leave mid-stream, 300 while waiting: time until the provider call is cancelled',
  models: () => [STREAM_MODEL, WHOLE_MODEL],
  rounds: 1,
  columns: [
    timing('clients', 'clients'),
    timing('streamCancelP50Ms', 'stream p50 ms', 2),
    timing('streamCancelP99Ms', 'p99 ms', 2),
    timing('streamNever', 'never'),
    timing('wholeCancelP50Ms', 'whole p50 ms', 2),
    timing('wholeCancelP99Ms', 'p99 ms', 2),
    timing('wholeNever', 'never'),
  ],
  async round(bench, subject) {
    const clients = bench.settings.connections ?? 300;
    const streamed = await leave(bench, subject, STREAM_MODEL, { afterContentMs: 200 }, clients);
    const whole = await leave(bench, subject, WHOLE_MODEL, { afterSendMs: 300 }, clients);
    return {
      figures: {
        clients,
        streamCancelP50Ms: streamed.delays.percentile(50) / 1000,
        streamCancelP99Ms: streamed.delays.percentile(99) / 1000,
        streamNever: streamed.never,
        wholeCancelP50Ms: whole.delays.percentile(50) / 1000,
        wholeCancelP99Ms: whole.delays.percentile(99) / 1000,
        wholeNever: whole.never,
      },
      voids: [...streamed.voids, ...whole.voids],
    };
  },
};

type Cancelled = { delays: Recorder; never: number; voids: Void[] };

async function leave(
  bench: Bench,
  subject: Subject,
  model: string,
  moment: Leavers['leave'],
  clients: number,
): Promise<Cancelled> {
  await bench.mock.reset();
  const request = chatRequest(subject, { model, stream: 'afterContentMs' in moment, user: '{n}' });
  const job = { kind: 'leavers' as const, request, clients, perSecond: PER_SECOND, leave: moment };
  const { result, voids } = await measure(bench.driver, subject, job);
  return { ...(await matchAborts(bench, result)), voids };
}

/** Pairs each client's leaving with the abort that the mock saw for the same label. */
async function matchAborts(bench: Bench, result: JobResult): Promise<{ delays: Recorder; never: number }> {
  const left = new Map((result.left ?? []).map(({ user, atUs }) => [user, atUs]));
  const end = performance.now() + PATIENCE_MS;
  let stats = await bench.mock.stats();
  while (stats.aborted < left.size && performance.now() < end) {
    await delay(20);
    stats = await bench.mock.stats();
  }
  const delays = new Recorder();
  for (const { user, atUs } of stats.aborts) {
    const leftAtUs = left.get(user);
    if (leftAtUs === undefined) continue;
    left.delete(user);
    delays.record(atUs - leftAtUs);
  }
  return { delays, never: left.size };
}
