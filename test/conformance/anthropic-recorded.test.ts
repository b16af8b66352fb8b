import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SseParser } from '../../src/codec/sse-parser.ts';
import type { InferenceEvent } from '../../src/inference/event.ts';
import { anthropicWire } from '../../src/providers/anthropic-messages/wire.ts';
import { type AnthropicMessage, messageOfStream } from '../support/anthropic-message.ts';
import { type ChatAnswer, fromStream, fromWhole } from '../support/chat-answer.ts';
import { cuttings } from '../support/cuttings.ts';
import { noRecordings, recordings } from '../support/recordings.ts';
import { translateStream, translateWhole } from '../support/translated-chat.ts';

const { translation } = anthropicWire;
assert.ok(translation);
const streamed = (chunks: readonly Buffer[]) => translateStream(translation, chunks);
const whole = (body: string) => translateWhole(translation, body);

const finishWords: Record<string, string> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  tool_use: 'tool_calls',
  refusal: 'content_filter',
};

/** The recording's own words, turned into chat completions by hand; arguments as values, since their text may differ. */
function expected(message: AnthropicMessage) {
  const { content, usage } = message;
  const passes = [usage, ...(usage.iterations ?? []).filter((pass) => pass.type === 'compaction')];
  const sum = (key: string) => passes.reduce((total, pass) => total + (pass[key] ?? 0), 0);
  const cached = sum('cache_read_input_tokens');
  const written = sum('cache_creation_input_tokens');
  const input = sum('input_tokens') + cached + written;
  return {
    id: message.id,
    model: message.model,
    content: content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
    reasoning: content.map((block) => (block.type === 'thinking' ? block.thinking : '')).join(''),
    refusal: message.stop_details?.explanation ?? '',
    thinkingBlocks: content.filter((block) => block.type === 'thinking' || block.type === 'redacted_thinking'),
    toolCalls: content
      .filter((block) => block.type === 'tool_use')
      .map((block) => ({ id: block.id, name: block.name, arguments: block.input })),
    finish: finishWords[message.stop_reason],
    usage: {
      prompt_tokens: input,
      completion_tokens: sum('output_tokens'),
      total_tokens: input + sum('output_tokens'),
      prompt_tokens_details: { cached_tokens: cached, cache_write_tokens: written },
      ...(usage.output_tokens_details && {
        completion_tokens_details: { reasoning_tokens: usage.output_tokens_details.thinking_tokens },
      }),
    },
  };
}

function withParsedArguments(answer: ChatAnswer) {
  const toolCalls = answer.toolCalls.map((call) => ({ ...call, arguments: JSON.parse(call.arguments) }));
  return { ...answer, toolCalls };
}

function checkWhole(body: string): void {
  assert.deepEqual(withParsedArguments(fromWhole(whole(body))), expected(JSON.parse(body)));
}

function checkStream(text: string, mostCuts: number): void {
  const message = messageOfStream(text);
  const bytes = Buffer.from(text);
  const { bytes: answer, complete } = streamed([bytes]);
  assert.ok(complete);
  const told = withParsedArguments(fromStream(answer));
  assert.deepEqual(told, expected(message));
  assert.deepEqual(told, withParsedArguments(fromWhole(whole(JSON.stringify(message)))));
  for (const chunks of cuttings(bytes, mostCuts)) {
    const cut = streamed(chunks).bytes;
    assert.ok(cut.equals(answer));
  }
}

const messages = recordings('anthropic').filter(({ request }) => request.path === '/v1/messages');

for (const { name, kind, response } of messages) {
  if (response.status !== 200) continue;
  if (kind === 'json') test(`recorded whole: ${name}`, () => checkWhole(response.body ?? ''));
  if (kind === 'sse')
    test(`the recorded stream ${name}, cut at every byte, is translated the same`, () =>
      checkStream(response.body ?? '', 1 << 20));
}

test('the recordings of Anthropic are there and many', { skip: noRecordings }, () => {
  assert.equal(messages.filter(({ kind, response }) => kind === 'json' && response.status === 200).length, 72);
  assert.equal(messages.filter(({ kind }) => kind === 'sse').length, 13);
});

const fixtures = join(import.meta.dirname, '../fixtures/anthropic');
const fixture = (name: string) => readFileSync(join(fixtures, name), 'utf8');

for (const file of readdirSync(fixtures).filter((name) => name.endsWith('.json'))) {
  const name = file.replace('.json', '');
  test(`the fixture ${name} tells the same whole and streamed, cut at every byte`, () => {
    checkWhole(fixture(file));
    checkStream(fixture(`${name}.sse`), 1 << 20);
    const asWhole = fromWhole(whole(fixture(file)));
    assert.deepEqual(fromStream(streamed([Buffer.from(fixture(`${name}.sse`))]).bytes), asWhole);
  });
}

test('numbers in the arguments of a call keep every digit, whole and streamed', () => {
  const text = '{"order":12345678901234567890,"city":"Zürich","scale":1.0}';
  const asWhole = fromWhole(whole(fixture('tools.json')));
  const asStream = fromStream(streamed([Buffer.from(fixture('tools.sse'))]).bytes);
  assert.equal(asWhole.toolCalls[0]?.arguments, text);
  assert.equal(asStream.toolCalls[0]?.arguments, text);
});

test('a stream that was cut anywhere before the end of its stop reason is not complete', () => {
  for (const name of ['text.sse', 'tools.sse', 'thinking.sse', 'refusal.sse']) {
    const bytes = Buffer.from(fixture(name));
    const behindReason = bytes.indexOf('event: message_stop');
    for (let at = 0; at < bytes.length; at += 1) {
      assert.equal(streamed([bytes.subarray(0, at)]).complete, at >= behindReason);
    }
  }
});

test('an error inside the stream is an error event with the status of its type, and the stream is not complete', () => {
  const reader = translation!.eventReader!();
  const events: InferenceEvent[] = [];
  const parser = new SseParser((event, data) => reader.fromEvent(event, data, events), 1 << 20);
  parser.push(Buffer.from(fixture('error.sse')));
  assert.equal(reader.complete, false);
  assert.deepEqual(events.at(-1), { type: 'error', status: 529, errorType: 'overloaded_error', message: 'Overloaded' });
  assert.deepEqual(events.at(-2), { type: 'text', text: 'Half' });
});
