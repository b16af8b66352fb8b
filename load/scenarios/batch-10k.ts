/** A batch of 10,000 lines beside the same requests made live: what running a line costs, and what is held meanwhile. */
import { setTimeout as delay } from 'node:timers/promises';
import { type ChatLoop, roundOf, warmUpLoop } from '../chat-loop.ts';
import { chatRequest } from '../chat-request.ts';
import { measure, megabytes } from '../measure.ts';
import type { Subject } from '../peers/peer.ts';
import { sample, watchRss } from '../proc.ts';
import { count, cpu, type Scenario, timing, type Void } from '../scenario.ts';

const LINES = 10_000;
const LOOP: ChatLoop = { model: 'mock-whole', body: 'whole', warmUpRequests: 80_000, roundRequests: 30_000 };
const ENDPOINT = '/v1/chat/completions';
const POLL_MS = 50;
const BATCH_MS = 120_000;
const RSS_WATCH_MS = 100;

export const batch10k: Scenario = {
  name: 'batch-10k',
  summary:
    'a batch of 10,000 small lines from its upload to its output: lines/s, CPU per line beside a live request, memory',
  models: () => [LOOP.model],
  rounds: 3,
  columns: [
    timing('linesPerSecond', 'lines/s'),
    cpu('cpuPerLineUs', 'CPU µs/line', 1),
    cpu('cpuPerRequestUs', 'CPU µs/live request', 1),
    count('rssBeforeMb', 'RSS before MB', 1),
    count('rssPeakMb', 'peak', 1),
  ],
  // The marks of a subject that is Sluice.
  unfit: ({ operator, pid }) => (operator === undefined || pid === undefined ? 'it runs no batches' : undefined),
  async warmUp(bench, subject) {
    await warmUpLoop(bench, subject, LOOP);
    // What a live request does not use is compiled in it.
    await runBatch(subject);
  },
  async round(bench, subject) {
    const live = await measure(bench.driver, subject, await roundOf(bench, subject, LOOP));
    const pid = subject.pid ?? process.pid;
    const before = sample(pid);
    const watch = watchRss(pid, RSS_WATCH_MS);
    const startedAt = performance.now();
    const { completed, failed } = await runBatch(subject);
    const elapsedMs = performance.now() - startedAt;
    const after = sample(pid);
    const wrong: Void[] =
      completed === LINES ? [] : [{ scope: 'all', reason: `${completed} lines were answered, ${failed} failed` }];
    return {
      figures: {
        linesPerSecond: (LINES / elapsedMs) * 1000,
        cpuPerLineUs: (after.cpuUs - before.cpuUs) / LINES,
        cpuPerRequestUs: live.cpuUs / live.result.completed,
        rssBeforeMb: megabytes(before.rssBytes),
        rssPeakMb: megabytes(watch.stop()),
      },
      voids: [...live.voids, ...wrong],
    };
  },
};

type Batch = { id: string; status: string; request_counts: { completed: number; failed: number } };

async function runBatch(subject: Subject): Promise<{ completed: number; failed: number }> {
  const body: unknown = JSON.parse(chatRequest(subject, { model: LOOP.model, stream: false }).body);
  const lines = Array.from({ length: LINES }, (_, index) =>
    JSON.stringify({ custom_id: `line-${index}`, method: 'POST', url: ENDPOINT, body }),
  );
  const form = new FormData();
  form.set('purpose', 'batch');
  form.set('file', new Blob([lines.join('\n')]), 'in.jsonl');
  const file = await asked<{ id: string }>(subject, '/files', { method: 'POST', body: form });
  const request = { input_file_id: file.id, endpoint: ENDPOINT, completion_window: '24h' };
  const headers = { 'content-type': 'application/json' };
  let batch = await asked<Batch>(subject, '/batches', { method: 'POST', headers, body: JSON.stringify(request) });
  const until = performance.now() + BATCH_MS;
  while (!['completed', 'failed', 'expired', 'cancelled'].includes(batch.status)) {
    if (performance.now() > until) throw new Error(`the batch is ${batch.status} after ${BATCH_MS} ms`);
    await delay(POLL_MS);
    batch = await asked<Batch>(subject, `/batches/${batch.id}`, {});
  }
  return batch.request_counts;
}

async function asked<T>({ baseUrl, headers }: Subject, path: string, init: RequestInit): Promise<T> {
  const answer = await fetch(baseUrl + path, { ...init, headers: { ...headers, ...Object(init.headers) } });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  return answer.json() as Promise<T>;
}
