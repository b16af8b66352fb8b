/**
 * autocannon drives, we measure: its histogram holds whole milliseconds, so times are taken from its client events.
 *
 * Tried with 9.0.0: a connection that the server ends is replaced without a word and its request is lost, so we count
 * requests against answers; with `reconnectRate` the 'response' event is never emitted, so answers end with 'headers'
 * there; the first request of a connection includes the connect and is left out of the times.
 */
import autocannon, { type Client } from 'autocannon';
import type { ClosedLoop, JobResult } from './job.ts';
import { nowUs, Tally } from './tally.ts';

const SAMPLE_MS = 50;
const TIMEOUT_S = 30;

export async function closedLoop(job: ClosedLoop): Promise<JobResult> {
  const tally = new Tally();
  const counter = { requests: 0, answers: 0 };
  const amount = Math.max(job.requests, job.connections);
  let connection = 0;
  const run = autocannon({
    url: job.request.url,
    method: 'POST',
    headers: job.request.headers,
    body: job.request.body,
    connections: job.connections,
    amount,
    ...(job.connectionPer === 'request' ? { reconnectRate: 1 } : {}),
    timeout: TIMEOUT_S,
    sampleInt: SAMPLE_MS,
    setupClient: (client) => {
      const own = job.ownHeaders?.[connection++];
      if (own) client.setHeaders({ ...job.request.headers, ...own });
      observe(client, job, tally, counter);
    },
  });
  let stopped = false;
  const timer = setTimeout(() => {
    stopped = true;
    run.stop();
  }, job.maxMs);
  const outcome = await run;
  clearTimeout(timer);
  for (let i = 0; i < outcome.errors - outcome.timeouts; i++) tally.error('connection error');
  for (let i = 0; i < outcome.timeouts; i++) tally.error(`no answer in ${TIMEOUT_S} s`);
  // What was under way when the time was over is neither an answer nor lost.
  const missing = stopped ? counter.requests - counter.answers - job.connections : amount - counter.answers;
  for (let i = 0; i < missing; i++) tally.error('connection closed before the answer');
  return tally.result();
}

function observe(client: Client, job: ClosedLoop, tally: Tally, counter: { requests: number; answers: number }): void {
  const latency = tally.times('latency');
  const firstByte = tally.times('firstByte');
  const firstContent = tally.times('firstContent');
  let startUs = 0;
  let bodyBytes = 0;
  let answered = 0;
  // autocannon would decode and join every body into a string; we need its length only.
  client.pipelinedRequests.addBody = (data) => {
    if (bodyBytes === 0 && answered > 0) firstContent.record(nowUs() - startUs);
    bodyBytes += data.length;
  };
  client.on('request', () => {
    counter.requests++;
    bodyBytes = 0;
    startUs = nowUs();
  });
  const finish = (status: number, body: number | undefined): void => {
    counter.answers++;
    if (answered++ > 0 || job.connectionPer === 'request') latency.record(nowUs() - startUs);
    tally.judge(job.expect, status, body ?? job.expect.bodyBytes ?? 0);
  };
  client.on('headers', (head: { statusCode: number }) => {
    if (answered > 0) firstByte.record(nowUs() - startUs);
    if (job.connectionPer === 'request') finish(head.statusCode, undefined);
  });
  client.on('response', (status: number) => finish(status, bodyBytes));
}
