import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import { toInference } from '../../../../src/dialects/openai-chat/to-inference.ts';
import { anthropicWire } from '../../../../src/providers/anthropic/wire.ts';
import { exampleTarget } from '../../../support/targets.ts';

const MODEL = 'claude-haiku-4-5-20251001';
const hello = [{ role: 'user', content: 'Hello' }];
const user = { role: 'user', content: [{ type: 'text', text: 'Hello' }] };

/** From the client's body to Anthropic's, as the relay does it. */
function translate(body: object, model = MODEL) {
  const request = toInference(Buffer.from(JSON.stringify({ messages: hello, ...body })), model);
  assert.ok(!(request instanceof GatewayError), request instanceof GatewayError ? request.message : '');
  return anthropicWire.translation!.toRequest(request, exampleTarget);
}

function text(body: object, model?: string): string {
  const made = translate(body, model);
  assert.ok(!(made instanceof GatewayError), made instanceof GatewayError ? made.message : '');
  return made.body.toString();
}

const sent = (body: object, model?: string) => JSON.parse(text(body, model));

function refused(body: object, model?: string): [code: string, param: string | undefined] {
  const error = translate(body, model);
  assert.ok(error instanceof GatewayError);
  return [error.code, error.context.param];
}

test('the least request to Anthropic has max_tokens, set to the most that the model can write', () => {
  assert.deepEqual(sent({}), { model: MODEL, max_tokens: 64000, messages: [user], stream: false });
  assert.equal(sent({ max_tokens: 10 }).max_tokens, 10);
  assert.equal(sent({}, 'claude-sonnet-5').max_tokens, 128000);
});

test('system and developer messages become system blocks in their order, also from the middle', () => {
  const body = sent({
    messages: [
      { role: 'system', content: 'one', cache_control: { type: 'ephemeral' } },
      ...hello,
      { role: 'developer', content: [{ type: 'text', text: 'two' }] },
      { role: 'assistant', content: 'Hi' },
    ],
  });
  assert.deepEqual(body.system, [
    { type: 'text', text: 'one', cache_control: { type: 'ephemeral' } },
    { type: 'text', text: 'two' },
  ]);
  assert.deepEqual(body.messages, [user, { role: 'assistant', content: [{ type: 'text', text: 'Hi' }] }]);
});

test('results of parallel calls stand together, first in the one message behind their calls', () => {
  const call = (id: string, name: string, args: string) => ({
    id,
    type: 'function',
    function: { name, arguments: args },
  });
  const { messages } = sent({
    messages: [
      ...hello,
      {
        role: 'assistant',
        content: 'Looking.',
        tool_calls: [call('a', 'weather', '{"order":12345678901234567890,"x":1.0}'), call('b', 'now', '')],
      },
      { role: 'tool', tool_call_id: 'a', content: '15°' },
      {
        role: 'tool',
        tool_call_id: 'b',
        content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,iVBO' } }],
      },
      { role: 'user', content: 'And?' },
      { role: 'tool', tool_call_id: 'late', content: '' },
    ],
  });
  assert.deepEqual(
    messages.map((message: { role: string }) => message.role),
    ['user', 'assistant', 'user'],
  );
  assert.deepEqual(messages[1].content.slice(0, 1), [{ type: 'text', text: 'Looking.' }]);
  assert.deepEqual(messages[1].content[2], { type: 'tool_use', id: 'b', name: 'now', input: {} });
  assert.deepEqual(messages[2].content, [
    { type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text: '15°' }] },
    {
      type: 'tool_result',
      tool_use_id: 'b',
      content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBO' } }],
    },
    { type: 'tool_result', tool_use_id: 'late' },
    { type: 'text', text: 'And?' },
  ]);
});

test('numbers in the arguments of a call to Anthropic keep every digit', () => {
  const tool_calls = [
    { id: 'a', type: 'function', function: { name: 'f', arguments: '{"n":12345678901234567890,"x":1.0}' } },
  ];
  assert.ok(
    text({ messages: [...hello, { role: 'assistant', tool_calls }] }).includes(
      '"input":{"n":12345678901234567890,"x":1.0}',
    ),
  );
});

test('arguments that are no JSON object are refused before Anthropic would', () => {
  for (const args of ['{"a":', '[]', '7', '"x"']) {
    const tool_calls = [{ id: 'a', type: 'function', function: { name: 'f', arguments: args } }];
    assert.deepEqual(refused({ messages: [...hello, { role: 'assistant', tool_calls }] }), [
      'invalid_parameter',
      'messages',
    ]);
  }
});

test('images by address and inline, and PDF, text and image files, are translated', () => {
  const file = (file_data: string, filename: string) => ({ type: 'file', file: { filename, file_data } });
  const content = [
    {
      type: 'image_url',
      image_url: { url: 'https://example.com/a.png' },
      cache_control: { type: 'ephemeral', ttl: '1h' },
    },
    file('data:application/pdf;base64,JVBE', 'a.pdf'),
    file('JVBE', 'bare.PDF'),
    file(`data:text/plain;charset=utf-8;base64,${Buffer.from('Grüß').toString('base64')}`, 'a.txt'),
    file('data:image/webp;base64,UklG', 'a.webp'),
    { type: 'file', file: { file_id: 'file_1' } },
  ];
  assert.deepEqual(sent({ messages: [{ role: 'user', content }] }).messages[0].content, [
    {
      type: 'image',
      source: { type: 'url', url: 'https://example.com/a.png' },
      cache_control: { type: 'ephemeral', ttl: '1h' },
    },
    { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBE' }, title: 'a.pdf' },
    { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBE' }, title: 'bare.PDF' },
    { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'Grüß' }, title: 'a.txt' },
    { type: 'image', source: { type: 'base64', media_type: 'image/webp', data: 'UklG' } },
    { type: 'document', source: { type: 'file', file_id: 'file_1' } },
  ]);
});

test('audio and files of other types are refused', () => {
  const part = (content: object) => ({ messages: [{ role: 'user', content: [content] }] });
  const audio = { type: 'input_audio', input_audio: { data: 'UklG', format: 'wav' } };
  const zip = { type: 'file', file: { file_data: 'data:application/zip;base64,UEsD' } };
  assert.deepEqual(refused(part(audio)), ['unsupported_parameter', 'messages']);
  assert.deepEqual(refused(part(zip)), ['unsupported_parameter', 'messages']);
});

test('empty texts are left out, and a request with nothing else is refused', () => {
  const messages = [{ role: 'user', content: ' \n' }, ...hello, { role: 'assistant', content: '' }];
  assert.deepEqual(sent({ messages }).messages, [user]);
  assert.deepEqual(refused({ messages: [{ role: 'system', content: 'alone' }] }), [
    'unsupported_parameter',
    'messages',
  ]);
});

test('tools and every tool choice are translated', () => {
  const parameters = { type: 'object', properties: { city: { type: 'string' } } };
  const tools = [
    {
      type: 'function',
      function: { name: 'f', description: 'd', parameters, strict: true },
      cache_control: { type: 'ephemeral' },
    },
    { type: 'function', function: { name: 'g' } },
  ];
  assert.deepEqual(sent({ tools }).tools, [
    { name: 'f', description: 'd', input_schema: parameters, strict: true, cache_control: { type: 'ephemeral' } },
    { name: 'g', input_schema: { type: 'object', properties: {} } },
  ]);
  assert.equal(sent({ tools }, 'claude-sonnet-4-20250514').tools[0].strict, undefined);
  const choice = (body: object) => sent({ tools, ...body }).tool_choice;
  assert.equal(choice({}), undefined);
  assert.deepEqual(choice({ tool_choice: 'auto' }), { type: 'auto' });
  assert.deepEqual(choice({ tool_choice: 'none' }), { type: 'none' });
  assert.deepEqual(choice({ tool_choice: 'required' }), { type: 'any' });
  assert.deepEqual(choice({ tool_choice: { type: 'function', function: { name: 'g' } } }), { type: 'tool', name: 'g' });
  assert.deepEqual(choice({ parallel_tool_calls: false }), { type: 'auto', disable_parallel_tool_use: true });
  assert.deepEqual(choice({ parallel_tool_calls: false, tool_choice: 'required' }), {
    type: 'any',
    disable_parallel_tool_use: true,
  });
  assert.equal(choice({ parallel_tool_calls: true }), undefined);
  assert.equal(sent({ tool_choice: 'auto' }).tool_choice, undefined);
});

test('stop sequences, end user and tier are translated into Anthropic’s words', () => {
  const body = sent({ stop: ['END', '\n\n'], user: 'u-1', service_tier: 'default', stream: true });
  assert.deepEqual(body.stop_sequences, ['END', '\n\n']);
  assert.deepEqual(body.metadata, { user_id: 'u-1' });
  assert.equal(body.service_tier, 'standard_only');
  assert.equal(body.stream, true);
  assert.equal(sent({ service_tier: 'flex' }).service_tier, undefined);
});

test('temperature is capped at 1, and sampling is left out where the model refuses it', () => {
  const sampling = (body: object, model?: string) => {
    const { temperature, top_p, top_k } = sent(body, model);
    return [temperature, top_p, top_k];
  };
  const all = { temperature: 1.7, top_p: 0.9, top_k: 5 };
  assert.deepEqual(sampling(all, 'claude-3-5-sonnet-20241022'), [1, 0.9, 5]);
  assert.deepEqual(sampling(all, MODEL), [1, undefined, 5]);
  assert.deepEqual(sampling({ top_p: 0.9 }, MODEL), [undefined, 0.9, undefined]);
  assert.deepEqual(sampling(all, 'claude-opus-4-7'), [undefined, undefined, undefined]);
  assert.deepEqual(sampling({ ...all, reasoning_effort: 'low' }, MODEL), [undefined, undefined, undefined]);
});

test('a JSON schema becomes the output format, and what Anthropic has no word for is refused by name', () => {
  const schema = { type: 'object', properties: {}, additionalProperties: false };
  const response_format = { type: 'json_schema', json_schema: { name: 'n', schema } };
  assert.deepEqual(sent({ response_format }).output_config, { format: { type: 'json_schema', schema } });
  assert.equal(sent({ response_format: { type: 'text' } }).output_config, undefined);
  assert.deepEqual(refused({ response_format }, 'claude-sonnet-4-20250514'), [
    'unsupported_parameter',
    'response_format',
  ]);
  assert.deepEqual(refused({ response_format: { type: 'json_object' } }), ['unsupported_parameter', 'response_format']);
});

test('a parameter that cannot be expressed is dropped only where that is harmless', () => {
  const harmless = {
    frequency_penalty: 1,
    presence_penalty: 1,
    seed: 7,
    store: true,
    prediction: { type: 'content', content: 'x' },
    verbosity: 'low',
    prompt_cache_key: 'k',
    n: 1,
    logprobs: false,
    top_logprobs: 0,
    logit_bias: {},
    modalities: ['text'],
    metadata: { team: 'x' },
  };
  assert.deepEqual(sent(harmless), sent({}));
  const meant = {
    n: 2,
    logprobs: true,
    top_logprobs: 5,
    logit_bias: { 50256: -100 },
    modalities: ['text', 'audio'],
    audio: { voice: 'alloy', format: 'wav' },
    web_search_options: {},
    functions: [{ name: 'f' }],
    function_call: 'auto',
  };
  for (const [param, value] of Object.entries(meant)) {
    assert.deepEqual(refused({ [param]: value }), ['unsupported_parameter', param]);
  }
});

test('Anthropic’s own parameters pass as they are, and never replace what was translated', () => {
  const body = sent({
    container: 'c',
    speed: 'fast',
    system: 'native',
    max_tokens: 5,
    output_config: { effort: 'low' },
  });
  assert.deepEqual(body, {
    container: 'c',
    speed: 'fast',
    system: 'native',
    model: MODEL,
    max_tokens: 5,
    messages: [user],
    stream: false,
    output_config: { effort: 'low' },
  });
  const both = sent({ system: 'native', messages: [{ role: 'system', content: 'translated' }, ...hello] });
  assert.deepEqual(both.system, [{ type: 'text', text: 'translated' }]);
});
