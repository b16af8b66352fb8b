/** One request at a time to several targets in turn: what a gateway adds, apart from what the machine does meanwhile. */
import type { Interleaved, JobResult } from './job.ts';
import { RawClient, requestBytes } from './raw-client.ts';
import { nowUs, Tally } from './tally.ts';

export async function interleaved(job: Interleaved): Promise<JobResult> {
  const tally = new Tally();
  const targets = job.targets.map((target) => ({
    ...target,
    bytes: requestBytes(target.request),
    client: new RawClient(target.request.url),
    latency: tally.times(target.name),
  }));
  const blocks = Math.max(1, Math.ceil(job.requestsEach / job.block));
  for (let block = 0; block < blocks; block++) {
    for (const target of targets) {
      // A peer may have closed the connection while the others had their turn.
      if (target.client.closed) target.client = new RawClient(target.request.url);
      // The first of a block finds cold caches and, on a new connection, the connect: it is sent but not timed.
      await once(target, tally);
      for (let i = 0; i < job.block; i++) {
        const startUs = nowUs();
        if (await once(target, tally)) target.latency.record(nowUs() - startUs);
      }
    }
  }
  for (const target of targets) target.client.leave();
  return tally.result();
}

type Target = Interleaved['targets'][number] & { bytes: Buffer; client: RawClient };

function once(target: Target, tally: Tally): Promise<boolean> {
  return new Promise((resolve) => {
    let status = 0;
    let bodyBytes = 0;
    target.client.send(target.bytes, {
      onHead: (code) => {
        status = code;
      },
      onBody: (bytes) => {
        bodyBytes += bytes;
      },
      onEnd: () => {
        tally.judge(target.expect, status, bodyBytes);
        resolve(true);
      },
      onFailure: (reason) => {
        tally.error(`${target.name}: ${reason}`);
        target.client = new RawClient(target.request.url);
        resolve(false);
      },
    });
  });
}
