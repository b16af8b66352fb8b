/** What a good answer of a subject is: the exact length where it relays bytes, else only the status. */
import type { Expectation } from './driver/job.ts';
import type { Subject } from './peers/peer.ts';
import type { Bench } from './scenario.ts';

export async function expectation(
  bench: Bench,
  subject: Subject,
  model: string,
  form: 'whole' | 'stream',
): Promise<Expectation> {
  if (!subject.relaysBytes) return { status: 200 };
  return { status: 200, bodyBytes: await bench.bodyBytes(model, form === 'stream') };
}
