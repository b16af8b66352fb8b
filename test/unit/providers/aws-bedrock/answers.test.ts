import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bedrockConverseWire } from '../../../../src/providers/aws-bedrock/wire.ts';
import { streamedAnswer, wholeAnswer } from '../../../support/translated-answer.ts';

const translation = bedrockConverseWire.translation!;
const usage = { inputTokens: 3, outputTokens: 4, totalTokens: 7 };
const answerOf = (content: object[], more: object = {}) => ({
  output: { message: { role: 'assistant', content } },
  stopReason: 'end_turn',
  usage,
  ...more,
});
const whole = (content: object[], more?: object) => wholeAnswer(translation, answerOf(content, more)).choices[0]!;

type Event = [string, object];
const start = (index: number, block: object): Event => [
  'contentBlockStart',
  { contentBlockIndex: index, start: block },
];
const delta = (index: number, block: object): Event => [
  'contentBlockDelta',
  { contentBlockIndex: index, delta: block },
];
const stop = (index: number): Event => ['contentBlockStop', { contentBlockIndex: index }];
const streamed = (events: Event[], stopped: object = {}, metadata: object = {}) =>
  streamedAnswer(translation, [
    ['messageStart', { role: 'assistant' }],
    ...events,
    ['messageStop', { stopReason: 'end_turn', ...stopped }],
    ['metadata', { usage, metrics: { latencyMs: 1 }, ...metadata }],
  ]).choices[0]!;

test('calls and results of Bedrock’s own tools are told beside the answer, the same whole and streamed', () => {
  const call = { toolUseId: 't1', name: 'nova_code_interpreter', type: 'server_tool_use' };
  const result = { toolUseId: 't1', type: 'nova_code_interpreter_result', status: 'success' };
  const asWhole = whole([
    { toolUse: { ...call, input: { snippet: '1+1' } } },
    { toolResult: { ...result, content: [{ text: 'It is 2' }, { json: { exitCode: 0 } }] } },
    { text: 'Two.' },
    { toolUse: { toolUseId: 't2', name: 'f', input: {} } },
  ]);
  const asStream = streamed([
    start(0, { toolUse: call }),
    delta(0, { toolUse: { input: '{"snippet"' } }),
    delta(0, { toolUse: { input: ':"1+1"}' } }),
    stop(0),
    start(1, { toolResult: result }),
    delta(1, { toolResult: [{ text: 'It ' }] }),
    delta(1, { toolResult: [{ text: 'is 2' }, { json: { exitCode: 0 } }] }),
    stop(1),
    delta(2, { text: 'Two.' }),
    stop(2),
    start(3, { toolUse: { toolUseId: 't2', name: 'f' } }),
    stop(3),
  ]);
  assert.equal(asWhole.message['server_tools'].length, 2);
  assert.equal(asWhole.message['tool_calls'].length, 1);
  assert.deepEqual(asStream.message['server_tools'], asWhole.message['server_tools']);
  assert.deepEqual(asStream.message['tool_calls'], asWhole.message['tool_calls']);
  assert.equal(asStream.message.content, 'Two.');
});

test('sources on the web are annotations at the text of their block, those of documents stay Bedrock’s', () => {
  const web = { location: { web: { url: 'https://a.example', domain: 'a.example' } }, title: 'A' };
  const page = { location: { documentPage: { documentIndex: 0, start: 1, end: 2 } }, sourceContent: [{ text: 's' }] };
  const asWhole = whole([
    { text: 'First. ' },
    { citationsContent: { content: [{ text: 'Cited' }], citations: [web, page] } },
  ]);
  const asStream = streamed([
    delta(0, { text: 'First. ' }),
    stop(0),
    delta(1, { text: 'Ci' }),
    delta(1, { citation: web }),
    delta(1, { citation: page }),
    delta(1, { text: 'ted' }),
    stop(1),
  ]);
  for (const { message } of [asWhole, asStream]) {
    assert.equal(message.content, 'First. Cited');
    const citation = { url: 'https://a.example', title: 'A', start_index: 7, end_index: 12 };
    assert.deepEqual(message['annotations'], [{ type: 'url_citation', url_citation: citation }]);
    assert.deepEqual(message['citations'], [page]);
  }
});

test('the trace of a guardrail and the asked fields of the model are told, in front of the end of a stream', () => {
  const trace = { guardrail: { inputAssessment: { g1: { topicPolicy: { topics: [] } } } } };
  const fields = { stop_sequence: 'END' };
  const asWhole = whole([{ text: 'Sorry.' }], {
    stopReason: 'guardrail_intervened',
    trace,
    additionalModelResponseFields: fields,
  });
  const asStream = streamed(
    [delta(0, { text: 'Sorry.' })],
    { stopReason: 'guardrail_intervened', additionalModelResponseFields: fields },
    { trace },
  );
  for (const { message, finish_reason: reason } of [asWhole, asStream]) {
    assert.equal(reason, 'content_filter');
    assert.equal(message.content, 'Sorry.');
    assert.deepEqual(message['trace'], trace);
    assert.deepEqual(message['additional_model_response_fields'], fields);
  }
});

test('an image has the format that its block began with, and sound is audio', () => {
  const asStream = streamed([
    start(0, { image: { format: 'webp' } }),
    delta(0, { image: { source: { bytes: 'UklG' } } }),
    stop(0),
  ]);
  const asWhole = whole([{ image: { format: 'webp', source: { bytes: 'UklG' } } }]);
  for (const { message } of [asStream, asWhole]) {
    assert.equal(message['images'][0].image_url.url, 'data:image/webp;base64,UklG');
  }
  const { message } = whole([{ audio: { format: 'mp3', source: { bytes: 'SUQz' } } }]);
  assert.equal(message['audio'].data, 'SUQz');
});

test('reasoning that is not shown goes out as it came, whole and streamed', () => {
  const asWhole = whole([{ reasoningContent: { redactedContent: 'b3BhcXVl' } }, { text: 'x' }]);
  const asStream = streamed([delta(0, { reasoningContent: { redactedContent: 'b3BhcXVl' } }), delta(1, { text: 'x' })]);
  for (const { message } of [asWhole, asStream]) {
    assert.deepEqual(message['thinking_blocks'], [{ type: 'redacted_thinking', data: 'b3BhcXVl' }]);
  }
});

test('content of another kind is told as it is, and marks of the cache are not', () => {
  const video = { video: { format: 'mp4', source: { s3Location: { uri: 's3://b/v.mp4' } } } };
  const { message } = whole([{ text: 'x' }, { cachePoint: { type: 'default' } }, video]);
  assert.deepEqual(message['other_content'], [video]);
  assert.equal(whole([]).message.content, '');
});

test('each reason to stop of Converse is one of OpenAI’s where there is one, and no clean end where there is none', () => {
  const word = (stopReason: string) => whole([{ text: 'x' }], { stopReason }).finish_reason;
  assert.deepEqual(['end_turn', 'stop_sequence', 'max_tokens', 'tool_use'].map(word), [
    'stop',
    'stop',
    'length',
    'tool_calls',
  ]);
  assert.deepEqual(['content_filtered', 'guardrail_intervened'].map(word), ['content_filter', 'content_filter']);
  assert.deepEqual(['model_context_window_exceeded', 'malformed_tool_use', 'malformed_model_output'].map(word), [
    'length',
    'malformed_tool_use',
    'malformed_model_output',
  ]);
});
