import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anthropicEvents } from '../../../bench/inputs/anthropic-stream.ts';
import { openAiChat } from '../../../src/dialects/openai-chat/index.ts';
import { anthropicWire } from '../../../src/providers/anthropic-messages/wire.ts';
import { StreamTranslation } from '../../../src/relay/translation.ts';
import { UsageMeter } from '../../../src/usage/usage-meter.ts';
import { heldMemory } from '../../support/held-memory.ts';
import { exampleTarget } from '../../support/targets.ts';
import { FakeRelayHost } from './fake-relay-host.ts';

test('whole events in front of one that is too long reach the client, however they were cut', () => {
  const events = anthropicEvents().slice(0, 6);
  const long = Buffer.from(`data: ${'x'.repeat(2_000)}\n\n`);
  const outputs = [[...events, long], [Buffer.concat([...events, long])]].map((chunks) => {
    const host = new FakeRelayHost();
    const mode = new StreamTranslation({
      host,
      meter: new UsageMeter(),
      to: openAiChat.translation,
      reader: anthropicWire.translation!.eventReader!(),
      writer: openAiChat.translation.eventWriter(context),
      wire: anthropicWire,
      target: exampleTarget,
      translation: anthropicWire.translation!,
      memory: heldMemory(),
      holdBytes: 65_536,
      context: { exchangeId: 'ex_1', model: 'anthropic/claude', includeUsage: false, created: 1_764_000_000 },
      maxBytes: 1_024,
    });
    for (const chunk of chunks) mode.chunk(chunk);
    assert.equal(host.error?.code, 'upstream_too_large');
    assert.deepEqual(host.behindTheEnd, []);
    return host.output().toString();
  });
  assert.match(outputs[0]!, /word0.*word1.*word2/s);
  assert.equal(outputs[1], outputs[0]);
});

const context = { exchangeId: 'ex_1', model: 'anthropic/claude', includeUsage: true, created: 1_764_000_000 };

function translated(chunks: readonly Buffer[]) {
  const host = new FakeRelayHost();
  const meter = new UsageMeter();
  const target = { ...exampleTarget, wire: anthropicWire };
  const [reader, writer] = [anthropicWire.translation!.eventReader!(), openAiChat.translation.eventWriter(context)];
  const shared = {
    host,
    meter,
    to: openAiChat.translation,
    reader,
    writer,
    wire: anthropicWire,
    target,
    memory: heldMemory(),
    context,
  };
  const translation = anthropicWire.translation!;
  const mode = new StreamTranslation({ ...shared, translation, holdBytes: 1_000, maxBytes: 1_000_000 });
  for (const chunk of chunks) mode.chunk(chunk);
  return { host, meter, mode };
}

const event = (type: string, more: object) =>
  Buffer.from(`event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`);
const begun = event('message_start', {
  message: { id: 'm', model: 'c', usage: { input_tokens: 3, output_tokens: 1 } },
});
const text = event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'a' } });
const stop = event('message_stop', {});

test('a translated stream is whole with message_stop: the client is told at once, and nothing behind it counts', () => {
  const error = event('error', { error: { type: 'overloaded_error', message: 'late' } });
  for (const chunks of [
    [begun, text, stop],
    [Buffer.concat([begun, text, stop, error, text])],
    [begun, text, stop, error, text],
  ]) {
    const { host, mode } = translated(chunks);
    assert.ok(host.finished);
    mode.ended();
    assert.equal(host.contentPieces, 1);
    assert.match(host.output().toString(), /"content":"a".*data: \[DONE\]\n\n$/s);
    assert.deepEqual(host.behindTheEnd, []);
  }
});

test('a translated stream that HTTP ends cleanly is cut before its stop reason, and whole behind it', () => {
  const reason = event('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 1 } });
  for (const chunks of [[], [begun], [begun, text]]) {
    const { host, mode } = translated(chunks);
    mode.ended();
    assert.equal(host.error?.code, 'upstream_cut');
  }
  const { host, mode } = translated([begun, text, reason]);
  assert.equal(host.finished, false);
  mode.ended();
  assert.equal(host.finished, true);
});

test('an event without content commits nothing in a translated stream, within bounds', () => {
  const signature = event('content_block_delta', { index: 0, delta: { type: 'signature_delta', signature: 's' } });
  const { host, mode } = translated([begun, signature, event('ping', {})]);
  assert.equal(host.contentType, undefined);
  assert.equal(host.contentPieces, 0);
  mode.chunk(event('error', { error: { type: 'rate_limit_error', message: 'Slow down' } }));
  assert.equal(host.error?.code, 'upstream_rate_limited');
  assert.equal(host.writtenBytes, 0);
  const many = translated([begun, ...Array.from({ length: 100 }, () => signature)]);
  assert.equal(many.host.contentType, 'text/event-stream');
});
