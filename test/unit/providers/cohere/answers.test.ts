import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import type { InferenceEvent } from '../../../../src/inference/event.ts';
import { mergeUsage, type Usage } from '../../../../src/inference/usage.ts';
import { eventReader, fromResponse } from '../../../../src/providers/cohere/from-event.ts';
import { toError } from '../../../../src/providers/cohere/to-error.ts';
import { toUsage } from '../../../../src/providers/cohere/to-usage.ts';
import { tokenCostNanoUsd } from '../../../../src/usage/token-cost.ts';
import { exampleTarget } from '../../../support/targets.ts';

function eventsOf(...data: (object | string)[]): InferenceEvent[] {
  const reader = eventReader();
  const out: InferenceEvent[] = [];
  for (const each of data) reader.fromEvent(undefined, typeof each === 'string' ? each : JSON.stringify(each), out);
  return out;
}

function wholeOf(answer: object): InferenceEvent[] {
  const events = fromResponse(Buffer.from(JSON.stringify(answer)));
  assert.ok(!(events instanceof GatewayError));
  return events;
}

test('an answer that Cohere ends with an error or a timeout is a failure, whole and streamed, with its words', () => {
  const end = { type: 'message-end', delta: { finish_reason: 'ERROR', error: 'The model broke.' } };
  const error = { type: 'error', status: 500, errorType: 'ERROR', message: 'The model broke.' };
  assert.deepEqual(eventsOf(end), [error]);
  assert.deepEqual(wholeOf({ message: {}, finish_reason: 'ERROR', error: 'The model broke.' }).at(-1), error);
  const late = eventsOf({ type: 'message-end', delta: { finish_reason: 'TIMEOUT' } });
  assert.deepEqual(late, [
    { type: 'error', status: 504, errorType: 'TIMEOUT', message: 'The answer ended with TIMEOUT.' },
  ]);
});

test('an error of Cohere’s shape within a 200 is a failure, and what is no answer is told as such', () => {
  const [event] = eventsOf({ id: 'x', message: 'internal', error_type: 'INTERNAL' });
  assert.deepEqual(event, { type: 'error', status: 502, errorType: 'INTERNAL', message: 'internal' });
  assert.equal(wholeOf({ id: 'x', message: 'internal' })[0]?.type, 'error');
  assert.equal(eventsOf('{')[0]?.type, 'error');
  for (const body of ['{', '[]', '{}']) {
    const made = fromResponse(Buffer.from(body));
    assert.ok(made instanceof GatewayError && made.code === 'upstream_protocol', body);
  }
});

test('events that Cohere may add say nothing, and parallel calls keep their places', () => {
  const start = (index: number, id: string) => ({
    type: 'tool-call-start',
    index,
    delta: { message: { tool_calls: { id, type: 'function', function: { name: 'f', arguments: '' } } } },
  });
  const delta = (index: number, text: string) => ({
    type: 'tool-call-delta',
    index,
    delta: { message: { tool_calls: { function: { arguments: text } } } },
  });
  const events = eventsOf({ type: 'debug', prompt: 'x' }, start(1, 'a'), start(2, 'b'), delta(2, '{}'), delta(1, '{'));
  assert.deepEqual(events, [
    { type: 'tool-call', index: 0, id: 'a', name: 'f' },
    { type: 'tool-call', index: 1, id: 'b', name: 'f' },
    { type: 'tool-call-arguments', index: 1, text: '{}' },
    { type: 'tool-call-arguments', index: 0, text: '{' },
  ]);
});

test('a citation goes out as Cohere said it, and as one of the web where its source has an address', () => {
  const source = { type: 'document', id: 'd', document: { title: 'T', url: 'https://a.example/x' } };
  const citation = { start: 3, end: 5, text: 'ab', sources: [source], type: 'TEXT_CONTENT' };
  const events = eventsOf({ type: 'citation-start', index: 0, delta: { message: { citations: citation } } });
  assert.deepEqual(events, [
    { type: 'extension', key: 'citations', value: [citation] },
    { type: 'citation', url: 'https://a.example/x', title: 'T', start: 3, end: 5 },
  ]);
});

test('log probabilities of Cohere become OpenAI’s entries: of a piece of several tokens it is the sum', () => {
  const logprobs = [{ text: 'ü', token_ids: [1, 2], logprobs: [-0.5, -0.25] }];
  const events = wholeOf({ message: { content: [] }, finish_reason: 'COMPLETE', logprobs });
  assert.deepEqual(events[1], {
    type: 'logprobs',
    content: [{ token: 'ü', logprob: -0.75, bytes: [0xc3, 0xbc], top_logprobs: [] }],
  });
});

const said = {
  billed_units: { input_tokens: 8, output_tokens: 50 },
  tokens: { input_tokens: 1394, output_tokens: 55, reasoning_tokens: 38 },
  cached_tokens: 1360,
};

test('Cohere’s tokens are counted, and only its billed units are paid for, also where they are none', () => {
  const table = { perExchange: 0, bands: [{ fromInputTokens: 0, rates: { input: 2500, output: 10_000 } }] as const };
  const usage: Usage = {};
  mergeUsage(usage, toUsage(said) ?? {});
  assert.deepEqual([usage.inputTokens, usage.cacheReadInputTokens, usage.reasoningOutputTokens], [1394, 1360, 38]);
  assert.equal(tokenCostNanoUsd(table, usage), 8 * 2500 + 50 * 10_000);
  const free: Usage = {};
  mergeUsage(free, toUsage({ ...said, billed_units: { input_tokens: 0, output_tokens: 0 } }) ?? {});
  assert.equal(tokenCostNanoUsd(table, free), 0);
});

test('a refused key of Cohere is our credential’s fault, and too long a prompt is the client’s', () => {
  const key = toError(401, Buffer.from('{"id":"x","message":"Incorrect API key provided"}'), exampleTarget);
  assert.equal(key.code, 'upstream_credential');
  const body = '{"error_type":"TOO_MANY_TOKENS","id":"c","message":"too many tokens"}';
  const long = toError(400, Buffer.from(body), exampleTarget);
  assert.deepEqual([long.code, long.context.upstreamType], ['upstream_rejected', 'TOO_MANY_TOKENS']);
});

test('a whole answer whose content is one text is that text', () => {
  const answer = { id: 'c', message: { role: 'assistant', content: 'Hello' }, finish_reason: 'COMPLETE' };
  const events = fromResponse(Buffer.from(JSON.stringify(answer)));
  assert.ok(Array.isArray(events));
  assert.deepEqual(events[1], { type: 'text', text: 'Hello' });
});
