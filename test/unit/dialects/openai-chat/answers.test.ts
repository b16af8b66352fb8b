import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import { eventWriter } from '../../../../src/dialects/openai-chat/event-writer.ts';
import { fromInference } from '../../../../src/dialects/openai-chat/from-inference.ts';
import { errorBody, errorEvent } from '../../../../src/dialects/openai-json/error-body.ts';
import type { InferenceEvent } from '../../../../src/inference/event.ts';
import { fromStream, fromWhole } from '../../../support/chat-answer.ts';

const context = { exchangeId: 'ex_1', model: 'main/model', includeUsage: true, created: 1_700_000_000 };

function whole(events: InferenceEvent[]) {
  const body = fromInference(events, context);
  assert.ok(!(body instanceof GatewayError));
  return body;
}

function stream(events: InferenceEvent[], includeUsage = true) {
  const writer = eventWriter({ ...context, includeUsage });
  const written = events.map((event) => writer.write(event)).filter((bytes) => bytes !== undefined);
  return Buffer.concat([...written, writer.end()]);
}

const start: InferenceEvent = { type: 'start', id: 'msg_1', model: 'claude' };
const stop: InferenceEvent = { type: 'finish', reason: { unified: 'stop', raw: 'end_turn' } };
const toolLoop: InferenceEvent[] = [
  start,
  { type: 'usage', usage: { inputTokens: 7, outputTokens: 1 } },
  { type: 'reasoning', text: 'why ' },
  { type: 'reasoning', text: 'not' },
  { type: 'reasoning-signature', signature: 's/1' },
  { type: 'redacted-reasoning', data: 'opaque' },
  { type: 'text', text: 'I "look"\n' },
  { type: 'text', text: 'up \ud83d' },
  { type: 'tool-call', index: 0, id: 'a', name: 'f' },
  { type: 'tool-call-arguments', index: 0, text: '{"x": 1.0' },
  { type: 'tool-call', index: 1, id: 'b', name: 'g' },
  { type: 'tool-call-arguments', index: 1, text: '{}' },
  { type: 'tool-call-arguments', index: 0, text: ', "y":"ü"}' },
  { type: 'usage', usage: { outputTokens: 9, cacheReadInputTokens: 5, reasoningOutputTokens: 0 } },
  { type: 'finish', reason: { unified: 'tool-calls', raw: 'tool_use' } },
];

test('a whole answer and a streamed answer of the same events tell the same', () => {
  assert.deepEqual(fromStream(stream(toolLoop)), fromWhole(whole(toolLoop)));
});

test('parallel tool calls keep index, id and argument bytes, also where their pieces are mixed', () => {
  assert.deepEqual(fromStream(stream(toolLoop)).toolCalls, [
    { id: 'a', name: 'f', arguments: '{"x": 1.0, "y":"ü"}' },
    { id: 'b', name: 'g', arguments: '{}' },
  ]);
});

test('reasoning comes with the blocks that the client has to send back', () => {
  const { reasoning, thinkingBlocks } = fromWhole(whole(toolLoop));
  assert.equal(reasoning, 'why not');
  assert.deepEqual(thinkingBlocks, [
    { type: 'thinking', thinking: 'why not', signature: 's/1' },
    { type: 'redacted_thinking', data: 'opaque' },
  ]);
});

test('no usage is made up: later counts win, and a count that nobody told is absent', () => {
  assert.deepEqual(fromWhole(whole(toolLoop)).usage, {
    prompt_tokens: 7,
    completion_tokens: 9,
    total_tokens: 16,
    prompt_tokens_details: { cached_tokens: 5 },
    completion_tokens_details: { reasoning_tokens: 0 },
  });
  assert.equal(fromWhole(whole([start, stop])).usage, undefined);
  assert.equal(fromStream(stream([start, stop])).usage, undefined);
});

test('a client that did not ask for usage does not see it', () => {
  const bytes = stream(toolLoop, false);
  assert.equal(fromStream(bytes).usage, undefined);
  assert.ok(!bytes.includes('"usage"'));
});

test('the chunks of a translated stream are these, byte for byte', () => {
  const head = '"object":"chat.completion.chunk","created":1700000000,"model":"claude","choices":';
  assert.equal(
    stream([
      start,
      { type: 'text', text: 'a"b' },
      { type: 'usage', usage: { inputTokens: 1, outputTokens: 2 } },
      stop,
    ]).toString(),
    `data: {"id":"msg_1",${head}[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}\n\n` +
      `data: {"id":"msg_1",${head}[{"index":0,"delta":{"content":"a\\"b"},"finish_reason":null}],"usage":null}\n\n` +
      `data: {"id":"msg_1",${head}[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}\n\n` +
      `data: {"id":"msg_1",${head}[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n` +
      'data: [DONE]\n\n',
  );
});

test('exchange and target stand in where the provider names nothing, and the role comes first even without a start', () => {
  const answer = fromStream(stream([{ type: 'text', text: 'x' }, stop]));
  assert.equal(answer.id, 'chatcmpl-ex_1');
  assert.equal(answer.model, 'main/model');
  assert.deepEqual(fromWhole(whole([{ type: 'text', text: 'x' }, stop])), answer);
});

test('half a character at the end of a delta stays half, so that the next can complete it', () => {
  const text = stream([{ type: 'text', text: '\ud83d' }, { type: 'text', text: '\ude00' }, stop]).toString();
  assert.ok(text.includes('"content":"\\ud83d"'));
  assert.equal(fromStream(Buffer.from(text)).content, '😀');
});

test('finish reasons are told in the words of chat completions', () => {
  const words = (['stop', 'length', 'content-filter', 'tool-calls', 'error', 'pause', 'other'] as const).map(
    (unified) => fromWhole(whole([{ type: 'finish', reason: { unified, raw: undefined } }])).finish,
  );
  assert.deepEqual(words, ['stop', 'length', 'content_filter', 'tool_calls', 'error', 'pause', 'other']);
});

test('a finish reason that OpenAI has no word for is never told as a clean stop', () => {
  const word = (raw: string) => fromWhole(whole([{ type: 'finish', reason: { unified: 'other', raw } }])).finish;
  assert.equal(word('compaction'), 'compaction');
  assert.equal(word('MALFORMED_FUNCTION_CALL'), 'malformed_function_call');
  assert.equal(word('two words'), 'other');
  assert.equal(word('x'.repeat(65)), 'other');
});

test('a refusal has null content, and an empty answer has an empty text', () => {
  const message = (events: InferenceEvent[]) => JSON.parse(whole(events).toString()).choices[0].message;
  assert.deepEqual(message([{ type: 'refusal', text: 'no' }, stop]), {
    role: 'assistant',
    content: null,
    refusal: 'no',
  });
  assert.deepEqual(message([stop]), { role: 'assistant', content: '', refusal: null });
});

test('an error among the events of a whole answer is an error', () => {
  const error = fromInference(
    [start, { type: 'error', status: 529, errorType: 'overloaded_error', message: 'm' }],
    context,
  );
  assert.ok(error instanceof GatewayError && error.code === 'upstream_stream_error');
});

test('our own errors say what to do, with code and type from the table', () => {
  assert.deepEqual(JSON.parse(errorBody(new GatewayError('invalid_api_key')).toString()), {
    error: {
      message: 'The API key is not valid. Check the key; it may be mistyped, expired or revoked.',
      type: 'authentication_error',
      code: 'invalid_api_key',
      param: null,
    },
  });
});

test('a provider’s verdict passes in its own words', () => {
  const error = new GatewayError('upstream_rejected', {
    status: 400,
    detail: 'too long',
    param: 'messages',
    upstreamType: 'invalid_request_error',
    upstreamCode: 'context_length_exceeded',
  });
  const body = {
    error: { message: 'too long', type: 'invalid_request_error', code: 'context_length_exceeded', param: 'messages' },
  };
  assert.deepEqual(JSON.parse(errorBody(error).toString()), body);
  assert.equal(errorEvent(error).toString(), `data: ${JSON.stringify(body)}\n\n`);
});

test('a thrown error, and what is for the operator, never reaches the client', () => {
  const operatorDetail = 'The provider answered 401: Incorrect API key: sk-abc';
  const error = new GatewayError('upstream_credential', { cause: { message: 'sk-abc' }, operatorDetail });
  assert.ok(!errorBody(error).includes('sk-abc'));
  assert.ok(!errorEvent(error).includes('sk-abc'));
});

test('a tier that the provider served in is told in OpenAI’s word, and its default or another word is not', () => {
  const tierOf = (serviceTier: string) => {
    const served: InferenceEvent = {
      type: 'usage',
      usage: { inputTokens: 1, outputTokens: 1, servedAs: { serviceTier } },
    };
    const inStream = /"service_tier":"(\w+)"/.exec(stream([start, served, stop]).toString())?.[1];
    assert.equal(JSON.parse(whole([start, served, stop]).toString()).service_tier, inStream);
    return inStream;
  };
  assert.deepEqual(['priority', 'flex', 'batch', 'standard'].map(tierOf), ['priority', 'flex', undefined, undefined]);
});
