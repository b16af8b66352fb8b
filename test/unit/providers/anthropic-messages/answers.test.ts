import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import type { InferenceEvent } from '../../../../src/inference/event.ts';
import { toFinishReason } from '../../../../src/providers/anthropic-messages/finish-reason.ts';
import { eventReader } from '../../../../src/providers/anthropic-messages/from-event.ts';
import { fromResponse } from '../../../../src/providers/anthropic-messages/from-response.ts';
import { toError } from '../../../../src/providers/anthropic-messages/to-error.ts';
import { toUsage } from '../../../../src/providers/anthropic-messages/to-usage.ts';
import { anthropicWire } from '../../../../src/providers/anthropic-messages/wire.ts';
import { exampleTarget } from '../../../support/targets.ts';
import { streamedAnswer, wholeAnswer } from '../../../support/translated-answer.ts';

function read(...data: unknown[]): InferenceEvent[] {
  const reader = eventReader();
  const events: InferenceEvent[] = [];
  for (const each of data) reader.fromEvent(undefined, typeof each === 'string' ? each : JSON.stringify(each), events);
  return JSON.parse(JSON.stringify(events));
}

const counted = (value: unknown) => JSON.parse(JSON.stringify(toUsage(value)));

test('Anthropic’s input holds what the cache gave and took, and a compaction pass is billed too', () => {
  assert.deepEqual(
    counted({
      input_tokens: 3,
      output_tokens: 4,
      cache_read_input_tokens: 100,
      cache_creation_input_tokens: 20,
      cache_creation: { ephemeral_5m_input_tokens: 5, ephemeral_1h_input_tokens: 15 },
      output_tokens_details: { thinking_tokens: 2 },
      iterations: [
        { type: 'compaction', input_tokens: 1000, output_tokens: 50 },
        { type: 'message', input_tokens: 3, output_tokens: 4 },
      ],
    }),
    {
      inputTokens: 1123,
      outputTokens: 54,
      cacheReadInputTokens: 100,
      cacheCreationInputTokens: 20,
      cacheCreation1hInputTokens: 15,
      reasoningOutputTokens: 2,
    },
  );
  assert.equal(toUsage(null), undefined);
  assert.equal(toUsage({}), undefined);
});

test('a last usage of Anthropic without its cache parts does not lose them', () => {
  const [, first, last] = read(
    {
      type: 'message_start',
      message: { id: 'm', usage: { input_tokens: 10, cache_read_input_tokens: 90, output_tokens: 1 } },
    },
    { type: 'message_delta', delta: {}, usage: { output_tokens: 7, input_tokens: null } },
  );
  assert.deepEqual(first, { type: 'usage', usage: { inputTokens: 100, cacheReadInputTokens: 90, outputTokens: 1 } });
  assert.deepEqual(last, { type: 'usage', usage: { inputTokens: 100, cacheReadInputTokens: 90, outputTokens: 7 } });
});

test('every stop reason of Anthropic has a neutral word and keeps its own', () => {
  const unified = (raw: string) => toFinishReason(raw).unified;
  assert.deepEqual(
    ['end_turn', 'stop_sequence', 'max_tokens', 'model_context_window_exceeded', 'tool_use', 'refusal'].map(unified),
    ['stop', 'stop', 'length', 'length', 'tool-calls', 'content-filter'],
  );
  assert.deepEqual(toFinishReason('compaction'), { unified: 'other', raw: 'compaction' });
  assert.deepEqual(toFinishReason('pause_turn'), { unified: 'pause', raw: 'pause_turn' });
});

test('content in the start of a block counts, as others who speak Anthropic’s API send it', () => {
  assert.deepEqual(
    read(
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: 'a' } },
      {
        type: 'content_block_start',
        index: 1,
        content_block: { type: 'tool_use', id: 't', name: 'f', input: { x: 1 } },
      },
      { type: 'content_block_stop', index: 1 },
    ),
    [
      { type: 'text', text: 'a' },
      { type: 'tool-call', index: 0, id: 't', name: 'f' },
      { type: 'tool-call-arguments', index: 0, text: '{"x":1}' },
    ],
  );
});

test('a second message_start, pings and events of unknown types give nothing', () => {
  const start = { type: 'message_start', message: { id: 'm', model: 'c' } };
  assert.deepEqual(
    read(
      start,
      start,
      { type: 'ping' },
      { type: 'news' },
      { type: 'content_block_delta', index: 0, delta: { type: 'x' } },
      '7',
    ),
    [{ type: 'start', id: 'm', model: 'c' }],
  );
});

test('an Anthropic event that is not JSON is an error of the stream', () => {
  assert.equal(read('{"type":')[0]?.type, 'error');
});

test('error types inside an Anthropic stream stand for their statuses', () => {
  const status = (type: string) => {
    const [event] = read({ type: 'error', error: { type, message: 'm' } });
    return event?.type === 'error' ? event.status : undefined;
  };
  assert.deepEqual(
    ['overloaded_error', 'rate_limit_error', 'api_error', 'timeout_error', 'invalid_request_error', 'new_error'].map(
      status,
    ),
    [529, 429, 500, 504, 400, 500],
  );
});

test('an Anthropic answer that is no message is upstream_protocol', () => {
  for (const body of ['<html>', '[]', '{"completion":"old"}']) {
    const error = fromResponse(Buffer.from(body));
    assert.ok(error instanceof GatewayError && error.code === 'upstream_protocol');
  }
});

test('an empty Anthropic message is an answer', () => {
  const events = fromResponse(Buffer.from('{"id":"m","model":"c","content":[],"stop_reason":"end_turn"}'));
  assert.deepEqual(events, [
    { type: 'start', id: 'm', model: 'c' },
    { type: 'finish', reason: { unified: 'stop', raw: 'end_turn' } },
  ]);
});

test('errors keep Anthropic’s words, and an empty balance is the gateway’s fault and not the client’s', () => {
  const error = (status: number, type: string, message: string) =>
    toError(status, Buffer.from(JSON.stringify({ type: 'error', error: { type, message } })), exampleTarget);
  const rejected = error(400, 'invalid_request_error', 'prompt is too long');
  assert.equal(rejected.message, 'prompt is too long');
  assert.equal(rejected.context.upstreamType, 'invalid_request_error');
  assert.equal(error(529, 'overloaded_error', 'Overloaded').status, 503);
  assert.equal(error(401, 'authentication_error', 'invalid x-api-key').status, 502);
  const broke = error(400, 'invalid_request_error', 'Your credit balance is too low to access the Anthropic API.');
  assert.equal(broke.code, 'upstream_credential');
});

const wire = anthropicWire.translation!;
const message = (content: object[], more: object = {}) => ({
  id: 'msg_1',
  model: 'claude',
  content,
  stop_reason: 'end_turn',
  usage: { input_tokens: 1, output_tokens: 2 },
  ...more,
});
const streamOf = (events: { type: string }[], end: object = {}) =>
  streamedAnswer(
    wire,
    [
      { type: 'message_start', message: { ...message([]), stop_reason: null } },
      ...events,
      { type: 'message_delta', delta: { stop_reason: 'end_turn', ...end }, usage: { output_tokens: 2 } },
      { type: 'message_stop' },
    ].map((event) => [event.type, event] as const),
  ).choices[0]!.message;
const begins = (index: number, block: object) => ({ type: 'content_block_start', index, content_block: block });
const goesOn = (index: number, delta: object) => ({ type: 'content_block_delta', index, delta });
const ends = (index: number) => ({ type: 'content_block_stop', index });

test('sources are told as Anthropic says them, those on the web as annotations at their text too, whole as streamed', () => {
  const web = {
    type: 'web_search_result_location',
    url: 'https://a.example',
    title: 'A',
    cited_text: 'c',
    encrypted_index: 'e',
  };
  const page = { type: 'page_location', cited_text: 'c', document_index: 0, start_page_number: 1, end_page_number: 2 };
  const search = { type: 'search_result_location', source: 'https://b.example', title: 'B', search_result_index: 0 };
  const content = [
    { type: 'text', text: 'First. ' },
    { type: 'text', text: 'Cited', citations: [web, page, search] },
  ];
  const asWhole = wholeAnswer(wire, message(content)).choices[0]!.message;
  const asStream = streamOf([
    begins(0, { type: 'text', text: '' }),
    goesOn(0, { type: 'text_delta', text: 'First. ' }),
    ends(0),
    begins(1, { type: 'text', text: '', citations: [] }),
    goesOn(1, { type: 'text_delta', text: 'Ci' }),
    ...[web, page, search].map((citation) => goesOn(1, { type: 'citations_delta', citation })),
    goesOn(1, { type: 'text_delta', text: 'ted' }),
    ends(1),
  ]);
  for (const { content: text, ...told } of [asWhole, asStream]) {
    assert.equal(text, 'First. Cited');
    assert.deepEqual(told['citations'], [web, page, search]);
    assert.deepEqual(
      told['annotations'].map((each: { url_citation: object }) => each.url_citation),
      [
        { url: 'https://a.example', title: 'A', start_index: 7, end_index: 12 },
        { url: 'https://b.example', title: 'B', start_index: 7, end_index: 12 },
      ],
    );
  }
});

test('calls and results of Anthropic’s own tools are told beside the answer, whole as streamed', () => {
  const call = { type: 'server_tool_use', id: 'srv_1', name: 'web_search' };
  const result = {
    type: 'web_search_tool_result',
    tool_use_id: 'srv_1',
    content: [{ type: 'web_search_result', url: 'https://a.example' }],
  };
  const compaction = { type: 'compaction', content: 'So far: nothing.' };
  const container = { id: 'container_1', expires_at: '2026-01-01T00:00:00Z' };
  const content = [{ ...call, input: { query: 'x' } }, result, compaction, { type: 'text', text: 'Found.' }];
  const asWhole = wholeAnswer(wire, message(content, { container })).choices[0]!.message;
  const asStream = streamOf(
    [
      begins(0, { ...call, input: {} }),
      goesOn(0, { type: 'input_json_delta', partial_json: '{"query":' }),
      goesOn(0, { type: 'input_json_delta', partial_json: '"x"}' }),
      ends(0),
      begins(1, result),
      ends(1),
      begins(2, { type: 'compaction', content: '' }),
      goesOn(2, { type: 'compaction_delta', content: 'So far: ' }),
      goesOn(2, { type: 'compaction_delta', content: 'nothing.' }),
      ends(2),
      begins(3, { type: 'text', text: '' }),
      goesOn(3, { type: 'text_delta', text: 'Found.' }),
      ends(3),
    ],
    { container },
  );
  for (const told of [asWhole, asStream]) {
    assert.deepEqual(told['server_tools'], [{ ...call, input: { query: 'x' } }, result]);
    assert.deepEqual(told['other_content'], [compaction]);
    assert.deepEqual(told['container'], container);
    assert.equal(told['tool_calls'], undefined);
    assert.equal(told.content, 'Found.');
  }
});
