import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures/responses', name));
const REFUSAL = 'Function tools with reasoning_effort are not supported in /v1/chat/completions. Use /v1/responses.';
const tools = [{ name: 'weather', input_schema: { type: 'object' as const } }];

let provider: FakeProvider;
let gateway: RunningGateway;
let client: Anthropic;

before(async () => {
  provider = await startProvider((request, response) => {
    const { stream, input } = JSON.parse(request.body.toString());
    if (request.path !== '/v1/responses') {
      sendJson(response, 400, { error: { message: REFUSAL, type: 'invalid_request_error' } });
      return;
    }
    const answered = input.some(({ type }: { type: string }) => type === 'function_call_output');
    if (stream === true) {
      startEvents(response);
      response.end(fixture(answered ? 'text.sse' : 'calls.sse'));
      return;
    }
    sendJson(response, 200, JSON.parse(fixture('text.json').toString()));
  });
  gateway = await startGateway({
    manifests: [
      openAccount('own', `${provider.origin}/v1`, {
        integrations: [
          { name: 'gpt', type: 'integration/model/openai', model_id: 'gpt-5.6', model_types: ['chat', 'responses'] },
        ],
      }),
    ],
  });
  client = new Anthropic({ apiKey: KEY, baseURL: gateway.url, maxRetries: 0 });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await provider?.[Symbol.asyncDispose]();
});

test('an agent of Anthropic’s form calls tools of a model that takes functions in Responses alone, turn after turn', async () => {
  const asked = { model: 'own/gpt', max_tokens: 1_000, tools };
  const messages: Anthropic.MessageParam[] = [{ role: 'user', content: 'How is the weather?' }];
  const called = await client.messages.stream({ ...asked, messages }).finalMessage();
  assert.equal(called.stop_reason, 'tool_use');
  const calls = called.content.filter((block) => block.type === 'tool_use');
  assert.ok(calls.length > 0 && calls.every(({ name }) => name !== ''));
  const results = calls.map(({ id }) => ({ type: 'tool_result' as const, tool_use_id: id, content: 'Rain.' }));
  messages.push({ role: 'assistant', content: called.content }, { role: 'user', content: results });
  const said = await client.messages.stream({ ...asked, messages }).finalMessage();
  assert.equal(said.stop_reason, 'end_turn');
  assert.ok(said.usage.output_tokens > 0);

  const { input } = JSON.parse(provider.requests.at(-1)!.body.toString());
  const ids = (type: string) =>
    input.filter((item: { type: string }) => item.type === type).map((item: { call_id: string }) => item.call_id);
  assert.deepEqual(ids('function_call_output'), ids('function_call'));
  assert.equal(ids('function_call').length, calls.length);

  const whole = await client.messages.create({ ...asked, messages });
  assert.equal(whole.content.find((block) => block.type === 'text') !== undefined, true);
  await eventually(
    'three exchanges are in the records',
    () => gateway.records({ 'http.route': '/messages' }).length === 3,
  );
  for (const record of gateway.records({ 'http.route': '/messages' }))
    assert.equal(record['sluice.outcome'], 'ok', JSON.stringify(record));
});
