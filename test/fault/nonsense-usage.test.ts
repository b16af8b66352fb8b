import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, KEY, type RunningGateway, selfHosted, startGateway } from '../support/gateway.ts';
import { type FakeProvider, sendJson, startProvider } from '../support/provider.ts';

/** What a broken or hostile provider may say that it used. */
const NONSENSE: readonly unknown[] = [
  { prompt_tokens: 1e300, completion_tokens: 5 },
  { prompt_tokens: -5, completion_tokens: -7 },
  { prompt_tokens: 1.5, completion_tokens: 2.25 },
  { prompt_tokens: 2 ** 60, completion_tokens: 2 ** 60 },
  { prompt_tokens: 3, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 99_999 } },
  { prompt_tokens: '7', completion_tokens: null },
  { prompt_tokens: {}, completion_tokens: [1] },
  'usage',
  [],
  null,
];
const EACH = 20;

let provider: FakeProvider;
let gateway: RunningGateway;

before(async () => {
  provider = await startProvider((request, response) => {
    if (request.path.includes('/images/')) {
      sendJson(response, 200, { created: 1, data: [{ b64_json: 'AA==' }] });
      return;
    }
    const { user }: { user: number } = JSON.parse(request.body.toString());
    const message = { role: 'assistant', content: 'hello' };
    sendJson(response, 200, { choices: [{ index: 0, message, finish_reason: 'stop' }], usage: NONSENSE[user] });
  });
  gateway = await startGateway({
    manifests: [
      {
        type: 'provider-account/openai',
        name: 'pictures',
        base_url: `${provider.origin}/v1`,
        auth_data: { type: 'api-key', api_key: 'k' },
      },
      selfHosted('p', `${provider.origin}/v1`, ['m'], {
        cost: { metric: 'per_1000_tokens', value: { input: 0.001, output: 0.002 } },
      }),
      {
        type: 'gateway-budget-config',
        rules: [{ id: 'b', when: {}, limit_to: 1_000_000, unit: 'cost_per_day' }],
      },
    ],
  });
});

after(async () => {
  await gateway[Symbol.asyncDispose]();
  await provider.close();
});

test('nonsense usage from a provider costs the ledger no row, and nobody is refused for it', {
  timeout: 60_000,
}, async () => {
  const asked = NONSENSE.flatMap((_, user) => Array.from({ length: EACH }, () => user));
  const statuses = await Promise.all(
    asked.map(async (user) => {
      const response = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'p/m', user, messages: [{ role: 'user', content: 'Hello' }] }),
      });
      await response.text();
      return response.status;
    }),
  );
  assert.deepEqual(new Set(statuses), new Set([200]));
  await eventually('every exchange has its row', async () => {
    return (await gateway.metric('sluice_ledger_rows_total')) === asked.length;
  });
  assert.equal(await gateway.metric('sluice_ledger_lost_total'), 0);
  assert.equal(await gateway.metric('sluice_reservations_open'), 0);
});

test('a client cannot ask for so many images that the ledger loses the row', { timeout: 60_000 }, async () => {
  const rowsBefore = await gateway.metric('sluice_ledger_rows_total');
  const ask = async (n: string): Promise<number> => {
    const response = await fetch(`${gateway.url}/v1/images/generations`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      body: `{"model": "pictures/dall-e-3", "prompt": "a sluice", "n": ${n}}`,
    });
    await response.text();
    return response.status;
  };
  const counts = ['1', '16777216', '16777217', '9007199254740993', '1e20', '1e300'];
  const statuses = await Promise.all(counts.map(ask));
  assert.deepEqual(statuses, [200, 200, 400, 400, 400, 400]);
  await eventually('every exchange has its row', async () => {
    const rows = await gateway.metric('sluice_ledger_rows_total');
    return (rows ?? 0) - (rowsBefore ?? 0) === counts.length;
  });
  assert.equal(await gateway.metric('sluice_ledger_lost_total'), 0);
});
