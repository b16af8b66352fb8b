import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { PRICE, pricedAccount, startBudgetGateway } from '../support/budgets.ts';
import { ask, ChatStream, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { type RunningGateway, recordOf } from '../support/gateway.ts';
import {
  type Answer,
  chunkEvent,
  DONE_EVENT,
  type FakeProvider,
  sendJson,
  startProvider,
} from '../support/provider.ts';
import { startEvents } from '../support/scripted-provider.ts';

/** Paths of the providers that are none of the gateway's own as they are written. */
const OPENAI = '/v1/%63hat/completions';
const ANTHROPIC = '/v1/%6dessages';
const GEMINI = '/gemini/gem/proxy/v1beta/models/m:streamGenerateContent?alt=sse';
const WORDS = 'one two three four five six seven eight nine ten eleven twelve ';

let provider: FakeProvider;
let gateway: RunningGateway;
let answer: Answer;

before(async () => {
  provider = await startProvider((...asked) => answer(...asked));
  gateway = await startBudgetGateway({
    manifests: [
      pricedAccount('oai', `${provider.origin}/v1`, ['m']),
      {
        type: 'provider-account/anthropic',
        name: 'claude',
        base_url: provider.origin,
        auth_data: { type: 'api-key', api_key: 'sk-ant' },
        integrations: [
          {
            name: 'm',
            type: 'integration/model/anthropic',
            model_id: 'm',
            model_types: ['chat'],
            cost: { metric: 'per_1000_tokens', value: PRICE },
          },
        ],
      },
      {
        type: 'provider-account/google-gemini',
        name: 'gem',
        base_url: `${provider.origin}/v1beta`,
        auth_data: { type: 'api-key', apiKey: 'sk-gem' },
        integrations: [
          {
            name: 'm',
            type: 'integration/model/gemini',
            model_id: 'm',
            model_types: ['chat'],
            cost: { metric: 'per_1000_tokens', value: PRICE },
          },
        ],
      },
    ],
  });
});
disposeAfter(() => [gateway, provider]);

const event = (type: string, more: object): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;

test('a stream that passes as it is and tells no usage is billed for an estimate', async () => {
  answer = (_request, response) => {
    startEvents(response);
    response.end(chunkEvent({ role: 'assistant', content: WORDS }) + chunkEvent({}, 'stop') + DONE_EVENT);
  };
  const headers = { 'x-request-id': 'untold-1', 'x-tfy-provider-name': 'oai' };
  const response = await ask(gateway, { model: 'm', messages, stream: true }, { path: OPENAI, headers });
  assert.equal(response.status, 200);
  await response.text();
  const record = await recordOf(gateway, 'untold-1');
  assert.equal(record['sluice.usage.source'], 'estimate');
  assert.ok(Number(record['gen_ai.usage.output_tokens']) >= 12, `${record['gen_ai.usage.output_tokens']}`);
  assert.ok(Number(record['sluice.cost.usd']) > 0);
});

test('a client that leaves a stream that passes as it is pays for what it got, not for a first count', async () => {
  answer = (_request, response) => {
    startEvents(response);
    const usage = { input_tokens: 5, output_tokens: 1 };
    response.write(event('message_start', { message: { id: 'msg_1', type: 'message', role: 'assistant', usage } }));
    response.write(event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }));
    response.write(event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: WORDS } }));
  };
  const asked = { model: 'm', max_tokens: 100, messages, stream: true };
  const headers = {
    'x-request-id': 'left-1',
    'x-tfy-provider-name': 'claude',
    'anthropic-version': '2023-06-01',
  };
  const client = new ChatStream(gateway, asked, { path: ANTHROPIC, headers });
  await client.until('twelve');
  client.leave();
  const record = await recordOf(gateway, 'left-1');
  assert.equal(record['gen_ai.usage.input_tokens'], 5);
  assert.ok(Number(record['gen_ai.usage.output_tokens']) >= 12, `${record['gen_ai.usage.output_tokens']}`);
});

test('a client that leaves a stream in a form of which only its provider’s wire tells pays for what it got', async () => {
  answer = (_request, response) => {
    startEvents(response);
    const candidate = { content: { role: 'model', parts: [{ text: WORDS }] } };
    response.write(`data: ${JSON.stringify({ candidates: [candidate] })}\r\n\r\n`);
  };
  const asked = { contents: [{ role: 'user', parts: [{ text: WORDS }] }] };
  const client = new ChatStream(gateway, asked, { path: GEMINI, headers: { 'x-request-id': 'left-2' } });
  await client.until('twelve');
  client.leave();
  const record = await recordOf(gateway, 'left-2');
  assert.equal(record['sluice.usage.source'], 'estimate');
  assert.ok(Number(record['gen_ai.usage.input_tokens']) >= 12, `${record['gen_ai.usage.input_tokens']}`);
  assert.ok(Number(record['gen_ai.usage.output_tokens']) >= 12, `${record['gen_ai.usage.output_tokens']}`);
  assert.ok(Number(record['sluice.cost.usd']) > 0);
});

test('a failure that passes as it is costs nothing, however long its words are', async () => {
  answer = (_request, response) => sendJson(response, 400, { error: { message: WORDS.repeat(50), type: 'no' } });
  const headers = { 'x-request-id': 'failed-1', 'x-tfy-provider-name': 'oai' };
  const response = await ask(gateway, { model: 'm', messages }, { path: OPENAI, headers });
  assert.equal(response.status, 400);
  await response.text();
  const record = await recordOf(gateway, 'failed-1');
  assert.equal(record['gen_ai.usage.output_tokens'], undefined);
  assert.equal(record['sluice.cost.usd'], undefined);
});
