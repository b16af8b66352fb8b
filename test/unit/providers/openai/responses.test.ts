import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import { anthropicMessages } from '../../../../src/dialects/anthropic-messages/index.ts';
import type { InferenceEvent } from '../../../../src/inference/event.ts';
import { openAiOwnChatWire } from '../../../../src/providers/openai/wire.ts';
import { openAiChatWire } from '../../../../src/providers/openai-compatible/wire.ts';
import { translateRequest } from '../../../../src/relay/request-translation.ts';
import { cuttings } from '../../../support/cuttings.ts';
import { exampleTarget } from '../../../support/targets.ts';
import { messageStream, messageWhole } from '../../../support/translated-messages.ts';

const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../../../fixtures/responses', name));
const MODEL = 'gpt-5.6-terra';
const tool = { name: 'weather', description: 'd', input_schema: { type: 'object', properties: { city: {} } } };
const hello = { role: 'user', content: 'Hello' };

/** From a client's message to what OpenAI is asked, and where. */
function asked(body: object, model = MODEL, wire = openAiOwnChatWire): { path: string; body: Record<string, unknown> } {
  const request = Buffer.from(JSON.stringify({ max_tokens: 4_000, messages: [hello], ...body }));
  const { translation } = anthropicMessages;
  const target = { ...exampleTarget, modelId: model };
  const made = translateRequest(translation, wire.translation!, target, {
    body: request,
    cacheMarker: undefined,
  });
  assert.ok(!(made instanceof GatewayError) && Buffer.isBuffer(made.body), 'it can be asked');
  const path = made.path ?? wire.path(exampleTarget, { stream: false });
  return { path, body: JSON.parse(made.body.toString()) };
}

test('a message with tools is asked of OpenAI as a response where the model refuses functions in a chat', () => {
  const { path, body } = asked({ tools: [tool], tool_choice: { type: 'any' }, system: 'Be brief.' });
  assert.equal(path, '/responses');
  assert.deepEqual(body, {
    input: [
      { type: 'message', role: 'developer', content: [{ type: 'input_text', text: 'Be brief.' }] },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hello' }] },
    ],
    model: MODEL,
    store: false,
    include: ['reasoning.encrypted_content'],
    tools: [{ type: 'function', name: 'weather', description: 'd', parameters: tool.input_schema, strict: false }],
    tool_choice: 'required',
    max_output_tokens: 4_000,
  });
  for (const model of ['gpt-5.4-mini', 'gpt-5.5', 'gpt-6-luna'])
    assert.equal(asked({ tools: [tool] }, model).path, path);
  for (const model of ['gpt-5.1-codex', 'gpt-5-pro', 'o3-pro']) assert.equal(asked({}, model).path, path, model);
  for (const model of ['gpt-4o', 'gpt-5', 'gpt-5.2', 'gpt-5.4-chat-latest', 'ft:gpt-4.1:a']) {
    assert.equal(asked({ tools: [tool] }, model).path, '/chat/completions', model);
  }
  assert.equal(asked({}).path, '/chat/completions');
});

test('a host that has no Responses is asked for functions without reasoning, which its model would refuse beside them', () => {
  const thinking = { type: 'enabled', budget_tokens: 20_000 };
  const effort = (body: object, model?: string) =>
    asked({ thinking, ...body }, model, openAiChatWire).body['reasoning_effort'];
  assert.deepEqual(
    [effort({ tools: [tool] }), effort({}), effort({ tools: [tool] }, 'gpt-5.2')],
    ['none', 'high', 'high'],
  );
});

test('an effort that a model of OpenAI’s has no word for is the nearest that it knows', () => {
  const word = (effort: string, model: string) =>
    asked({ thinking: { type: 'adaptive' }, output_config: { effort } }, model).body['reasoning_effort'];
  const words = (model: string) => ['minimal', 'high', 'xhigh', 'max'].map((effort) => word(effort, model));
  assert.deepEqual(words('gpt-5'), ['minimal', 'high', 'high', 'high']);
  assert.deepEqual(words('gpt-5.1'), ['low', 'high', 'high', 'high']);
  assert.deepEqual(words('gpt-5.6-sol'), ['low', 'high', 'xhigh', 'xhigh']);
  assert.deepEqual(words('openai/gpt-6-astra'), ['low', 'high', 'xhigh', 'xhigh']);
});

test('effort, format and the least number of tokens are told to OpenAI in the words of Responses', () => {
  const schema = { type: 'object', properties: {}, additionalProperties: false };
  const { body } = asked({
    tools: [tool],
    max_tokens: 1,
    thinking: { type: 'enabled', budget_tokens: 20_000 },
    output_config: { format: { type: 'json_schema', schema } },
  });
  assert.equal(body['max_output_tokens'], 16);
  assert.deepEqual(body['reasoning'], { effort: 'high' });
  const { format } = body['text'] as { format: { type: string; schema: object } };
  assert.deepEqual([format.type, format.schema], ['json_schema', schema]);
});

test('calls, results, images and what OpenAI encrypted go back to it in their order, reasoning of others does not', () => {
  const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } };
  const { body } = asked({
    tools: [tool],
    messages: [
      hello,
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: '', signature: 'sluice.openai.gAAA_b==' },
          { type: 'thinking', thinking: 'hm', signature: 'sluice.gemini.Cg==' },
          { type: 'text', text: 'I look.' },
          { type: 'tool_use', id: 'call_1_sluicesig_', name: 'weather', input: { id: 1 } },
          { type: 'tool_use', id: `functions.weather:${'1'.repeat(80)}`, name: 'weather', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'call_1_sluicesig_', content: [{ type: 'text', text: 'a' }, image] },
          { type: 'tool_result', tool_use_id: `functions.weather:${'1'.repeat(80)}`, content: 'away', is_error: true },
          { type: 'text', text: 'Go on' },
        ],
      },
    ],
  });
  const items = body['input'] as Record<string, unknown>[];
  const [, reasoning, said, one, other, result, failed, goOn] = items;
  assert.deepEqual(reasoning, { type: 'reasoning', summary: [], encrypted_content: 'gAAA_b==' });
  assert.deepEqual(said!['content'], [{ type: 'output_text', text: 'I look.', annotations: [] }]);
  assert.deepEqual(one, { type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '{"id":1}' });
  assert.match(String(other!['call_id']), /^[\w-]{1,64}$/);
  assert.deepEqual(result, {
    type: 'function_call_output',
    call_id: 'call_1',
    output: [
      { type: 'input_text', text: 'a' },
      { type: 'input_image', image_url: 'data:image/png;base64,AAAA', detail: 'auto' },
    ],
  });
  assert.deepEqual([failed!['call_id'], failed!['output']], [other!['call_id'], 'The call failed: away']);
  assert.deepEqual(goOn!['content'], [{ type: 'input_text', text: 'Go on' }]);
  assert.equal(items.length, 8);
});

const SSE = /^data: (.*)$/gm;
const told = (stream: string) => [...stream.matchAll(SSE)].map(([, data]) => JSON.parse(data!));

for (const name of ['text.sse', 'calls.sse', 'incomplete.sse']) {
  test(`a response of OpenAI is one message, however its stream is cut, and the same as the whole: ${name}`, () => {
    const bytes = fixture(name);
    const whole = messageStream(openAiOwnChatWire, [bytes]);
    for (const chunks of cuttings(bytes, 100)) assert.equal(messageStream(openAiOwnChatWire, chunks), whole);
    const last = told(bytes.toString()).at(-1).response;
    const message = JSON.parse(messageWhole(openAiOwnChatWire, Buffer.from(JSON.stringify(last))));
    const events = told(whole);
    const stop = events.findLast(({ type }) => type === 'message_delta');
    assert.equal(stop.delta.stop_reason, message.stop_reason);
    assert.equal(stop.usage.output_tokens, message.usage.output_tokens);
    const joined = (kind: string) =>
      events.map(({ delta }) => (delta?.type === kind ? (delta.text ?? delta.partial_json) : '')).join('');
    const texts = (type: string) => message.content.filter((block: { type: string }) => block.type === type);
    assert.equal(
      joined('text_delta'),
      texts('text')
        .map(({ text }: { text: string }) => text)
        .join(''),
    );
    const inputs = texts('tool_use').map(({ input }: { input: object }) => input);
    const starts = events.filter(({ content_block: block }) => block?.type === 'tool_use');
    assert.deepEqual(starts.length, inputs.length);
    if (inputs.length === 1) assert.deepEqual(JSON.parse(joined('input_json_delta')), inputs[0]);
  });
}

test('reasoning that OpenAI encrypted comes to a client of another form, marked as OpenAI’s', () => {
  const events = told(messageStream(openAiOwnChatWire, [fixture('text.sse')]));
  const signed = events.find(({ delta }) => delta?.type === 'signature_delta');
  assert.match(signed.delta.signature, /^sluice\.openai\.gAAAA/);
});

function read(...events: object[]): { events: InferenceEvent[]; complete: boolean } {
  const reader = openAiOwnChatWire.translation!.eventReader!();
  const out: InferenceEvent[] = [];
  for (const event of events) reader.fromEvent((event as { type?: string }).type, JSON.stringify(event), out);
  return { events: out, complete: reader.complete };
}

test('a response of OpenAI that fails is a failure, and one that is cut is not complete', () => {
  const created = { type: 'response.created', response: { id: 'r', status: 'in_progress' } };
  const error = { code: 'rate_limit_exceeded', message: 'Slow down.' };
  const failed = read(created, { type: 'response.failed', response: { status: 'failed', error } }).events.at(-1);
  assert.ok(failed?.type === 'error');
  assert.deepEqual([failed.status, failed.errorType, failed.message], [429, 'rate_limit_exceeded', 'Slow down.']);
  const overloaded = { error: { code: 'server_is_overloaded', message: 'Later.' } };
  const chat = read(overloaded).events.at(-1);
  assert.deepEqual(chat?.type === 'error' && chat.status, 503);
  for (const events of [[created, { type: 'error', ...error }], [{ type: 'error', ...error }]]) {
    const last = read(...events).events.at(-1);
    assert.ok(last?.type === 'error' && last.message === 'Slow down.' && last.status === 429);
  }
  assert.equal(read(created, { type: 'response.output_text.delta', delta: 'x' }).complete, false);
  assert.equal(openAiOwnChatWire.translation!.fromResponse(Buffer.from('[]')) instanceof GatewayError, true);
});

test('a chat of OpenAI is read as one by the wire that asks either', () => {
  const chunk = { choices: [{ index: 0, delta: { content: 'Hi' }, finish_reason: 'stop' }] };
  const { events } = read(chunk);
  assert.deepEqual(
    events.map(({ type }) => type),
    ['start', 'text', 'finish'],
  );
});
