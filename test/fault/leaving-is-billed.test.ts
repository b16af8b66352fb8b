import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { budgetsOf, pricedAccount, startBudgetGateway } from '../support/budgets.ts';
import { ChatStream, messages } from '../support/chat-client.ts';
import { eventually, type RunningGateway } from '../support/gateway.ts';
import { type Answer, chunkEvent, type FakeProvider, startProvider } from '../support/provider.ts';
import { byModel, startEvents } from '../support/scripted-provider.ts';

const PIECES = 40;
/** About five tokens. */
const PIECE = 'many words are said here ';
/** More than wait to be counted at a time. */
const CLIENTS = 200;

const event = (type: string, more: object): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
const delta = (text: string): string => event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } });

let provider: FakeProvider;
let gateway: RunningGateway;
before(async () => {
  const words: Answer = (_request, response) => {
    startEvents(response);
    for (let index = 0; index < PIECES; index += 1) response.write(chunkEvent({ content: PIECE }));
    response.write(chunkEvent({ content: 'LAST' }));
  };
  provider = await startProvider(
    byModel({
      m: words,
      one: words,
      c: (_request, response) => {
        startEvents(response);
        const usage = { input_tokens: 10, output_tokens: 1 };
        response.write(event('message_start', { message: { id: 'x', role: 'assistant', content: [], usage } }));
        response.write(event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }));
        for (let index = 0; index < PIECES; index += 1) response.write(delta(PIECE));
        response.write(delta('LAST'));
      },
    }),
  );
  const cost = { metric: 'per_1000_tokens', value: { input: 0, output: 1 } };
  gateway = await startBudgetGateway({
    manifests: [
      pricedAccount('p', `${provider.origin}/v1`, ['m', 'one']),
      {
        type: 'provider-account/anthropic',
        name: 'a',
        base_url: provider.origin,
        auth_data: { type: 'api-key', api_key: 'sk-of-the-provider' },
        integrations: [{ name: 'c', type: 'integration/model/anthropic', model_id: 'c', model_types: ['chat'], cost }],
      },
      {
        type: 'gateway-rate-limiting-config',
        rules: [{ id: 'one', when: { models: ['p/one'] }, unit: 'concurrent_requests', limit_to: 1 }],
      },
      {
        type: 'gateway-budget-config',
        rules: [{ id: 'b', unit: 'cost_per_day', limit_to: 100_000, budget_applies_per: ['model'] }],
      },
    ],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await provider?.close();
});

async function leave(model: string, clients: number): Promise<void> {
  const streams = Array.from({ length: clients }, () => new ChatStream(gateway, { model, messages, stream: true }));
  await Promise.all(streams.map((stream) => stream.until('LAST')));
  for (const stream of streams) stream.leave();
  await eventually('all are settled', async () => (await gateway.metric('sluice_reservations_open')) === 0, 20_000);
}

function charged(model: string, leastDollars: number): Promise<void> {
  return eventually(`${model} is charged ${leastDollars} dollars`, async () => {
    const { data } = await budgetsOf(gateway);
    return data.some(({ group, spent }) => group === model && spent > leastDollars);
  });
}

test('a client with one request at a time that stops an answer may ask anew at once, while its tokens are counted', {
  timeout: 60_000,
}, async () => {
  const body = { model: 'p/one', messages, stream: true };
  const first = new ChatStream(gateway, body);
  await first.until('LAST');
  const second = new ChatStream(gateway, body);
  assert.equal((await second.head()).status, 429);
  first.leave();
  // The first estimate starts a thread and loads a vocabulary.
  await eventually('the gateway has seen it', async () => (await gateway.metric('sluice_in_flight')) === 0);
  assert.equal(await gateway.metric('sluice_reservations_open'), 1);
  const third = new ChatStream(gateway, body);
  assert.equal((await third.head()).status, 200);
  third.leave();
  await eventually('all are settled', async () => (await gateway.metric('sluice_reservations_open')) === 0);
});

test('clients that leave all at once pay for what they were sent, however many they are', {
  timeout: 60_000,
}, async () => {
  await leave('p/m', CLIENTS);
  // At 2 dollars per 1,000 tokens; the least that anybody could take it for is a token a word.
  await charged('p/m', (CLIENTS * PIECES * 4 * 2) / 1_000);
});

test('a client that leaves before the last count pays for what was sent, and not for the first count', {
  timeout: 60_000,
}, async () => {
  await leave('a/c', 1);
  await charged('a/c', (PIECES * 4) / 1_000);
});
