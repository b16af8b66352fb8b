import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import { toInference } from '../../../../src/dialects/openai-chat/to-inference.ts';
import { anthropicHostedWire, anthropicWire } from '../../../../src/providers/anthropic-messages/wire.ts';
import { exampleTarget } from '../../../support/targets.ts';

const MODEL = 'claude-haiku-4-5-20251001';
const hello = [{ role: 'user', content: 'Hello' }];
const user = { role: 'user', content: [{ type: 'text', text: 'Hello' }] };

/** From the client's body to Anthropic's, as the relay does it. */
function translate(body: object, model = MODEL, wire = anthropicWire) {
  const request = toInference(Buffer.from(JSON.stringify({ messages: hello, ...body })), model);
  assert.ok(!(request instanceof GatewayError), request instanceof GatewayError ? request.message : '');
  return wire.translation!.toRequest(request, exampleTarget);
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

test('a system message in the middle stays behind its turn of the user’s where the model takes it there', () => {
  const calls = [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }];
  const messages = [
    { role: 'system', content: 'in front' },
    ...hello,
    { role: 'system', content: 'behind' },
    { role: 'developer', content: 'behind too' },
    { role: 'assistant', content: null, tool_calls: calls },
    { role: 'system', content: 'between' },
    { role: 'tool', tool_call_id: 'a', content: 'ok' },
    { role: 'assistant', content: 'Hi' },
    { role: 'system', content: 'before' },
    ...hello,
  ];
  const places = (model: string): [string, string[]] => {
    const { system, messages: made } = sent({ messages }, model);
    const inMiddle = made.filter(({ role }: { role: string }) => role === 'system');
    const texts = (blocks: { text: string }[]) => blocks.map(({ text: each }) => each).join();
    const roles = made.map(({ role }: { role: string }) => role.slice(0, 1)).join('');
    return [texts(system), [roles, ...inMiddle.map(({ content }: { content: { text: string }[] }) => texts(content))]];
  };
  // Anthropic refuses one that is first, follows an answer, or stands between a call and its result.
  const inPlace = ['in front', ['usausaus', 'behind,behind too', 'between', 'before']];
  const newer = ['claude-opus-4-8', 'claude-opus-5', 'claude-opus-5-5', 'claude-fable-5', 'claude-sonnet-5-5'];
  for (const model of [...newer, 'claude-haiku-5-5']) assert.deepEqual(places(model), inPlace, model);
  const inFront = ['in front,behind,behind too,between,before', ['uauau']];
  for (const model of [MODEL, 'claude-opus-4-7', 'claude-sonnet-5', 'claude-sonnet-latest']) {
    assert.deepEqual(places(model), inFront, model);
  }
  const hosted = translate({ messages }, 'claude-opus-5', anthropicHostedWire);
  assert.ok(!(hosted instanceof GatewayError) && !hosted.body.toString().includes('"role":"system"'));
  const ended = [...hello, { role: 'assistant', content: 'Hi' }, { role: 'system', content: 'end' }];
  assert.deepEqual(sent({ messages: ended }, 'claude-opus-5').system, [{ type: 'text', text: 'end' }]);
});

test('a demand for a call is refused by name where the model takes none, so that another target is asked', () => {
  const tools = [{ type: 'function', function: { name: 'f' } }];
  const named = { type: 'function', function: { name: 'f' } };
  for (const model of ['claude-opus-5-5', 'claude-sonnet-5-5', 'claude-fable-5-1', 'claude-mythos-5-1']) {
    for (const tool_choice of ['required', named]) {
      assert.deepEqual(refused({ tools, tool_choice }, model), ['unsupported_parameter', 'tool_choice'], model);
    }
    assert.deepEqual(sent({ tools, tool_choice: 'auto' }, model).tool_choice, { type: 'auto' });
    assert.equal(sent({ tool_choice: 'required' }, model).tool_choice, undefined);
  }
  for (const model of ['claude-opus-5', 'claude-fable-5', 'claude-haiku-5-5', 'claude-opus-latest']) {
    assert.deepEqual(sent({ tools, tool_choice: 'required' }, model).tool_choice, { type: 'any' }, model);
  }
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

test('a past call whose arguments were cut goes on as an object, so that later turns do not fail', () => {
  for (const args of ['{"a":', '[]', '7', '"x"']) {
    const tool_calls = [{ id: 'a', type: 'function', function: { name: 'f', arguments: args } }];
    const [, assistant] = sent({ messages: [...hello, { role: 'assistant', tool_calls }] }).messages;
    assert.deepEqual(assistant.content, [{ type: 'tool_use', id: 'a', name: 'f', input: { INVALID_JSON: args } }]);
  }
});

test('tool call ids of another provider are rewritten, the same for call and result, and two ids stay two', () => {
  const call = (id: string) => ({ id, type: 'function', function: { name: 'f', arguments: '{}' } });
  const ids = ['functions.f:0', 'functions.f.0', 'toolu_01', 'x'.repeat(65), ''];
  const { messages } = sent({
    messages: [
      ...hello,
      { role: 'assistant', tool_calls: ids.map(call) },
      ...ids.map((id) => ({ role: 'tool', tool_call_id: id, content: id })),
    ],
  });
  const made = messages[1].content.map(({ id }: { id: string }) => id);
  assert.deepEqual(
    messages[2].content.map((block: { tool_use_id: string }) => block.tool_use_id),
    made,
  );
  assert.equal(new Set(made).size, ids.length);
  assert.equal(made[2], 'toolu_01');
  for (const id of made) assert.match(id, /^[a-zA-Z0-9_-]{1,64}$/);
});

test('a function without parameters, or whose schema has no type, has an object schema', () => {
  const schemas = [{}, { properties: { a: { type: 'string' } } }, null, undefined, { type: 'object' }].map(
    (parameters) => sent({ tools: [{ type: 'function', function: { name: 'f', parameters } }] }).tools[0].input_schema,
  );
  for (const schema of schemas) assert.equal(schema.type, 'object');
  assert.deepEqual(schemas[1].properties, { a: { type: 'string' } });
});

test('fields of a tool that only Anthropic knows pass, and so do its own tools; tools of other kinds are refused by name', () => {
  const f = { type: 'function', function: { name: 'f', input_examples: [{ x: 1 }] }, defer_loading: true };
  const search = { type: 'web_search_20250305', name: 'web_search', max_uses: 3 };
  const { tools } = sent({ tools: [f, search] });
  assert.deepEqual(tools[0].input_examples, [{ x: 1 }]);
  assert.equal(tools[0].defer_loading, true);
  assert.deepEqual(tools[1], search);
  assert.deepEqual(refused({ tools: [f, { type: 'custom', custom: {} }] }), ['unsupported_parameter', 'tools[1].type']);
});

test('a web search in the words of OpenAI or Google is asked of Anthropic in its own, with its bounds', () => {
  const user_location = { type: 'approximate', country: 'CH' };
  const search = {
    type: 'web_search',
    filters: { allowed_domains: ['a.ch'] },
    user_location,
    search_context_size: 'low',
  };
  const own = { type: 'web_search_20250305', name: 'web_search' };
  assert.deepEqual(sent({ tools: [search] }).tools, [{ ...own, allowed_domains: ['a.ch'], user_location }]);
  for (const type of ['web_search_preview', 'web_search_2025_08_26', 'google_search']) {
    assert.deepEqual(sent({ tools: [{ type }] }).tools, [own], type);
  }
});

test('a failed tool result says so', () => {
  const tool_calls = [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }];
  const { messages } = sent({
    messages: [
      ...hello,
      { role: 'assistant', tool_calls },
      { role: 'tool', tool_call_id: 'a', content: 'no', is_error: true },
    ],
  });
  assert.equal(messages[2].content[0].is_error, true);
});

test('a JSON schema is sent as structured outputs take it, with unknown keywords in the description', () => {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties: {
      score: { type: 'integer', minimum: 1, description: 'from 1' },
      tags: { type: 'array', items: { type: 'string', minLength: 1, format: 'uuid' }, maxItems: 5, minItems: 1 },
      extra: { additionalProperties: true, properties: {} },
      either: {
        oneOf: [
          { type: 'string', format: 'phone' },
          { $ref: '#/$defs/d', title: 't' },
        ],
      },
      word: { enum: ['a', 'b'] },
    },
    required: ['score'],
    $defs: { d: { type: 'object' } },
  };
  const { output_config } = sent({ response_format: { type: 'json_schema', json_schema: { name: 'n', schema } } });
  assert.deepEqual(output_config.format.schema, {
    $defs: { d: { type: 'object', properties: {}, additionalProperties: false } },
    type: 'object',
    properties: {
      score: { type: 'integer', description: 'from 1\n\n{minimum: 1}' },
      tags: {
        type: 'array',
        items: { type: 'string', format: 'uuid', description: '{minLength: 1}' },
        minItems: 1,
        description: '{maxItems: 5}',
      },
      extra: { type: 'object', properties: {}, additionalProperties: false },
      either: { anyOf: [{ type: 'string', description: '{format: "phone"}' }, { $ref: '#/$defs/d' }] },
      word: { enum: ['a', 'b'] },
    },
    required: ['score'],
    additionalProperties: false,
  });
});

test('numbers in schemas and tool inputs stay digit for digit', () => {
  const body =
    '{"messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\\"n\\":12345678901234567890}"}}]}],' +
    '"temperature":0.50,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"n":{"default":1.0,"maximum":12345678901234567890}}}}}]}';
  const request = toInference(Buffer.from(body), MODEL);
  assert.ok(!(request instanceof GatewayError));
  const made = anthropicWire.translation!.toRequest(request, exampleTarget);
  assert.ok(!(made instanceof GatewayError));
  assert.match(made.body.toString(), /"default":1\.0,"maximum":12345678901234567890/);
  assert.match(made.body.toString(), /"input":\{"n":12345678901234567890\}/);
  assert.match(made.body.toString(), /"temperature":0\.5,/);
});

test('half of a surrogate pair becomes U+FFFD, and an escape that the client wrote itself stays', () => {
  assert.equal(
    sent({ messages: [{ role: 'user', content: 'cut \ud83d emoji' }] }).messages[0].content[0].text,
    'cut \ufffd emoji',
  );
  assert.equal(
    sent({ messages: [{ role: 'user', content: 'a \\ud83d b' }] }).messages[0].content[0].text,
    'a \\ud83d b',
  );
});

test('the blanks behind an answer that the client began are left out', () => {
  const { messages } = sent({ messages: [...hello, { role: 'assistant', content: 'The answer is \n' }] });
  assert.deepEqual(messages[1].content, [{ type: 'text', text: 'The answer is' }]);
});

test('image types that no registry knows are sent under their registered name', () => {
  const content = [{ type: 'image_url', image_url: { url: 'data:image/jpg;base64,AAAA' } }];
  assert.equal(sent({ messages: [{ role: 'user', content }] }).messages[0].content[0].source.media_type, 'image/jpeg');
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

test('stop sequences without the blank ones, end user and tier are told in Anthropic’s words', () => {
  const body = sent({ stop: ['END', '\n\n'], user: 'u-1', service_tier: 'default', stream: true });
  assert.deepEqual(body.stop_sequences, ['END']);
  assert.equal(sent({ stop: ' ' }).stop_sequences, undefined);
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
