/** Many streams at once, each on its own connection, read to the end: gaps between reads, stalls, bytes. */
import type { JobResult, Streams } from './job.ts';
import { ramp } from './ramp.ts';
import { RawClient, requestBytes } from './raw-client.ts';
import { nowUs, Tally } from './tally.ts';

export async function streams(job: Streams, onAllOpen: () => void): Promise<JobResult> {
  const tally = new Tally();
  const bytes = requestBytes(job.request);
  tally.counts['stalls'] = 0;
  tally.counts['stalledStreams'] = 0;
  let begun = 0;
  let open = 0;
  const begin = (): void => {
    if (++begun === job.streams) onAllOpen();
  };
  await new Promise<void>((resolve) => {
    const end = (): void => {
      if (--open === 0 && begun >= job.streams) resolve();
    };
    ramp(job.rampMs, job.streams, () => {
      open++;
      readStream(job, bytes, tally, begin, end);
    });
  });
  return tally.result();
}

/** `begin` is called once, at the first content or at the failure before it; `end` once, after it. */
function readStream(job: Streams, bytes: Buffer, tally: Tally, begin: () => void, end: () => void): void {
  const gap = tally.times('gap');
  const stallUs = job.stallMs * 1000;
  const client = new RawClient(job.request.url);
  const startUs = nowUs();
  let status = 0;
  let bodyBytes = 0;
  let lastUs = 0;
  let stalls = 0;
  const close = (): void => {
    if (stalls > 0) tally.counts['stalledStreams']!++;
    tally.counts['stalls']! += stalls;
    if (bodyBytes === 0) begin();
    client.leave();
    end();
  };
  client.send(bytes, {
    onHead: (code) => {
      status = code;
      tally.times('firstByte').record(nowUs() - startUs);
    },
    onBody: (count) => {
      const atUs = nowUs();
      bodyBytes += count;
      if (lastUs === 0) {
        tally.times('firstContent').record(atUs - startUs);
        begin();
      } else {
        gap.record(atUs - lastUs);
        if (atUs - lastUs > stallUs) stalls++;
      }
      lastUs = atUs;
    },
    onEnd: () => {
      tally.judge(job.expect, status, bodyBytes);
      tally.times('latency').record(nowUs() - startUs);
      close();
    },
    onFailure: (reason) => {
      tally.error(reason);
      close();
    },
  });
}
