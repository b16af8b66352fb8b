/** Evenly spaced arrivals on as many connections as it takes, so that a slow answer delays nobody but itself. */
import type { Arrivals, JobResult } from './job.ts';
import { RawClient, requestBytes } from './raw-client.ts';
import { nowUs, Tally } from './tally.ts';

/** More than this many unanswered requests at once: the subject is stuck, and further ones are counted as errors. */
const MAX_CONNECTIONS = 512;
const LAST_ANSWER_MS = 10_000;
/** A Node timer is up to a millisecond late: the last millisecond before an arrival is spent polling. */
const POLL_BEFORE_MS = 1.2;

export async function arrivals(job: Arrivals): Promise<JobResult> {
  const tally = new Tally();
  const latency = tally.times('latency');
  const lateness = tally.times('lateness');
  const bytes = requestBytes(job.request);
  const idle: RawClient[] = [];
  const all = new Set<RawClient>();
  let underWay = 0;
  let settled: (() => void) | undefined;

  const start = (atUs: number): void => {
    let client = idle.pop();
    while (client?.closed) client = idle.pop();
    if (!client) {
      if (all.size >= MAX_CONNECTIONS) {
        tally.error(`over ${MAX_CONNECTIONS} unanswered requests`);
        return;
      }
      client = new RawClient(job.request.url);
      all.add(client);
    }
    const used = client;
    let status = 0;
    let bodyBytes = 0;
    underWay++;
    lateness.record(nowUs() - atUs);
    used.send(bytes, {
      onHead: (code) => {
        status = code;
      },
      onBody: (count) => {
        bodyBytes += count;
      },
      onEnd: () => {
        latency.record(nowUs() - atUs);
        tally.judge(job.expect, status, bodyBytes);
        idle.push(used);
        if (--underWay === 0) settled?.();
      },
      onFailure: (reason) => {
        tally.error(reason);
        all.delete(used);
        if (--underWay === 0) settled?.();
      },
    });
  };

  const count = Math.max(1, Math.round((job.durationMs / 1000) * job.perSecond));
  await every(1000 / job.perSecond, count, (_, atMs) => start(atMs * 1000));
  if (underWay > 0) {
    await new Promise<void>((resolve) => {
      settled = resolve;
      setTimeout(resolve, LAST_ANSWER_MS).unref();
    });
  }
  for (let i = 0; i < underWay; i++) tally.error(`no answer ${LAST_ANSWER_MS} ms after the last arrival`);
  for (const client of all) client.leave();
  return tally.result();
}

/**
 * Calls `action` at evenly spaced moments of performance.now(), with its number and the intended moment in ms. Sockets are
 * served between them. Resolves after the last call.
 */
function every(intervalMs: number, times: number, action: (index: number, atMs: number) => void): Promise<void> {
  return new Promise((resolve) => {
    const startMs = performance.now() + 5;
    let index = 0;
    const step = (): void => {
      while (index < times && performance.now() >= startMs + index * intervalMs) {
        action(index, startMs + index * intervalMs);
        index++;
      }
      const waitMs = startMs + index * intervalMs - performance.now();
      if (index >= times) resolve();
      else if (waitMs > POLL_BEFORE_MS + 1) setTimeout(step, Math.floor(waitMs - POLL_BEFORE_MS));
      else setImmediate(step);
    };
    step();
  });
}
