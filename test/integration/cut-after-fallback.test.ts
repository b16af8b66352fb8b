import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { PRICE, pricedAccount, startBudgetGateway } from '../support/budgets.ts';
import { ask, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { type RunningGateway, recordOf } from '../support/gateway.ts';
import { chunkEvent, DONE_EVENT, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { startEvents } from '../support/scripted-provider.ts';

/** More than is held for an answer of a model that nobody has seen. */
const WORDS = 900;

let provider: FakeProvider;
let gateway: RunningGateway;

before(async () => {
  provider = await startProvider((request, response) => {
    if (request.path.startsWith('/failing/')) {
      sendJson(response, 500, { error: { message: 'no' } });
      return;
    }
    startEvents(response);
    if (request.path.startsWith('/silent/')) return;
    for (let word = 0; word < WORDS; word += 1) response.write(chunkEvent({ content: 'word' }));
    response.end(chunkEvent({}, 'stop') + DONE_EVENT);
  });
  const budget = (name: string, model: string, limit: number) => ({
    type: 'tenant-budget-config',
    name,
    when: { models: { in: [model] } },
    limits: { cost_per_day: limit },
    applies_to: { type: 'aggregate' },
    mode: 'cut',
  });
  const virtual = (name: string, targets: string[], more: object = {}) => ({
    name,
    type: 'integration/model/virtual',
    model_types: ['chat'],
    routing_config: {
      type: 'priority-based-routing',
      load_balance_targets: targets.map((target, priority) => ({
        target: `${target}/m`,
        priority,
        retry_config: { attempts: 0 },
      })),
      ...more,
    },
  });
  const dear = {
    ...pricedAccount('dear', `${provider.origin}/dear/v1`, []),
    integrations: [
      {
        name: 'm',
        type: 'integration/model/openai',
        model_id: 'm',
        model_types: ['chat'],
        cost: { metric: 'per_1000_tokens', value: { input: 10 * PRICE.input, output: 10 * PRICE.output } },
      },
    ],
  };
  gateway = await startBudgetGateway({
    manifests: [
      ...['failing', 'silent', 'good'].map((name) => pricedAccount(name, `${provider.origin}/${name}/v1`, ['m'])),
      dear,
      {
        type: 'provider-account/virtual-model',
        name: 'v',
        integrations: [
          virtual('failing-good', ['failing', 'good']),
          virtual('hedged', ['silent', 'good'], { hedge: { after: 50, max_rate: 100 } }),
          virtual('failing-dear', ['failing', 'dear']),
        ],
      },
      budget('wide-fallback', 'v/failing-good', 1_000),
      budget('wide-hedge', 'v/hedged', 1_000),
      budget('narrow', 'v/failing-dear', 4),
    ],
  });
});
disposeAfter(() => [gateway, provider]);

async function wordsOf(model: string, id: string): Promise<number> {
  const response = await ask(gateway, { model, messages, stream: true }, { headers: { 'x-request-id': id } });
  assert.equal(response.status, 200);
  return (await response.text()).split('"content":"word"').length - 1;
}

test('a budget that cuts streams lets the answer of a target go on that was asked after, or beside, the first', async () => {
  for (const model of ['v/failing-good', 'v/hedged']) assert.equal(await wordsOf(model, model), WORDS, model);
});

test('a stream of a target that was asked after the first is cut where its own price has spent the budget', async () => {
  const words = await wordsOf('v/failing-dear', 'dear-1');
  const record = await recordOf(gateway, 'dear-1');
  assert.equal(record['error.message'], 'cut by budget narrow');
  // $20 for 1,000 tokens of output, and the prompt.
  assert.ok(words > 100 && words * 0.02 <= 4, `${words} words`);
});
