import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import { toInference } from '../../../../src/dialects/openai-chat/to-inference.ts';
import type { InferenceRequest } from '../../../../src/inference/request.ts';

const hello = [{ role: 'user', content: 'Hello' }];

function read(body: object): InferenceRequest {
  const request = toInference(Buffer.from(JSON.stringify(body)), 'the-model');
  assert.ok(!(request instanceof GatewayError), request instanceof GatewayError ? request.message : '');
  return JSON.parse(JSON.stringify(request));
}

function refused(body: unknown): [code: string, param: string | undefined] {
  const error = toInference(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), 'the-model');
  assert.ok(error instanceof GatewayError);
  return [error.code, error.context.param];
}

test('a parsed request has the provider’s model, and keeps what has no neutral name under its own key', () => {
  assert.deepEqual(read({ model: 'x/y', messages: hello, seed: 7, logprobs: null, custom: { a: [1] } }), {
    model: 'the-model',
    messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hello' }] }],
    stream: false,
    includeUsage: false,
    extra: { seed: 7, custom: { a: [1] } },
  });
});

test('every parameter with a neutral name is read', () => {
  const request = read({
    messages: hello,
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: 5,
    max_completion_tokens: 6,
    temperature: 1.5,
    top_p: 0.5,
    top_k: 40,
    stop: 'END',
    user: 'u-1',
    parallel_tool_calls: false,
    tools: [
      { type: 'function', function: { name: 'f', description: 'd', parameters: { type: 'object' }, strict: true } },
    ],
    tool_choice: { type: 'function', function: { name: 'f' } },
    response_format: { type: 'json_schema', json_schema: { name: 'n', schema: { type: 'object' }, strict: true } },
  });
  assert.deepEqual(request, {
    model: 'the-model',
    messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hello' }] }],
    stream: true,
    includeUsage: true,
    maxOutputTokens: 6,
    temperature: 1.5,
    topP: 0.5,
    topK: 40,
    stop: ['END'],
    user: 'u-1',
    parallelToolCalls: false,
    tools: [{ name: 'f', description: 'd', parameters: { type: 'object' }, strict: true, extra: {} }],
    toolChoice: { type: 'tool', name: 'f' },
    responseFormat: { type: 'json-schema', name: 'n', schema: { type: 'object' }, strict: true },
    extra: {},
  });
});

test('all ways to ask for reasoning are read', () => {
  const reasoning = (body: object) => read({ messages: hello, ...body }).reasoning;
  assert.deepEqual(reasoning({ reasoning_effort: 'high' }), { effort: 'high' });
  assert.deepEqual(reasoning({ reasoning: { effort: 'low', max_tokens: 2000, enabled: true } }), {
    effort: 'low',
    budgetTokens: 2000,
    enabled: true,
  });
  assert.deepEqual(reasoning({ thinking: { type: 'enabled', budget_tokens: 3000 } }), {
    budgetTokens: 3000,
    enabled: true,
  });
  assert.deepEqual(reasoning({ thinking: { type: 'disabled' }, reasoning_effort: 'low' }), {
    effort: 'low',
    enabled: false,
  });
  assert.equal(reasoning({}), undefined);
});

test('message parts of every kind are read, with their cache markers', () => {
  const marker = { type: 'ephemeral' };
  const content = [
    { type: 'text', text: 'see', cache_control: marker },
    { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBO', detail: 'low' } },
    { type: 'image_url', image_url: 'https://example.com/a.png' },
    { type: 'input_audio', input_audio: { data: 'UklG', format: 'wav' } },
    { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBE' } },
    { type: 'file', file: { file_id: 'file-1' } },
  ];
  assert.deepEqual(read({ messages: [{ role: 'user', content }] }).messages[0]?.parts, [
    { type: 'text', text: 'see', cacheControl: marker },
    { type: 'image', source: { mediaType: 'image/png', base64: 'iVBO' }, detail: 'low' },
    { type: 'image', source: { url: 'https://example.com/a.png' } },
    { type: 'audio', base64: 'UklG', format: 'wav' },
    { type: 'file', base64: 'JVBE', mediaType: 'application/pdf', filename: 'a.pdf' },
    { type: 'file', fileId: 'file-1' },
  ]);
});

test('a cache marker on a message stands on its last part', () => {
  const message = { role: 'system', content: 'long', cache_control: { type: 'ephemeral' } };
  assert.deepEqual(read({ messages: [message] }).messages[0]?.parts, [
    { type: 'text', text: 'long', cacheControl: { type: 'ephemeral' } },
  ]);
});

test('an assistant message gives its reasoning first, its calls last, and arguments untouched', () => {
  const { messages } = read({
    messages: [
      ...hello,
      {
        role: 'assistant',
        content: null,
        reasoning_content: 'ignored where blocks are there',
        thinking_blocks: [
          { type: 'thinking', thinking: 'hm', signature: 's' },
          { type: 'redacted_thinking', data: 'd' },
        ],
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{"n":1.0 }' } }],
      },
      { role: 'tool', tool_call_id: 'c1', content: 'done' },
      { role: 'assistant', content: 'ok', reasoning_content: 'text alone' },
    ],
  });
  assert.deepEqual(messages.slice(1), [
    {
      role: 'assistant',
      parts: [
        { type: 'reasoning', text: 'hm', signature: 's' },
        { type: 'redacted-reasoning', data: 'd' },
        { type: 'tool-call', id: 'c1', name: 'f', argumentsText: '{"n":1.0 }' },
      ],
    },
    { role: 'tool', parts: [{ type: 'tool-result', toolCallId: 'c1', parts: [{ type: 'text', text: 'done' }] }] },
    {
      role: 'assistant',
      parts: [
        { type: 'reasoning', text: 'text alone' },
        { type: 'text', text: 'ok' },
      ],
    },
  ]);
});

test('a fault of a chat request names its place as OpenAI does', () => {
  const user = (content: unknown) => ({ messages: [...hello, { role: 'user', content }] });
  assert.deepEqual(refused('{'), ['invalid_json', undefined]);
  assert.deepEqual(refused('[]'), ['invalid_json', undefined]);
  assert.deepEqual(refused({}), ['missing_parameter', 'messages']);
  assert.deepEqual(refused({ messages: [] }), ['invalid_parameter', 'messages']);
  assert.deepEqual(refused({ messages: ['x'] }), ['invalid_parameter', 'messages[0]']);
  assert.deepEqual(refused({ messages: [{ content: 'x' }] }), ['missing_parameter', 'messages[0].role']);
  assert.deepEqual(refused({ messages: [{ role: 'king', content: 'x' }] }), ['invalid_parameter', 'messages[0].role']);
  assert.deepEqual(refused({ messages: [{ role: 'user' }] }), ['missing_parameter', 'messages[0].content']);
  assert.deepEqual(refused(user(7)), ['invalid_parameter', 'messages[1].content']);
  assert.deepEqual(refused(user([{ type: 'text' }])), ['missing_parameter', 'messages[1].content[0].text']);
  assert.deepEqual(refused(user([{ type: 'video' }])), ['invalid_parameter', 'messages[1].content[0].type']);
  assert.deepEqual(refused(user([{ type: 'image_url', image_url: { url: 'ftp://x' } }])), [
    'invalid_parameter',
    'messages[1].content[0].image_url.url',
  ]);
  assert.deepEqual(refused({ messages: [{ role: 'tool', content: 'x' }] }), [
    'missing_parameter',
    'messages[0].tool_call_id',
  ]);
  assert.deepEqual(
    refused({ messages: [{ role: 'assistant', tool_calls: [{ id: 'a', function: { name: 'f', arguments: {} } }] }] }),
    ['invalid_parameter', 'messages[0].tool_calls[0].function.arguments'],
  );
  assert.deepEqual(refused({ messages: [{ role: 'function', name: 'f', content: 'x' }] }), [
    'unsupported_parameter',
    'messages[0].role',
  ]);
  assert.deepEqual(refused({ messages: hello, temperature: 'hot' }), ['invalid_parameter', 'temperature']);
  assert.deepEqual(refused({ messages: hello, max_tokens: 1.5 }), ['invalid_parameter', 'max_tokens']);
  assert.deepEqual(refused({ messages: hello, stop: [1] }), ['invalid_parameter', 'stop[0]']);
  assert.deepEqual(refused({ messages: hello, stream: 'yes' }), ['invalid_parameter', 'stream']);
  assert.deepEqual(refused({ messages: hello, tool_choice: 'always' }), ['invalid_parameter', 'tool_choice']);
  assert.deepEqual(refused({ messages: hello, tools: [{ type: 'function' }] }), [
    'missing_parameter',
    'tools[0].function',
  ]);
  assert.deepEqual(refused({ messages: hello, response_format: { type: 'xml' } }), [
    'invalid_parameter',
    'response_format.type',
  ]);
});

test('the message of a fault says what was found, and quotes nothing long', () => {
  const error = toInference(Buffer.from(JSON.stringify({ messages: hello, temperature: 'x'.repeat(5000) })), 'm');
  assert.ok(error instanceof GatewayError);
  assert.match(error.message, /`temperature` must be a number, not a string of 5000 characters/);
});

test('tools that may not be called are not offered, and the choice is the mode of those that may', () => {
  const tool = (name: string) => ({ type: 'function', function: { name } });
  const choice = (mode: string, ...names: string[]) => ({
    messages: hello,
    tools: [tool('a'), tool('b'), tool('c')],
    tool_choice: { type: 'allowed_tools', allowed_tools: { mode, tools: names.map(tool) } },
  });
  const request = toInference(Buffer.from(JSON.stringify(choice('required', 'a', 'c'))), 'm');
  assert.ok(!(request instanceof GatewayError));
  assert.deepEqual(
    request.tools?.map(({ name }) => name),
    ['a', 'c'],
  );
  assert.deepEqual(request.toolChoice, { type: 'required' });
  assert.deepEqual(refused(choice('always', 'a')), ['invalid_parameter', 'tool_choice.allowed_tools.mode']);
});
