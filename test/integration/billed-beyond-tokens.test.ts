import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { ask, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { byModel, openAccount, startEvents } from '../support/scripted-provider.ts';

const ADMIN_KEY = 'sk-admin-of-this-test';

type Receipt = Record<string, Record<string, unknown>>;

const usage = { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 };
/** gpt-5: 1.25 dollars for a million tokens of input, 10 of output. */
const STANDARD_NANO_USD = 1000 * 1250 + 100 * 10_000;

const chunk = (choices: object[], more: object) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices, ...more })}\n\n`;

/** A stream that ends as its provider does: what was used stands in its last event. */
function streamed(last: string) {
  return (_request: unknown, response: Parameters<typeof startEvents>[0]) => {
    startEvents(response);
    response.write(chunk([{ index: 0, delta: { role: 'assistant', content: 'hi' }, finish_reason: null }], {}));
    response.end(`${last}data: [DONE]\n\n`);
  };
}

const finish = { index: 0, delta: {}, finish_reason: 'stop' };
const servedAs = (service_tier: string) => streamed(chunk([finish], {}) + chunk([], { usage, service_tier }));

let provider: FakeProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startProvider(
    byModel({
      'gpt-5': servedAs('priority'),
      'gpt-5-2025-08-07': servedAs('default'),
      'gpt-5-codex': (_request, response) =>
        sendJson(response, 200, { service_tier: 'priority', ...completion('k', usage) }),
      'gpt-5-mini': servedAs('scale'),
      'gpt-5.1': servedAs('default'),
      'gpt-5.1-2025-11-13': servedAs('default'),
      'gpt-5.1-codex': servedAs('default'),
      groq: streamed(chunk([finish], { x_groq: { id: 'r', usage: { prompt_tokens: 21, completion_tokens: 988 } } })),
      moonshot: streamed(chunk([{ ...finish, usage: { ...usage, cached_tokens: 900 } }], {})),
      byok: (_request, response) =>
        sendJson(
          response,
          200,
          completion('k', { ...usage, cost: 0, is_byok: true, cost_details: { upstream_inference_cost: 0.0360795 } }),
        ),
    }),
  );
  gateway = await startGateway({
    server: { operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY } },
    manifests: [
      openAccount('p', `${provider.origin}/v1`),
      {
        type: 'gateway-budget-config',
        name: 'budgets',
        rules: [{ id: 'all', when: {}, limit_to: 100, unit: 'cost_per_day' }],
      },
    ],
  });
});
disposeAfter(() => [gateway, provider]);

const admin = (path: string): Promise<Response> =>
  fetch(`${gateway.operatorUrl}${path}`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });

async function receiptOf(body: object): Promise<Receipt> {
  const response = await ask(gateway, { messages, max_tokens: 100, ...body });
  assert.equal(response.status, 200);
  await response.text();
  const id = response.headers.get('x-sluice-exchange-id') ?? '';
  await eventually(`a receipt of ${id}`, async () => (await admin(`/admin/receipts/${id}`)).status === 200, 10_000);
  return JSON.parse(await (await admin(`/admin/receipts/${id}`)).text());
}

test('an answer is billed by the tier it was served in, not by the one that was asked for', async () => {
  const priority = await receiptOf({ model: 'p/gpt-5', stream: true });
  assert.equal(priority['cost']?.['nano_usd'], 2 * STANDARD_NANO_USD);
  assert.deepEqual(priority['cost']?.['served_as'], { service_tier: 'priority' });
  assert.equal(Reflect.get(Object(Reflect.get(Object(priority['cost']?.['price_table']), 'rates')), 'multiplier'), 2);
  const standard = await receiptOf({ model: 'p/gpt-5-2025-08-07', stream: true, service_tier: 'priority' });
  assert.equal(standard['cost']?.['nano_usd'], STANDARD_NANO_USD);
  assert.deepEqual(standard['cost']?.['served_as'], {});
});

test('a whole answer is billed by its tier as a stream is', async () => {
  const receipt = await receiptOf({ model: 'p/gpt-5-codex' });
  assert.equal(receipt['cost']?.['nano_usd'], 2 * STANDARD_NANO_USD);
});

test('a budget holds the price of the tier that is asked for until the answer tells the one it was served in', async () => {
  // So long that the words of the tier make no difference.
  const content = 'What is held is what it may cost. '.repeat(500);
  // Models of one price that nothing was learned of.
  const held = async (model: string, more: object) => {
    const body = { model: `p/${model}`, stream: true, messages: [{ role: 'user', content }], ...more };
    return Number((await receiptOf(body))['cost']?.['reserved_nano_usd']);
  };
  const standard = await held('gpt-5.1', {});
  const priority = await held('gpt-5.1-2025-11-13', { service_tier: 'priority' });
  assert.ok(priority > 1.99 * standard && priority < 2.02 * standard, `${priority} to ${standard}`);
  const flex = await held('gpt-5.1-codex', { service_tier: 'flex' });
  assert.ok(flex >= standard && flex < 1.01 * standard, `${flex} to ${standard}`);
});

test('a tier without a price has an unknown cost that names it, and budgets are charged the most it can be', async () => {
  const charged = async (): Promise<number> => {
    const { data } = JSON.parse(await (await admin('/admin/budgets?budget=all')).text());
    return Math.round(data[0].spent * 1e9);
  };
  const before = await charged();
  const unknown = await receiptOf({ model: 'p/gpt-5-mini', stream: true });
  assert.equal(unknown['cost']?.['nano_usd'], null);
  assert.equal(unknown['cost']?.['unknown_part'], 'service_tier=scale');
  // gpt-5-mini is a fifth of gpt-5; six times is the dearest tier that anybody has.
  assert.equal(unknown['cost']?.['charged_nano_usd'], (6 * STANDARD_NANO_USD) / 5);
  assert.equal((await charged()) - before, (6 * STANDARD_NANO_USD) / 5);
  await eventually('the metric', async () => {
    return (await gateway.metric('sluice_unknown_cost_total', { part: 'service_tier' })) === 1;
  });
});

test('usage that a stream tells in x_groq or in its choice is metered, and not estimated', async () => {
  const groq = await receiptOf({ model: 'p/groq', stream: true });
  assert.deepEqual(
    [groq['usage']?.['source'], groq['usage']?.['input_tokens'], groq['usage']?.['output_tokens']],
    ['provider', 21, 988],
  );
  assert.equal(groq['cost']?.['unknown_part'], 'price');
  const moonshot = await receiptOf({ model: 'p/moonshot', stream: true });
  assert.deepEqual(
    [
      moonshot['usage']?.['source'],
      moonshot['usage']?.['input_tokens'],
      moonshot['usage']?.['cache_read_input_tokens'],
    ],
    ['provider', 1000, 900],
  );
});

test('with the customer’s own key behind a router the cost is what both billed, in log and receipt', async () => {
  const receipt = await receiptOf({ model: 'p/byok' });
  assert.equal(receipt['cost']?.['nano_usd'], 36_079_500);
  assert.equal(receipt['cost']?.['price_table'], 'reported');
  const line = () => gateway.records({ 'sluice.exchange.id': receipt['id'] })[0];
  await eventually('the line of the log', () => line() !== undefined);
  assert.equal(line()?.['sluice.cost.usd'], 0.0360795);
});

test('the ledger verifies answers that are billed beyond plain tokens, every cost computed again', async () => {
  const { verifyLedger } = await import('../../src/ledger/verify.ts');
  const { openExistingDatabase } = await import('../../src/store/database.ts');
  const { recomputedNanoUsd } = await import('../../src/usage/price-basis.ts');
  const database = await openExistingDatabase({ database: 'sqlite', dataDir: `${gateway.folder}/data` }, 0);
  const verified = await verifyLedger(database, recomputedNanoUsd);
  await database.close();
  assert.deepEqual(verified.faults, []);
  assert.ok(verified.recomputed >= 5 && verified.reported >= 1);
});
