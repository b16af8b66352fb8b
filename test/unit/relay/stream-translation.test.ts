import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anthropicEvents } from '../../../bench/inputs/anthropic-stream.ts';
import { openAiChat } from '../../../src/dialects/openai-chat/index.ts';
import { anthropicWire } from '../../../src/providers/anthropic-messages/wire.ts';
import { StreamTranslation } from '../../../src/relay/translation.ts';
import { UsageMeter } from '../../../src/usage/usage-meter.ts';
import { FakeRelayHost } from './fake-relay-host.ts';

test('whole events in front of one that is too long reach the client, however they were cut', () => {
  const events = anthropicEvents().slice(0, 6);
  const long = Buffer.from(`data: ${'x'.repeat(2_000)}\n\n`);
  const outputs = [[...events, long], [Buffer.concat([...events, long])]].map((chunks) => {
    const host = new FakeRelayHost();
    const mode = new StreamTranslation({
      host,
      meter: new UsageMeter(),
      dialect: openAiChat,
      translation: anthropicWire.translation!,
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
