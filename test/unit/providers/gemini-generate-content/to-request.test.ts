import assert from 'node:assert/strict';
import { test } from 'node:test';
import { carryInId, markSignature } from '../../../../src/inference/signature.ts';
import { geminiWire } from '../../../../src/providers/gemini-generate-content/wire.ts';
import { exampleTarget } from '../../../support/targets.ts';
import { translateRequest } from '../../../support/translated-chat.ts';

const MODEL = 'gemini-2.5-flash';
const hello = [{ role: 'user', content: 'Hello' }];

function sent(body: object, model = MODEL) {
  const made = translateRequest(geminiWire, { messages: hello, ...body }, model);
  assert.ok(typeof made === 'string', `refused: ${made}`);
  return JSON.parse(made);
}

function refused(body: object): [string, string | undefined] {
  const made = translateRequest(geminiWire, { messages: hello, ...body }, MODEL);
  assert.ok(typeof made !== 'string');
  return made;
}

const call = (id: string, name: string, text: string) => ({
  id,
  type: 'function',
  function: { name, arguments: text },
});

test('the model stands in Gemini’s path, streams ask for server-sent events, and tuned models keep their own path', () => {
  const target = { ...exampleTarget, modelId: 'gemini-2.5-flash' };
  assert.equal(geminiWire.path(target, { stream: false }), '/models/gemini-2.5-flash:generateContent');
  assert.equal(geminiWire.path(target, { stream: true }), '/models/gemini-2.5-flash:streamGenerateContent?alt=sse');
  const tuned = { ...exampleTarget, modelId: 'tunedModels/x' };
  assert.equal(geminiWire.path(tuned, { stream: false }), '/tunedModels/x:generateContent');
});

test('the least request to Gemini holds the contents and nothing that was not asked', () => {
  assert.deepEqual(sent({}), { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }], generationConfig: {} });
});

test('system and developer messages become the system instruction, and neighbours of one role one content', () => {
  const body = sent({
    messages: [
      { role: 'system', content: 'one' },
      ...hello,
      { role: 'user', content: 'again' },
      { role: 'developer', content: 'two' },
      { role: 'assistant', content: 'Hi' },
    ],
  });
  assert.deepEqual(body.systemInstruction, { parts: [{ text: 'one' }, { text: 'two' }] });
  assert.deepEqual(body.contents, [
    { role: 'user', parts: [{ text: 'Hello' }, { text: 'again' }] },
    { role: 'model', parts: [{ text: 'Hi' }] },
  ]);
});

test('results of calls are sent to Gemini under the name of their function, together, and without ids', () => {
  const { contents } = sent({
    messages: [
      ...hello,
      {
        role: 'assistant',
        content: null,
        tool_calls: [call('a', 'f', '{"n":12345678901234567890}'), call('b', 'g', '')],
      },
      { role: 'tool', tool_call_id: 'a', content: '{"ok":true}' },
      { role: 'tool', tool_call_id: 'b', content: 'plain' },
    ],
  });
  assert.deepEqual(
    contents[1].parts.map((part: { functionCall: { name: string } }) => part.functionCall.name),
    ['f', 'g'],
  );
  assert.deepEqual(contents[2].parts, [
    { functionResponse: { name: 'f', response: { ok: true } } },
    { functionResponse: { name: 'g', response: { output: 'plain' } } },
  ]);
});

test('results of parallel calls are sent to Gemini in the order of the calls, whichever came first', () => {
  const { contents } = sent({
    messages: [
      ...hello,
      { role: 'assistant', tool_calls: [call('a', 'f', '{"n":1}'), call('b', 'f', '{"n":2}')] },
      { role: 'tool', tool_call_id: 'b', content: 'of 2' },
      { role: 'tool', tool_call_id: 'a', content: 'of 1' },
      { role: 'user', content: 'Go on' },
    ],
  });
  assert.deepEqual(contents[2].parts, [
    { functionResponse: { name: 'f', response: { output: 'of 1' } } },
    { functionResponse: { name: 'f', response: { output: 'of 2' } } },
    { text: 'Go on' },
  ]);
});

test('a result is sent to Gemini under the latest call of its id, since some hosts count ids anew in each step', () => {
  const step = (name: string, content: string) => [
    { role: 'assistant', tool_calls: [call('call_0', name, '{}')] },
    { role: 'tool', tool_call_id: 'call_0', content },
  ];
  const { contents } = sent({ messages: [...hello, ...step('f', 'of f'), ...step('g', 'of g')] });
  assert.deepEqual(
    [contents[2].parts, contents[4].parts],
    [
      [{ functionResponse: { name: 'f', response: { output: 'of f' } } }],
      [{ functionResponse: { name: 'g', response: { output: 'of g' } } }],
    ],
  );
});

test('a result whose call is not in the conversation is refused by name', () => {
  assert.deepEqual(refused({ messages: [...hello, { role: 'tool', tool_call_id: 'x', content: 'y' }] }), [
    'invalid_parameter',
    'messages',
  ]);
});

test('the signature of a call comes back from its id, and another vendor’s signature is not sent', () => {
  const tool_calls = [
    call(carryInId('a', markSignature('gemini', 'Cg==')), 'f', '{}'),
    call(carryInId('b', 'other.Cg=='), 'f', '{}'),
  ];
  const messages = [
    ...hello,
    { role: 'assistant', tool_calls },
    { role: 'tool', tool_call_id: tool_calls[0]!.id, content: 'r' },
  ];
  const [, step] = sent({ messages }, 'gemini-3-pro').contents;
  assert.equal(step.parts[0].thoughtSignature, 'Cg==');
  assert.equal(step.parts[1].thoughtSignature, undefined);
});

test('a Gemini 3 step whose signature is lost carries the words that Google takes in its place', () => {
  const messages = [...hello, { role: 'assistant', tool_calls: [call('a', 'f', '{}'), call('b', 'f', '{}')] }];
  const signatures = (model: string) =>
    sent({ messages }, model).contents[1].parts.map((part: { thoughtSignature?: string }) => part.thoughtSignature);
  assert.deepEqual(signatures('gemini-3-flash'), ['skip_thought_signature_validator', undefined]);
  assert.deepEqual(signatures('gemini-2.5-flash'), [undefined, undefined]);
});

test('a signature behind a text goes back onto that text', () => {
  const thinking_blocks = [{ type: 'thinking', thinking: 'hm', signature: markSignature('gemini', 'Cg==') }];
  const { contents } = sent({ messages: [...hello, { role: 'assistant', content: 'Hi', thinking_blocks }] });
  assert.deepEqual(contents[1].parts, [{ text: 'Hi', thoughtSignature: 'Cg==' }]);
});

test('images, audio and files are sent to Gemini inline or by address, with their type', () => {
  const content = [
    { type: 'image_url', image_url: { url: 'data:image/png;base64,AA' } },
    { type: 'image_url', image_url: { url: 'https://example.com/a.jpg?x=1' } },
    { type: 'input_audio', input_audio: { data: 'BB', format: 'wav' } },
    { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,CC' } },
  ];
  assert.deepEqual(sent({ messages: [{ role: 'user', content }] }).contents[0].parts, [
    { inlineData: { mimeType: 'image/png', data: 'AA' } },
    { fileData: { fileUri: 'https://example.com/a.jpg?x=1', mimeType: 'image/jpeg' } },
    { inlineData: { mimeType: 'audio/wav', data: 'BB' } },
    { inlineData: { mimeType: 'application/pdf', data: 'CC' } },
  ]);
});

test('functions keep their JSON schema for Gemini, and a function without parameters has none', () => {
  const parameters = {
    $schema: 'x',
    type: 'object',
    properties: { a: { $ref: '#/$defs/a' } },
    $defs: { a: { type: 'string' } },
  };
  const { tools } = sent({
    tools: [
      { type: 'function', function: { name: 'f', description: 'd', parameters } },
      { type: 'function', function: { name: 'g', parameters: { type: 'object', properties: {} } } },
      { type: 'google_search' },
    ],
  });
  const { $schema: _dialect, ...schema } = parameters;
  assert.deepEqual(tools, [
    { functionDeclarations: [{ name: 'f', description: 'd', parametersJsonSchema: schema }, { name: 'g' }] },
    { googleSearch: {} },
  ]);
  assert.deepEqual(refused({ tools: [{ type: 'custom' }] }), ['unsupported_parameter', 'tools[0].type']);
});

test('every tool choice has its mode of Gemini', () => {
  const tools = [{ type: 'function', function: { name: 'f' } }];
  const config = (tool_choice: unknown) => sent({ tools, tool_choice }).toolConfig?.functionCallingConfig;
  assert.deepEqual(config('auto'), { mode: 'AUTO' });
  assert.deepEqual(config('none'), { mode: 'NONE' });
  assert.deepEqual(config('required'), { mode: 'ANY' });
  assert.deepEqual(config({ type: 'function', function: { name: 'f' } }), { mode: 'ANY', allowedFunctionNames: ['f'] });
});

test('sampling, limits, several answers and log probabilities have their places in Gemini’s request', () => {
  const body = {
    temperature: 0.5,
    top_p: 0.9,
    top_k: 4,
    max_tokens: 7,
    stop: ['a', ''],
    n: 2,
    seed: 3,
    logprobs: true,
    top_logprobs: 2,
  };
  assert.deepEqual(sent({ ...body, presence_penalty: 1, frequency_penalty: -1 }).generationConfig, {
    temperature: 0.5,
    topP: 0.9,
    topK: 4,
    maxOutputTokens: 7,
    stopSequences: ['a'],
    candidateCount: 2,
    seed: 3,
    presencePenalty: 1,
    frequencyPenalty: -1,
    responseLogprobs: true,
    logprobs: 2,
  });
});

test('JSON answers are asked of Gemini with their schema', () => {
  const format = (response_format: object) => sent({ response_format }).generationConfig;
  assert.deepEqual(format({ type: 'json_object' }), { responseMimeType: 'application/json' });
  const schema = { type: 'object', properties: { a: { type: 'string' } } };
  assert.deepEqual(format({ type: 'json_schema', json_schema: { name: 'n', schema } }), {
    responseMimeType: 'application/json',
    responseJsonSchema: schema,
  });
});

test('a reasoning effort becomes a budget for Gemini 2.5, a level from 3 on, and nothing where a model cannot think', () => {
  const thinking = (body: object, model: string) => sent(body, model).generationConfig.thinkingConfig;
  assert.deepEqual(thinking({ reasoning_effort: 'low' }, 'gemini-2.5-flash'), {
    includeThoughts: true,
    thinkingBudget: 1024,
  });
  assert.deepEqual(thinking({ reasoning_effort: 'none' }, 'gemini-2.5-flash'), { thinkingBudget: 0 });
  assert.deepEqual(thinking({ reasoning_effort: 'none' }, 'gemini-2.5-pro'), { thinkingBudget: 128 });
  assert.deepEqual(thinking({ reasoning: { max_tokens: 99_999 } }, 'gemini-2.5-flash'), {
    includeThoughts: true,
    thinkingBudget: 24_576,
  });
  assert.deepEqual(thinking({ reasoning_effort: 'medium' }, 'gemini-3-flash'), {
    includeThoughts: true,
    thinkingLevel: 'medium',
  });
  assert.deepEqual(thinking({ reasoning_effort: 'minimal' }, 'gemini-3.1-pro-preview'), {
    includeThoughts: true,
    thinkingLevel: 'low',
  });
  assert.equal(thinking({ reasoning_effort: 'low' }, 'gemini-2.0-flash'), undefined);
  assert.equal(thinking({}, 'gemini-3-flash'), undefined);
});

test('a parameter that Gemini has no word for is left out where that is harmless, and else refused by name', () => {
  const body = sent({
    store: true,
    metadata: { a: 'b' },
    user: 'u',
    service_tier: 'auto',
    logit_bias: {},
    parallel_tool_calls: false,
  });
  assert.deepEqual(Object.keys(body), ['contents', 'generationConfig']);
  assert.deepEqual(refused({ logit_bias: { 5: 1 } }), ['unsupported_parameter', 'logit_bias']);
  assert.deepEqual(refused({ functions: [] }), ['unsupported_parameter', 'functions']);
});

test('parameters of Gemini itself pass', () => {
  const safety_settings = [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_NONE' }];
  const body = sent({ safety_settings, cached_content: 'cachedContents/x', labels: { a: 'b' } });
  assert.deepEqual(body.safetySettings, safety_settings);
  assert.equal(body.cachedContent, 'cachedContents/x');
  assert.deepEqual(body.labels, { a: 'b' });
});
