/**
 * `node scripts/print-first-requests.ts`: what the first requests of a gateway that has just started cost (Linux), with its
 * warm-up and without, in turn. CPU is of all its threads, from the kernel: what other programs do hardly changes it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROUNDS = 5;
const KEY = 'sk-0123456789abcdef0123456789abcdef';
const root = fileURLToPath(new URL('..', import.meta.url));
/** Until then the gateway has given back what loading left behind. */
const IDLE_MS = 4_000;
/** How long threads work on behind an answer: records, log, metrics. */
const BEHIND_MS = 300;
/** Requests behind which CPU and times are read. */
const MARKS = [1, 10, 100] as const;

const message = { role: 'assistant', content: 'A sluice holds the pond at its level.' };
const usage = { prompt_tokens: 12, completion_tokens: 9, total_tokens: 21 };
const answer = JSON.stringify({ object: 'chat.completion', choices: [{ message, finish_reason: 'stop' }], usage });
const body = JSON.stringify({
  model: 'own/model',
  messages: [{ role: 'user', content: 'What is a sluice? '.repeat(20) }],
});

const provider = createServer((incoming, response) => {
  incoming.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end(answer));
});
provider.listen(0, '127.0.0.1');
await once(provider, 'listening');
const folder = await mkdtemp(join(tmpdir(), 'sluice-first-'));
try {
  const found = new Map<number, number[][]>([0, 100].map((warmUpMs) => [warmUpMs, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [warmUpMs, rows] of found) rows.push(await firstRequests(warmUpMs, `${warmUpMs}-${round}`));
  }
  for (const [warmUpMs, rows] of found) {
    const median = (at: number): number => rows.map((row) => row[at] ?? 0).sort((a, b) => a - b)[ROUNDS >> 1] ?? 0;
    const parts = MARKS.map(
      (mark, at) => `to ${mark}: ${median(2 * at).toFixed(1)} ms of CPU, ${median(2 * at + 1).toFixed(1)} ms`,
    );
    console.log(
      `warm_up_ms: ${warmUpMs} · start ${median(2 * MARKS.length).toFixed(0)} ms of CPU · each request ${parts.join(' · ')}`,
    );
  }
} finally {
  provider.close();
  provider.closeAllConnections();
  await rm(folder, { recursive: true, force: true });
}

/** Per stretch the CPU of each request and their median time, then the CPU of the start. */
async function firstRequests(warmUpMs: number, name: string): Promise<number[]> {
  const file = join(folder, `${name}.json`);
  await writeFile(file, configuration(warmUpMs, join(folder, name)));
  const args = ['--import', './scripts/strip-types.js', 'src/main.ts', 'serve', '--config', file];
  const gateway = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    const url = await untilReady(gateway);
    const start = cpuMs(gateway);
    await delay(IDLE_MS);
    const row: number[] = [];
    let sent = 0;
    for (const mark of MARKS) {
      const before = cpuMs(gateway);
      const times: number[] = [];
      for (; sent < mark; sent += 1) times.push(await ask(`${url}/chat/completions`, agent));
      await delay(BEHIND_MS);
      row.push((cpuMs(gateway) - before) / times.length, times.sort((a, b) => a - b)[times.length >> 1] ?? 0);
    }
    return [...row, start];
  } finally {
    agent.destroy();
    const exited = once(gateway, 'exit');
    if (gateway.kill('SIGTERM')) await exited;
  }
}

/** JSON is YAML, and several documents are a stream of it. */
function configuration(warmUpMs: number, dataDir: string): string {
  const { port } = provider.address() as AddressInfo;
  const model = {
    name: 'model',
    type: 'integration/model/self-hosted-model',
    hosted_model_name: 'model',
    url: `http://127.0.0.1:${port}/v1`,
    model_server: 'openai-compatible',
    model_types: ['chat'],
  };
  const rule = { id: 'all', when: {}, limit_to: 1_000_000, unit: 'requests_per_minute' };
  const listen = { host: '127.0.0.1', port: 0 };
  return [
    { type: 'sluice/server', listen, operator: listen, threads: 1, data_dir: dataDir, warm_up_ms: warmUpMs },
    { type: 'sluice/api-keys', keys: [{ name: 'first', key: KEY, subject: 'virtualaccount:first' }] },
    { type: 'provider-account/self-hosted-model', name: 'own', integrations: [model] },
    { type: 'gateway-rate-limiting-config', rules: [rule] },
  ]
    .map((document) => JSON.stringify(document))
    .join('\n---\n');
}

/** Resolves with the base URL. */
function untilReady(gateway: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    gateway.stdout?.on('data', (bytes) => {
      output += bytes;
      const url = /Sluice is ready: (\S+)/.exec(output)?.[1];
      if (url !== undefined) resolve(url);
    });
    gateway.once('close', () => reject(new Error(`it ended before it was ready:\n${output}`)));
  });
}

function ask(url: string, agent: Agent): Promise<number> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
    const asked = request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume().on('end', () => {
        if (response.statusCode === 200) resolve(performance.now() - startedAt);
        else reject(new Error(`answered ${response.statusCode}`));
      });
    });
    asked.on('error', reject).end(body);
  });
}

/** The CPU time of all threads that live; the ticks of /proc/PID/stat are too coarse. */
function cpuMs({ pid }: ChildProcess): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // It has ended since the folder was read.
    }
  }
  return nanoseconds / 1e6;
}
