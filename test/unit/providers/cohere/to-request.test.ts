import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cohereChatWire } from '../../../../src/providers/cohere/wire.ts';
import { cohereSchema } from '../../../support/strict-vendors.ts';
import { translateRequest } from '../../../support/translated-chat.ts';

const MODEL = 'command-a-03-2025';
const THINKER = 'command-a-reasoning-08-2025';
const hello = [{ role: 'user', content: 'Hello' }];
const call = { id: 'a', type: 'function', function: { name: 'f', arguments: '{"n":1}' } };
const tool = (name: string) => ({ type: 'function', function: { name, parameters: { type: 'object' }, strict: true } });

function sent(body: object, model = MODEL) {
  const made = translateRequest(cohereChatWire, { messages: hello, ...body }, model);
  assert.ok(typeof made === 'string', `refused: ${made}`);
  return JSON.parse(made);
}

function refused(body: object): [string, string | undefined] {
  const made = translateRequest(cohereChatWire, { messages: hello, ...body }, MODEL);
  assert.ok(typeof made !== 'string');
  return made;
}

test('the least request to Cohere holds the messages and nothing that was not asked', () => {
  assert.deepEqual(sent({}), {
    model: MODEL,
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
    stream: false,
  });
});

test('sampling, limits and stops go to Cohere under its own names', () => {
  const body = sent({
    max_completion_tokens: 9,
    temperature: 0.5,
    top_p: 0.9,
    top_k: 3,
    stop: ['a', ''],
    seed: 7,
    frequency_penalty: 0.1,
    presence_penalty: 0.2,
    logprobs: true,
    safety_mode: 'STRICT',
    stream: true,
    stream_options: { include_usage: true },
  });
  const { messages: _messages, ...rest } = body;
  assert.deepEqual(rest, {
    model: MODEL,
    stream: true,
    max_tokens: 9,
    temperature: 0.5,
    p: 0.9,
    k: 3,
    stop_sequences: ['a'],
    seed: 7,
    frequency_penalty: 0.1,
    presence_penalty: 0.2,
    logprobs: true,
    safety_mode: 'STRICT',
  });
});

test('a choice of one function is sent to Cohere as a must with that function alone', () => {
  const tools = [tool('f'), tool('g')];
  const named = sent({ tools, tool_choice: { type: 'function', function: { name: 'g' } } });
  assert.deepEqual([named.tool_choice, named.tools.length, named.tools[0].function.name], ['REQUIRED', 1, 'g']);
  assert.equal(sent({ tools, tool_choice: 'none' }).tool_choice, 'NONE');
  assert.equal(sent({ tools, tool_choice: 'auto' }).tool_choice, undefined);
  assert.equal(sent({ tools }).tools[0].function.strict, undefined);
});

test('Cohere is asked to think only where the model can, and effort becomes a budget', () => {
  assert.equal(sent({ reasoning_effort: 'high' }).thinking, undefined);
  assert.deepEqual(sent({ reasoning_effort: 'high' }, THINKER).thinking, { type: 'enabled' });
  assert.deepEqual(sent({ reasoning_effort: 'low' }, THINKER).thinking, { type: 'enabled', token_budget: 2048 });
  assert.deepEqual(sent({ reasoning_effort: 'none' }, THINKER).thinking, { type: 'disabled' });
  const thinking = { type: 'enabled', budget_tokens: 500 };
  assert.deepEqual(sent({ thinking }, THINKER).thinking, { type: 'enabled', token_budget: 500 });
});

test('reasoning goes back to Cohere as a plan or as thoughts, and another vendor’s signed reasoning does not', () => {
  const said = { role: 'assistant', content: null, reasoning_content: 'I look.', tool_calls: [call] };
  const result = { role: 'tool', tool_call_id: 'a', content: 'ok' };
  const messages = [...hello, said, result];
  assert.deepEqual(sent({ messages }).messages[1], {
    role: 'assistant',
    tool_plan: 'I look.',
    tool_calls: [call],
  });
  assert.deepEqual(sent({ messages }, THINKER).messages[1].content, [{ type: 'thinking', thinking: 'I look.' }]);
  const foreign = { ...said, thinking_blocks: [{ type: 'thinking', thinking: 'x', signature: 'gemini.AAAA' }] };
  const { content, tool_plan: plan } = sent({ messages: [...hello, foreign, result] }, THINKER).messages[1];
  assert.deepEqual([content, plan], [undefined, undefined]);
});

test('a list of objects that a tool found becomes documents for Cohere, every digit kept; other results stay text', () => {
  const result = (content: unknown) =>
    sent({
      messages: [...hello, { role: 'assistant', tool_calls: [call] }, { role: 'tool', tool_call_id: 'a', content }],
    }).messages[2].content;
  assert.deepEqual(result('[{"id":"d1","text":"x"},{"url":"https://a.example","n":1}]'), [
    { type: 'document', document: { id: 'd1', data: { id: 'd1', text: 'x' } } },
    { type: 'document', document: { id: 'https://a.example', data: { url: 'https://a.example', n: 1 } } },
  ]);
  assert.equal(result('{"roll":1}'), '{"roll":1}');
  assert.equal(result('[1]'), '[1]');
  assert.equal(result(''), '');
  assert.deepEqual(
    result([
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ]),
    [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ],
  );
  const made = translateRequest(
    cohereChatWire,
    {
      messages: [
        ...hello,
        { role: 'assistant', tool_calls: [call] },
        { role: 'tool', tool_call_id: 'a', content: '[{"n":12345678901234567890}]' },
      ],
    },
    MODEL,
  );
  assert.match(String(made), /12345678901234567890/);
});

test('files of text are documents beside the messages of Cohere, before those that the client sent', () => {
  const file = (filename: string, type: string) => ({
    type: 'file',
    file: { filename, file_data: `data:${type};base64,${Buffer.from('Grüezi').toString('base64')}` },
  });
  const documents = [{ id: 'mine', data: { text: 'x' } }];
  const messages = [{ role: 'user', content: [{ type: 'text', text: 'Read.' }, file('a.txt', 'text/plain')] }];
  assert.deepEqual(sent({ messages, documents }).documents, [
    { id: 'doc:0', data: { title: 'a.txt', text: 'Grüezi' } },
    ...documents,
  ]);
  const pdf = [{ role: 'user', content: [file('a.pdf', 'application/pdf')] }];
  assert.deepEqual(refused({ messages: pdf }), ['unsupported_parameter', 'messages']);
});

test('a parameter that Cohere cannot express is refused by name, and a harmless one is left out', () => {
  for (const [key, value] of Object.entries({
    n: 2,
    top_logprobs: 3,
    logit_bias: { 1: 2 },
    modalities: ['audio'],
    audio: { voice: 'x' },
    web_search_options: {},
    functions: [],
    function_call: 'auto',
  })) {
    assert.deepEqual(refused({ [key]: value }), ['unsupported_parameter', key], key);
  }
  const native = [{ type: 'web_search' }];
  assert.deepEqual(refused({ tools: native }), ['unsupported_parameter', 'tools[0].type']);
  const harmless = { n: 1, store: true, metadata: { a: 'b' }, user: 'u', service_tier: 'auto', logit_bias: {} };
  assert.deepEqual(Object.keys(sent({ ...harmless, parallel_tool_calls: false })), ['model', 'messages', 'stream']);
});

const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA', detail: 'low' } };
const REQUESTS: Record<string, object> = {
  'the least request': {},
  'roles and images': {
    messages: [
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'text', text: 'See' }, image] },
      { role: 'assistant', content: 'A square.' },
      { role: 'system', content: 'Be kind.' },
      { role: 'user', content: 'And?' },
    ],
  },
  'calls with reasoning': {
    messages: [
      ...hello,
      { role: 'assistant', content: 'Well', reasoning_content: 'I look.', tool_calls: [call] },
      { role: 'tool', tool_call_id: 'a', content: '[{"text":"x"}]' },
    ],
    tools: [tool('f')],
    tool_choice: 'required',
    reasoning_effort: 'low',
  },
  'a schema': {
    response_format: { type: 'json_schema', json_schema: { name: 'n', schema: { type: 'object' } } },
    max_tokens: 4,
    stop: 'x',
    top_p: 0.4,
    top_k: 2,
    seed: 1,
    frequency_penalty: 0,
    presence_penalty: 0,
    logprobs: true,
    documents: [{ data: { text: 'x' } }, 'y'],
    citation_options: { mode: 'FAST' },
  },
};

for (const [what, body] of Object.entries(REQUESTS)) {
  for (const model of [MODEL, THINKER]) {
    test(`Cohere’s SDK knows every field that is sent: ${what} to ${model}`, () => {
      // `stream` tells the SDK which schema holds; it is no field of either.
      const { stream: _stream, ...made } = sent(body, model);
      for (const name of ['V2ChatRequest', 'V2ChatStreamRequest'] as const) {
        const parsed = cohereSchema(name).parse(made, { unrecognizedObjectKeys: 'fail' });
        assert.ok(parsed.ok, JSON.stringify(parsed));
      }
    });
  }
}
