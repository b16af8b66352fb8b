import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { ask, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';
import { busiestThread, threadTimes } from '../support/thread-times.ts';

const MODELS = 400;
const RULES = 1_000;
const KEYS = 2_000;
/** What a request may cost the relay thread in a reload, as a multiple of the most that one costs without. */
const MAX_RATIO = 3;
/** Two slices, what it takes to put all in force, and a young generation to collect: a calm span may have met none of them. */
const ALLOWED_MS = 6;
/** The best of several reloads counts: what else a thread has to do once in a while, compile or collect, falls into any. */
const RELOADS = 5;

let provider: FakeProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startProvider((_request, response) => sendJson(response, 200, completion('hello')));
  gateway = await startGateway({ server: { log: { access: 'off' } }, manifests: manifests(0) });
});
disposeAfter(() => [gateway, provider]);

/** Each reload changes a rule and a key, so that relay threads get all of it. */
function manifests(reload: number): object[] {
  const integrations = Array.from({ length: MODELS }, (_, at) => ({
    name: `m-${at}`,
    type: 'integration/model/openai',
    model_id: `m-${at}`,
    model_types: ['chat'],
  }));
  const rules = Array.from({ length: RULES }, (_, at) => ({
    id: `rule-${at}`,
    when: { subjects: [`user:${at}@example.com`] },
    limit_to: at === 0 ? 1 + reload : 1,
    unit: 'requests_per_minute',
  }));
  const keys = Array.from({ length: KEYS + reload }, (_, at) => ({
    name: `idle-${at}`,
    key: `sk-idle-${at}-0123456789abcdef`,
    subject: `user:${at}@example.com`,
  }));
  return [
    openAccount('p', `${provider.origin}/v1`, { integrations }),
    { type: 'gateway-rate-limiting-config', rules },
    { type: 'sluice/api-keys', keys },
  ];
}

async function small(): Promise<void> {
  const response = await ask(gateway, { model: 'p/m-1', messages }, { key: KEY });
  assert.equal(response.status, 200);
  await response.text();
}

/** The most milliseconds that the relay thread ran in any one request: the time in which it waited for a core is not in it. */
async function longestRun(thread: string, over: () => boolean): Promise<number> {
  let longest = 0;
  while (!over()) {
    const { ranMs } = threadTimes(gateway.pid, thread);
    await small();
    longest = Math.max(longest, threadTimes(gateway.pid, thread).ranMs - ranMs);
  }
  return longest;
}

test('a reload of a thousand rules and models keeps no request waiting for its relay thread', {
  skip: process.platform === 'linux' ? false : 'what a thread ran is read from /proc',
  timeout: 110_000,
}, async () => {
  for (let count = 0; count < 200; count += 1) await small();
  const { thread } = await busiestThread(gateway.pid, small);
  let asked = 0;
  const calmMs = await longestRun(thread, () => ++asked > 500);
  const runs: number[] = [];
  for (let reload = 1; reload <= RELOADS; reload += 1) {
    const loads = (): number => gateway.output().split('configuration reloaded').length;
    const before = loads();
    await gateway.configure(manifests(reload));
    runs.push(await longestRun(thread, () => loads() > before));
    if (runs.at(-1)! <= Math.max(ALLOWED_MS, MAX_RATIO * calmMs)) return;
  }
  const told = runs.map((ms) => ms.toFixed(1)).join(', ');
  assert.fail(`it ran ${told} ms in a request beside a reload, and ${calmMs.toFixed(1)} at the most without`);
});
