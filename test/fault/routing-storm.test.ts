import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN_KEY, pricedAccount, startBudgetGateway } from '../support/budgets.ts';
import { ask, messages } from '../support/chat-client.ts';
import { eventually, type RunningGateway } from '../support/gateway.ts';
import {
  type Answer,
  chunkEvent,
  completion,
  DONE_EVENT,
  type FakeProvider,
  sendJson,
  startProvider,
  USAGE_EVENT,
} from '../support/provider.ts';
import { randomFrom } from '../support/random.ts';
import { startEvents } from '../support/scripted-provider.ts';

const CONNECTIONS = 24;
const STORM_MS = 6_000;
const TARGETS = ['a', 'b', 'c', 'd'];
/** Longer than the gateway waits for first content. */
const FIRST_CONTENT_MS = 300;

const random = randomFrom(17);
/** How each account behaves now; it changes while the storm goes on. */
const behaviour = new Map<string, keyof typeof ways>();
let provider: FakeProvider;
let gateway: RunningGateway;

const words = (account: string) => `of ${account} and of nobody else`;

const ways = {
  good:
    (account: string): Answer =>
    (request, response) => {
      if (!JSON.parse(request.body.toString()).stream) return sendJson(response, 200, completion(words(account)));
      startEvents(response);
      for (const word of words(account).split(/(?<= )/))
        response.write(chunkEvent({ role: 'assistant', content: word }));
      response.end(chunkEvent({}, 'stop') + USAGE_EVENT + DONE_EVENT);
    },
  fails: (): Answer => (_request, response) => sendJson(response, 500, { error: { message: 'no' } }),
  limits: (): Answer => (_request, response) =>
    sendJson(response, 429, { error: { message: 'slower' } }, { 'retry-after-ms': '200' }),
  hangs: (): Answer => () => {},
  refuses: (): Answer => (_request, response) => response.destroy(),
  'cut before content': (): Answer => (_request, response) => {
    startEvents(response);
    response.write(chunkEvent({ role: 'assistant' }));
    setImmediate(() => response.destroy());
  },
  'cut after content':
    (account: string): Answer =>
    (_request, response) => {
      startEvents(response);
      response.write(chunkEvent({ role: 'assistant', content: `of ${account}` }));
      setTimeout(() => response.destroy(), 20);
    },
  'error in a 200': (): Answer => (_request, response) => {
    startEvents(response);
    response.end('data: {"error":{"message":"overloaded"}}\n\n');
  },
  empty: (): Answer => (_request, response) => {
    startEvents(response);
    response.end();
  },
  'wrong kind': (): Answer => (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<html><title>maintenance</title></html>');
  },
} satisfies Record<string, (account: string) => Answer>;

const BAD = (Object.keys(ways) as (keyof typeof ways)[]).filter((way) => way !== 'good');

before(async () => {
  provider = await startProvider((request, response, incoming) => {
    const account = request.path.split('/')[1] ?? '';
    ways[behaviour.get(account) ?? 'good'](account)(request, response, incoming);
  });
  gateway = await startBudgetGateway({
    server: {
      threads: 2,
      timeouts: { first_byte_ms: FIRST_CONTENT_MS },
      routing: { out_ms: 300, max_out_ms: 1_000, slow_start_ms: 500 },
    },
    manifests: [
      ...TARGETS.map((name) => pricedAccount(name, `${provider.origin}/${name}/v1`, ['m'])),
      {
        type: 'provider-account/virtual-model',
        name: 'group',
        integrations: [
          {
            name: 'storm',
            type: 'integration/model/virtual',
            model_types: ['chat'],
            routing_config: {
              type: 'weight-based-routing',
              hedge: { after: 150, max_rate: 20 },
              load_balance_targets: TARGETS.map((name) => ({
                target: `${name}/m`,
                weight: 25,
                retry_config: { attempts: 1, delay: 20 },
              })),
            },
          },
        ],
      },
      {
        type: 'gateway-rate-limiting-config',
        rules: [{ id: 'open', limit_to: 1_000, unit: 'concurrent_requests' }],
      },
    ],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await provider?.close();
});

interface Told {
  readonly id: string;
  readonly kind: 'whole' | 'error' | 'cut';
}

/** One request, and what is wrong with what it got; every answer must be whole and of one target, or an error that says so. */
async function one(): Promise<Told> {
  const stream = random() < 0.7;
  const response = await ask(gateway, { model: 'group/storm', messages, stream });
  const id = response.headers.get('x-sluice-exchange-id') ?? '';
  const target = response.headers.get('x-tfy-resolved-model') ?? '';
  let text = '';
  let broken = false;
  try {
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) text += decoder.decode(bytes, { stream: true });
  } catch {
    broken = true;
  }
  if (response.status !== 200) {
    assert.ok([429, 502, 503, 504].includes(response.status), `${response.status} ${text}`);
    assert.equal(typeof JSON.parse(text).error.code, 'string');
    return { id, kind: 'error' };
  }
  const account = target.split('/')[0]!;
  if (broken || text.includes('"error"')) {
    // Cut behind its first content: what came before is of that target, and an error event is the last.
    if (stream) assert.match(text, /data: \{"error":.*\}\s*$/s, text);
    return { id, kind: 'cut' };
  }
  if (!stream) {
    assert.equal(JSON.parse(text).choices[0].message.content, words(account), text);
    return { id, kind: 'whole' };
  }
  const events = text.split('\n\n').filter((event) => event.startsWith('data: {'));
  const content = events.map((event) => JSON.parse(event.slice(6)).choices[0]?.delta.content ?? '').join('');
  assert.equal(content, words(account));
  assert.ok(text.endsWith(DONE_EVENT));
  return { id, kind: 'whole' };
}

test('every answer in a storm is whole and of one target, or the right error, and everything is given back', async () => {
  const until = performance.now() + STORM_MS;
  const told: Told[] = [];
  const weather = setInterval(() => {
    for (const name of TARGETS) behaviour.set(name, random() < 0.5 ? 'good' : BAD[Math.floor(random() * BAD.length)]!);
  }, 400);
  const client = async (): Promise<void> => {
    while (performance.now() < until) told.push(await one());
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, client)).finally(() => clearInterval(weather));
  behaviour.clear();
  const whole = told.filter(({ kind }) => kind === 'whole').length;
  assert.ok(told.length > 50, `${told.length} requests`);
  assert.ok(whole > told.length / 2, `${whole} of ${told.length} were whole`);
  await eventually('places are given back', async () => (await gateway.metric('sluice_in_flight')) === 0);
  await eventually('reservations are given back', async () => (await gateway.metric('sluice_reservations_open')) === 0);
  await eventually(
    'every receipt tells its hops',
    async () => {
      const { id } = told.findLast(({ kind }) => kind === 'whole')!;
      const headers = { authorization: `Bearer ${ADMIN_KEY}` };
      const receipt = await fetch(`${gateway.operatorUrl}/admin/receipts/${id}`, { headers });
      if (receipt.status !== 200) return false;
      const { route } = (await receipt.json()) as { route: { attempts: number; failed_attempts: unknown[] } };
      return route.failed_attempts.length === route.attempts - 1;
    },
    10_000,
  );
  // The storm is over: what was out comes back by itself.
  await eventually(
    'all targets are up again',
    async () => {
      await one();
      return (await gateway.metric('sluice_target_up')) === TARGETS.length;
    },
    15_000,
  );
});
