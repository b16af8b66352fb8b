import { chatRequest } from './chat-request.ts';
import type { ClosedLoop } from './driver/job.ts';
import { expectation } from './expectation.ts';
import type { Subject } from './peers/peer.ts';
import type { Bench } from './scenario.ts';
import { warmUp } from './warm-up.ts';

const CONNECTIONS = 32;
/** A warm-up run takes so long at the most. */
const WARM_UP_MS = 3000;
const ROUND_MS = 5000;

/** The same chat request over and over, each connection as fast as it gets its answers. */
export interface ChatLoop {
  readonly model: string;
  readonly body: 'whole' | 'stream';
  readonly warmUpRequests: number;
  /** The requests of a round, where the command line says neither requests nor a duration. */
  readonly roundRequests: number;
  /** Sent with every request, whichever gateway is measured. */
  readonly headers?: Record<string, string>;
}

export async function warmUpLoop(bench: Bench, subject: Subject, loop: ChatLoop): Promise<void> {
  await warmUp(bench.driver, await closedLoop(bench, subject, loop, loop.warmUpRequests, WARM_UP_MS));
}

export function roundOf(bench: Bench, subject: Subject, loop: ChatLoop): Promise<ClosedLoop> {
  const { requests, durationMs } = bench.settings;
  const count = requests ?? (durationMs === undefined ? loop.roundRequests : Number.MAX_SAFE_INTEGER);
  return closedLoop(bench, subject, loop, count, durationMs ?? ROUND_MS);
}

export async function closedLoop(
  bench: Bench,
  subject: Subject,
  { model, body, headers = {} }: ChatLoop,
  requests: number,
  maxMs: number,
): Promise<ClosedLoop> {
  return {
    kind: 'closed-loop',
    request: chatRequest(subject, { model, stream: body === 'stream', headers }),
    expect: await expectation(bench, subject, model, body),
    connections: bench.settings.connections ?? CONNECTIONS,
    requests,
    maxMs,
    connectionPer: 'run',
  };
}
