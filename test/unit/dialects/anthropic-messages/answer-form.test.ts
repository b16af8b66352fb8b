import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import { anthropicMessages } from '../../../../src/dialects/anthropic-messages/index.ts';
import { decodeMessage } from '../../../support/sdk-streams.ts';

const { answers } = anthropicMessages;
const fixtures = join(import.meta.dirname, '../../../fixtures/anthropic');

interface Block {
  text?: string;
  thinking?: string;
  signature?: string;
  input?: unknown;
  citations?: unknown[];
}

/** The message that events add up to, as the SDK of Anthropic does it. */
function messageOf(events: readonly unknown[]): { content: Block[]; stop_reason?: string; usage?: object } {
  const message: { content: Block[]; stop_reason?: string; usage?: object } = { content: [] };
  const inputs: string[] = [];
  for (const event of events.map(Object)) {
    if (event.type === 'message_start') Object.assign(message, event.message);
    if (event.type === 'content_block_start') message.content[event.index] = structuredClone(event.content_block);
    if (event.type === 'message_delta') Object.assign(message, event.delta, { usage: event.usage });
    if (event.type !== 'content_block_delta') continue;
    const block = message.content[event.index]!;
    const { delta } = event;
    if (delta.type === 'text_delta') block.text += delta.text;
    if (delta.type === 'thinking_delta') block.thinking += delta.thinking;
    if (delta.type === 'signature_delta') block.signature = delta.signature;
    if (delta.type === 'citations_delta') block.citations = [...(block.citations ?? []), delta.citation];
    if (delta.type === 'input_json_delta') {
      inputs[event.index] = (inputs[event.index] ?? '') + delta.partial_json;
      block.input = JSON.parse(inputs[event.index]!);
    }
  }
  return message;
}

test('a whole message becomes events from which the SDK reads the same message', async () => {
  for (const name of ['text', 'tools', 'thinking', 'refusal']) {
    const answer = readFileSync(join(fixtures, `${name}.json`));
    const events = answers.toEvents(answer);
    assert.ok(Buffer.isBuffer(events));
    const { events: decoded, raised } = await decodeMessage(events.toString());
    assert.equal(raised, undefined);
    const expected = JSON.parse(answer.toString());
    const { content, stop_reason, usage } = messageOf(decoded);
    const emptyCitations = (block: Block) => (block.citations === undefined ? block : { ...block });
    assert.deepEqual(content.map(emptyCitations), expected.content, name);
    assert.deepEqual([stop_reason, usage], [expected.stop_reason, expected.usage], name);
  }
});

test('numbers in the input of a call keep their digits on their way into events', () => {
  const content = '[{"type":"tool_use","id":"t","name":"f","input":{"order":12345678901234567890}}]';
  const events = answers.toEvents(Buffer.from(`{"type":"message","content":${content},"usage":{}}`));
  assert.match(events.toString(), /12345678901234567890/);
});

test('an answer that is no message cannot become events, and says so', () => {
  for (const text of ['{}', '[]', '{"content":"text"}', 'nonsense']) {
    const events = answers.toEvents(Buffer.from(text));
    assert.ok(events instanceof GatewayError);
    assert.equal(events.code, 'upstream_protocol');
  }
});

test('an error event of ours is raised by the SDK, with a type that its classes know', async () => {
  for (const [error, type] of [
    [new GatewayError('upstream_cut'), 'api_error'],
    [new GatewayError('upstream_overloaded'), 'overloaded_error'],
    [new GatewayError('idle_timeout'), 'timeout_error'],
    [new GatewayError('upstream_stream_error', { upstreamType: 'overloaded_error' }), 'overloaded_error'],
    // Another vendor's word is in no class: the status says the same.
    [new GatewayError('upstream_overloaded', { upstreamType: 'UNAVAILABLE' }), 'overloaded_error'],
    [new GatewayError('upstream_rate_limited', { upstreamType: 'RESOURCE_EXHAUSTED' }), 'rate_limit_error'],
    [new GatewayError('upstream_rejected', { upstreamType: 'BadRequestError', status: 400 }), 'invalid_request_error'],
    [new GatewayError('rate_limited'), 'rate_limit_error'],
    [new GatewayError('model_forbidden'), 'permission_error'],
  ] as const) {
    const { raised } = await decodeMessage(anthropicMessages.errorEvent(error).toString());
    assert.match(String(Object(raised).message), new RegExp(`"type":"${type}"`), error.code);
    assert.equal(JSON.parse(anthropicMessages.errorBody(error).toString()).error.type, type);
  }
});
