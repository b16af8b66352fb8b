import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { ADMIN_KEY, pricedAccount, startBudgetGateway } from '../support/budgets.ts';
import { ask, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway } from '../support/gateway.ts';
import { type Answer, completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';

const CALLERS = 200;
const SHARE = 20;

/** By account: the first part of the path. */
const answers: Record<string, Answer> = {};
const ok: Answer = (request, response) =>
  sendJson(response, 200, completion(`of ${JSON.parse(request.body.toString()).model}`));
let provider: FakeProvider;
let gateway: RunningGateway;

const routed = (name: string, more: object) => ({
  name,
  type: 'integration/model/virtual',
  model_types: ['chat'],
  routing_config: {
    type: 'priority-based-routing',
    load_balance_targets: [{ target: 'old/m', priority: 0, retry_config: { attempts: 0 } }],
    ...more,
  },
});

before(async () => {
  provider = await startProvider((request, response, incoming) => {
    (answers[request.path.split('/')[1] ?? ''] ?? ok)(request, response, incoming);
  });
  gateway = await startBudgetGateway({
    keys: [
      { name: 'test', key: KEY, subject: 'virtualaccount:test' },
      ...Array.from({ length: CALLERS }, (_, n) => ({ name: `k${n}`, key: `key-${n}`, subject: `user:u${n}@x.com` })),
    ],
    manifests: [
      ...['old', 'new', 'dark'].map((name) => pricedAccount(name, `${provider.origin}/${name}/v1`, ['m'])),
      {
        type: 'provider-account/virtual-model',
        name: 'v',
        integrations: [
          routed('canary', { canary: { target: 'new/m', share: `${SHARE}%`, retry_config: { attempts: 0 } } }),
          routed('all', { canary: { target: 'new/m', share: 100, retry_config: { attempts: 0 } } }),
          routed('shadow', { shadow: { target: 'dark/m', max_concurrent: 2 } }),
          routed('charged', { shadow: { target: 'dark/m', charge_to_caller: true } }),
        ],
      },
    ],
  });
});
disposeAfter(() => [gateway, provider]);

const chat = (model: string, key = KEY) => ask(gateway, { model, messages }, { key });

async function askedBy(number: number): Promise<string | null> {
  const response = await chat('v/canary', `key-${number}`);
  await response.text();
  return response.headers.get('x-tfy-resolved-model');
}

interface Row {
  readonly id: string;
  readonly request_id: string;
  readonly subject: string;
  readonly target: string;
  readonly status: number;
}

async function rows(query: string): Promise<Row[]> {
  const headers = { authorization: `Bearer ${ADMIN_KEY}` };
  const answer = await fetch(`${gateway.operatorUrl}/admin/requests?limit=500&${query}`, { headers });
  const body: { requests: Row[] } = JSON.parse(await answer.text());
  return body.requests;
}

async function copyOf(id: string): Promise<Row> {
  let copy: Row | undefined;
  await eventually(
    'a row of the copy',
    async () => {
      copy = (await rows('model=dark/m')).find(({ request_id: of }) => of === id);
      return copy !== undefined;
    },
    10_000,
  );
  return copy!;
}

test('a canary gets its share of the callers, and each caller stays where it is', async () => {
  const first = await Promise.all(Array.from({ length: CALLERS }, (_, n) => askedBy(n)));
  const again = await Promise.all(Array.from({ length: CALLERS }, (_, n) => askedBy(n)));
  assert.deepEqual(again, first);
  const share = (100 * first.filter((target) => target === 'new/m').length) / CALLERS;
  // Three times the deviation of a share of 200 callers.
  const deviation = 100 * Math.sqrt((0.2 * 0.8) / CALLERS);
  assert.ok(Math.abs(share - SHARE) < 3 * deviation, `${share} %`);
});

test('a canary that fails before content falls back to the targets of all, and is never asked after one of them', async () => {
  const whole = await chat('v/all');
  assert.equal(whole.headers.get('x-tfy-resolved-model'), 'new/m');
  assert.equal(JSON.parse(whole.headers.get('x-tfy-applied-rules') ?? '').routing.hops[0].why, 'canary');
  await whole.text();
  answers['new'] = (_request, response) => sendJson(response, 500, {});
  const back = await chat('v/all');
  assert.deepEqual([back.status, back.headers.get('x-tfy-resolved-model')], [200, 'old/m']);
  await back.text();
  delete answers['new'];
  // This caller is not among its share.
  const other = await keyOfAnother();
  answers['old'] = (_request, response) => sendJson(response, 500, {});
  const failed = await chat('v/canary', other);
  assert.deepEqual([failed.status, failed.headers.get('x-tfy-resolved-model')], [502, 'old/m']);
  await failed.text();
  delete answers['old'];
});

async function keyOfAnother(): Promise<string> {
  for (let number = 0; number < CALLERS; number += 1) if ((await askedBy(number)) === 'old/m') return `key-${number}`;
  throw new Error('the canary has every caller');
}

test('a copy goes to the shadow, its answer is a row of its own, and neither slowness nor failure of it is felt', async () => {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  answers['dark'] = (request, response, incoming) => void held.then(() => ok(request, response, incoming));
  const response = await chat('v/shadow');
  assert.equal(response.headers.get('x-tfy-resolved-model'), 'old/m');
  assert.match(await response.text(), /of m/);
  const asked = () => provider.requests.filter(({ path }) => path.startsWith('/dark/')).length;
  await eventually('the copy', () => asked() === 1);
  // Two at once are the most, of each thread.
  for (let number = 0; number < 12; number += 1) await (await chat('v/shadow')).text();
  assert.ok(asked() <= 2 * 2, `${asked()}`);
  release();
  const copy = await copyOf(response.headers.get('x-sluice-exchange-id') ?? '');
  assert.deepEqual([copy.subject, copy.target, copy.status], ['virtualaccount:sluice-shadow', 'dark/m', 200]);
  answers['dark'] = (_request, answer) => sendJson(answer, 500, {});
  const next = await chat('v/shadow');
  assert.equal(next.status, 200);
  await next.text();
  assert.equal((await copyOf(next.headers.get('x-sluice-exchange-id') ?? '')).status, 502);
  delete answers['dark'];
});

test('a copy is one of its caller where the manifest says so', async () => {
  const response = await chat('v/charged');
  await response.text();
  const copy = await copyOf(response.headers.get('x-sluice-exchange-id') ?? '');
  assert.equal(copy.subject, 'virtualaccount:test');
});
