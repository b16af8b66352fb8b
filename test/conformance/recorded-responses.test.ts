import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openAiResponses } from '../../src/dialects/openai-responses/index.ts';
import type { Usage } from '../../src/inference/usage.ts';
import { openAiResponsesWire } from '../../src/providers/openai-compatible/wire.ts';
import { cuttings, pieces } from '../support/cuttings.ts';
import { noRecordings, recordings } from '../support/recordings.ts';
import { carryAnswer } from './carry-answer.ts';
import { splitEvents } from './recorded-chats.ts';

const carry = carryAnswer.bind(undefined, openAiResponsesWire, openAiResponses.answers);

/** The last response that an answer holds, read without any code of ours. */
function lastResponse(kind: 'sse' | 'json', answer: Buffer) {
  if (kind === 'json') return JSON.parse(answer.toString());
  const events = answer
    .toString()
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice(6)));
  return events.findLast(({ response }) => response)?.response;
}

function usageIn(kind: 'sse' | 'json', answer: Buffer): Usage {
  const { usage } = lastResponse(kind, answer);
  return {
    inputTokens: usage.input_tokens,
    outputTokens: usage.output_tokens,
    cacheReadInputTokens: usage.input_tokens_details?.cached_tokens,
    reasoningOutputTokens: usage.output_tokens_details?.reasoning_tokens,
  };
}

/** What some send behind the last event is nobody's. */
function clients(kind: 'sse' | 'json', answer: Buffer): Buffer {
  if (kind === 'json') return answer;
  const events = splitEvents(answer);
  const last = events.findIndex((event) => /"type": ?"response\.(completed|incomplete)"/.test(event.toString()));
  return Buffer.concat(events.slice(0, last + 1));
}

function check(label: string, kind: 'sse' | 'json', answer: Buffer, chunks: Iterable<Buffer>): void {
  // A stream needs no end of HTTP: its own is enough.
  const { host, meter } = carry(kind, chunks, kind === 'sse' ? 'open' : 'ended');
  assert.equal(host.error, undefined, label);
  assert.ok(host.finished, label);
  assert.ok(host.output().equals(clients(kind, answer)), label);
  const { inputTokens, outputTokens, cacheReadInputTokens, reasoningOutputTokens } = meter.usage ?? {};
  const told = { inputTokens, outputTokens, cacheReadInputTokens, reasoningOutputTokens };
  assert.deepEqual(told, usageIn(kind, answer), label);
}

const PROVIDERS = ['openai', 'azure', 'deepseek', 'xai', 'bedrock-mantle'] as const;
const recorded = PROVIDERS.flatMap(recordings).filter(
  ({ request, response }) => request.path.endsWith('/responses') && response.status === 200,
);

for (const kind of ['sse', 'json'] as const) {
  test(`every recorded response (${kind}) passes byte for byte, with usage, however it is cut`, {
    skip: noRecordings,
  }, () => {
    const answers = recorded.filter((recording) => recording.kind === kind);
    assert.ok(answers.length > 20);
    for (const { name, response } of answers) {
      const answer = Buffer.from(response.body ?? '');
      for (const chunks of cuttings(answer, kind === 'sse' ? 300 : 40)) check(name, kind, answer, chunks);
      if (kind === 'sse') check(name, kind, answer, splitEvents(answer));
    }
  });
}

const folder = join(import.meta.dirname, '../fixtures/responses');
const fixture = (file: string) => readFileSync(join(folder, file));
const whole = readdirSync(folder).filter((file) => file !== 'failed.sse');

for (const file of whole) {
  test(`the response ${file} passes byte for byte, with usage, cut in two at every byte`, () => {
    const kind = file.endsWith('.sse') ? 'sse' : 'json';
    for (const chunks of cuttings(fixture(file), 1 << 20)) check(file, kind, fixture(file), chunks);
  });
}

test('a response that failed in its stream fails with its words and the status of its code, behind what came', () => {
  const answer = fixture('failed.sse');
  for (const chunks of cuttings(answer, 1 << 20)) {
    const { host } = carry('sse', chunks);
    assert.equal(host.error?.code, 'upstream_rate_limited');
    assert.match(host.error?.message ?? '', /Slow down/);
    assert.ok(host.output().equals(Buffer.concat(splitEvents(answer).slice(0, -1))));
  }
});

test('an error in front of the first content of a response commits nothing, and one in a whole 200 is a failure', () => {
  const error = { code: 'rate_limit_exceeded', message: 'Slow down' };
  const [created] = splitEvents(fixture('text.sse'));
  for (const [kind, text] of [
    ['sse', `${created}event: error\ndata: ${JSON.stringify({ type: 'error', ...error, param: null })}\n\n`],
    ['sse', `event: error\ndata: ${JSON.stringify({ type: 'error', error })}\n\n`],
    ['json', JSON.stringify({ object: 'response', status: 'failed', error, output: [] })],
  ] as const) {
    const { host } = carry(kind, pieces(Buffer.from(text), 5));
    assert.equal(host.error?.code, 'upstream_rate_limited', text);
    assert.match(host.error?.message ?? '', /Slow down/);
    assert.equal(host.contentType, undefined);
  }
});

test('a response that is cut anywhere before its last event is not whole, also where HTTP ends cleanly', () => {
  for (const file of whole.filter((name) => name.endsWith('.sse'))) {
    const answer = fixture(file);
    const lastEvent = answer.length - splitEvents(answer).at(-1)!.length;
    for (let at = 0; at < answer.length; at += 7) {
      assert.equal(carry('sse', [answer.subarray(0, at)], 'open').host.finished, false, `${file} at ${at}`);
      const ended = carry('sse', [answer.subarray(0, Math.min(at, lastEvent))]).host;
      assert.equal(ended.error?.code, 'upstream_cut', `${file} at ${at}`);
      assert.match(ended.output().toString(), /^$|\n\n$/);
    }
  }
});

test('the first content of a response is text, reasoning or a call: no empty item, no part, no end of one', () => {
  const event = (type: string, more: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
  const added = (item: object) => event('response.output_item.added', { item });
  for (const [text, content] of [
    [event('response.created', { response: {} }), 0],
    [added({ type: 'message', content: [] }), 0],
    [added({ type: 'reasoning', summary: [] }), 0],
    [event('response.output_text.delta', { delta: '' }), 0],
    [event('response.output_text.done', { text: 'a' }), 0],
    [event('response.output_text.delta', { delta: 'a' }), 1],
    [event('response.reasoning_summary_text.delta', { delta: 'a' }), 1],
    [event('response.reasoning_text.delta', { delta: 'a' }), 1],
    [event('response.refusal.delta', { delta: 'a' }), 1],
    [event('response.function_call_arguments.delta', { delta: '{' }), 1],
    [added({ type: 'function_call', name: 'f' }), 1],
    [event('response.web_search_call.searching', { item_id: 'ws' }), 1],
  ] as const) {
    assert.equal(carry('sse', [Buffer.from(text)], 'open').host.contentPieces, content, text);
  }
});

test('a whole response becomes the events that its stream has, and its stream becomes the whole', () => {
  const stream = fixture('text.sse');
  const answer = fixture('text.json');
  const events = openAiResponses.answers.toEvents(answer);
  assert.ok(Buffer.isBuffer(events));
  const { host, meter } = carry('sse', [events], 'open');
  assert.ok(host.finished);
  assert.deepEqual(meter.usage, carry('json', [answer]).meter.usage);
  for (const each of [events, stream]) {
    const joined = openAiResponses.answers.toWhole(each);
    assert.ok(Buffer.isBuffer(joined));
    assert.deepEqual(JSON.parse(joined.toString()), JSON.parse(answer.toString()));
  }
});

test('searches that a provider made for a response are counted once, and what it bills in dollars is told', () => {
  const searched = { service_tier: 'priority', tool_usage: { web_search: { num_requests: 2 } } };
  const usage = { input_tokens: 5, output_tokens: 2, total_tokens: 7 };
  const told = openAiResponsesWire.toUsage(usage, searched);
  assert.deepEqual(told?.rare, {
    webSearchRequests: 2,
    searchSources: undefined,
    toolRequests: undefined,
    imageOutputTokens: undefined,
  });
  assert.deepEqual(told?.servedAs, { serviceTier: 'priority' });
  const own = { num_server_side_tools_used: 3, server_side_tool_usage_details: { web_search_calls: 2 } };
  const ofXai = openAiResponsesWire.toUsage({ ...usage, ...own, cost_in_usd_ticks: 5e9 }, {});
  assert.deepEqual([ofXai?.rare?.webSearchRequests, ofXai?.rare?.toolRequests, ofXai?.providerCostUsd], [2, 1, 0.5]);
});
