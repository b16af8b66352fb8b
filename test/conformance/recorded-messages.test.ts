import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { anthropicMessages } from '../../src/dialects/anthropic-messages/index.ts';
import type { Usage } from '../../src/inference/usage.ts';
import { anthropicWire } from '../../src/providers/anthropic-messages/wire.ts';
import { cuttings, pieces } from '../support/cuttings.ts';
import { noRecordings, recordings } from '../support/recordings.ts';
import { carryAnswer } from './carry-answer.ts';
import { splitEvents } from './recorded-chats.ts';

const carry = carryAnswer.bind(undefined, anthropicWire, anthropicMessages.answers);

interface MessageUsage {
  input_tokens?: number;
  output_tokens?: number;
  cache_read_input_tokens?: number | null;
  cache_creation_input_tokens?: number | null;
}

/** All that the message says it used, read without any code of ours. */
function usageIn(kind: 'sse' | 'json', answer: Buffer): Usage {
  const said: MessageUsage = {};
  for (const line of kind === 'json' ? [answer.toString()] : answer.toString().split('\n')) {
    if (kind === 'sse' && !line.startsWith('data: {')) continue;
    const event = JSON.parse(kind === 'json' ? line : line.slice(6));
    const counts = Object.entries(event.message?.usage ?? event.usage ?? {}).filter(([, count]) => count !== null);
    Object.assign(said, Object.fromEntries(counts));
  }
  const cached = (said.cache_read_input_tokens ?? 0) + (said.cache_creation_input_tokens ?? 0);
  return { inputTokens: said.input_tokens! + cached, outputTokens: said.output_tokens };
}

function check(label: string, kind: 'sse' | 'json', answer: Buffer, chunks: Iterable<Buffer>): void {
  // A stream needs no end of HTTP: its own is enough.
  const { host, meter } = carry(kind, chunks, kind === 'sse' ? 'open' : 'ended');
  assert.equal(host.error, undefined, label);
  assert.ok(host.finished, label);
  assert.deepEqual(host.behindTheEnd, [], label);
  assert.ok(host.output().equals(answer), label);
  const { inputTokens, outputTokens } = meter.usage ?? {};
  assert.deepEqual({ inputTokens, outputTokens }, usageIn(kind, answer), label);
}

/** What a compaction costs is told beside the usual counts, and is no matter of this test. */
const recorded = recordings('anthropic').filter(
  ({ request, response }) =>
    request.path === '/v1/messages' && response.status === 200 && !response.body?.includes('"type":"compaction"'),
);

for (const kind of ['sse', 'json'] as const) {
  test(`every recorded message of Anthropic (${kind}) passes byte for byte, with usage, however it is cut`, {
    skip: noRecordings,
  }, () => {
    const answers = recorded.filter((recording) => recording.kind === kind);
    assert.ok(answers.length > 10);
    for (const { name, response } of answers) {
      const answer = Buffer.from(response.body ?? '');
      for (const chunks of cuttings(answer, 2_000)) check(name, kind, answer, chunks);
      if (kind === 'sse') check(name, kind, answer, splitEvents(answer));
    }
  });
}

const folder = join(import.meta.dirname, '../fixtures/anthropic');
const fixture = (file: string) => readFileSync(join(folder, file));

for (const file of readdirSync(folder)) {
  if (file === 'error.sse') continue;
  test(`fixture ${file} passes byte for byte, with usage, cut in two at every byte`, () => {
    const kind = file.endsWith('.sse') ? 'sse' : 'json';
    for (const chunks of cuttings(fixture(file), 1 << 20)) check(file, kind, fixture(file), chunks);
  });
}

test('input tokens hold what was read from the cache and written to it, told in the first event of a stream', () => {
  const { meter } = carry('sse', [fixture('text.sse')]);
  const { inputTokens, outputTokens, cacheReadInputTokens, cacheCreationInputTokens, cacheCreation1hInputTokens } =
    meter.usage ?? {};
  assert.deepEqual(
    [inputTokens, outputTokens, cacheReadInputTokens, cacheCreationInputTokens, cacheCreation1hInputTokens],
    [115, 9, 100, 5, 3],
  );
});

test('an error event fails the message in front of it, with its words and the status of its type', () => {
  const answer = fixture('error.sse');
  for (const chunks of cuttings(answer, 1 << 20)) {
    const { host } = carry('sse', chunks);
    assert.equal(host.error?.code, 'upstream_overloaded');
    assert.match(host.error?.message ?? '', /Overloaded/);
    assert.ok(host.output().equals(Buffer.concat(splitEvents(answer).slice(0, -1))));
  }
});

test('an error before the first content commits nothing, and one in a whole 200 is a failure', () => {
  const error = { type: 'error', error: { type: 'rate_limit_error', message: 'Slow down' } };
  const [start] = splitEvents(fixture('error.sse'));
  for (const [kind, text] of [
    ['sse', `${start}event: ping\ndata: {"type":"ping"}\n\nevent: error\ndata: ${JSON.stringify(error)}\n\n`],
    ['sse', `data: ${JSON.stringify(error)}\n\n`],
    ['json', JSON.stringify(error)],
  ] as const) {
    const { host } = carry(kind, pieces(Buffer.from(text), 5));
    assert.equal(host.error?.code, 'upstream_rate_limited', text);
    assert.match(host.error?.message ?? '', /Slow down/);
    assert.equal(host.contentType, undefined);
  }
});

test('a message that is cut anywhere before message_stop is not whole, nor is what it said before a clean end', () => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.sse') && name !== 'error.sse')) {
    const answer = fixture(file);
    const behindDelta = answer.indexOf('event: message_stop');
    for (let at = 0; at < answer.length; at += 1) {
      const { host } = carry('sse', [answer.subarray(0, at)], 'open');
      assert.equal(host.finished, false, `${file} at ${at}`);
      const ended = carry('sse', [answer.subarray(0, at)]).host;
      assert.equal(ended.finished, at >= behindDelta, `${file} at ${at}`);
      assert.match(ended.output().toString(), /^$|\n\n$/);
    }
  }
});

test('the first content is text, thinking or a call: no start of an empty block, no ping, no signature', () => {
  const event = (type: string, more: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
  const delta = (value: object) => event('content_block_delta', { index: 0, delta: value });
  const block = (value: object) => event('content_block_start', { index: 0, content_block: value });
  for (const [text, content] of [
    [event('message_start', { message: { usage: { input_tokens: 1 } } }), 0],
    [event('ping', {}), 0],
    [block({ type: 'text', text: '' }), 0],
    [block({ type: 'thinking', thinking: '', signature: '' }), 0],
    [delta({ type: 'text_delta', text: '' }), 0],
    [delta({ type: 'signature_delta', signature: 'x' }), 0],
    [event('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 1 } }), 0],
    [delta({ type: 'text_delta', text: 'a' }), 1],
    [delta({ type: 'thinking_delta', thinking: 'a' }), 1],
    [delta({ type: 'input_json_delta', partial_json: '{' }), 1],
    [block({ type: 'tool_use', id: 't', name: 'f', input: {} }), 1],
    [block({ type: 'redacted_thinking', data: 'x' }), 1],
    [delta({ type: 'text_delta', text: 'a' }).replace('event: content_block_delta\n', ''), 1],
  ] as const) {
    assert.equal(carry('sse', [Buffer.from(text)], 'open').host.contentPieces, content, text);
  }
});

test('a fixture that came whole becomes the events that its stream has, and they say the same', () => {
  for (const name of ['text', 'tools', 'thinking', 'refusal']) {
    const answer = fixture(`${name}.json`);
    const events = anthropicMessages.answers.toEvents(answer);
    assert.ok(Buffer.isBuffer(events));
    const { host, meter } = carry('sse', [events], 'open');
    assert.ok(host.finished);
    assert.deepEqual(meter.usage, carry('json', [answer]).meter.usage);
  }
});
