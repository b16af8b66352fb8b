import { chatRequest } from './chat-request.ts';
import type { Arrivals } from './driver/job.ts';
import { expectation } from './expectation.ts';
import type { Subject } from './peers/peer.ts';
import type { Bench } from './scenario.ts';

const PER_SECOND = 100;

/** Small requests at an even pace, to see what something else does to them. */
export async function neighbours(bench: Bench, subject: Subject, model: string, durationMs: number): Promise<Arrivals> {
  return {
    kind: 'arrivals',
    request: chatRequest(subject, { model, stream: false }),
    expect: await expectation(bench, subject, model, 'whole'),
    perSecond: PER_SECOND,
    durationMs,
  };
}
