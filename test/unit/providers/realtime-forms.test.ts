import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import { geminiLive } from '../../../src/providers/gemini-generate-content/live.ts';
import { openAiRealtime } from '../../../src/providers/openai-compatible/realtime.ts';
import type { RealtimeForm } from '../../../src/providers/realtime-form.ts';

const MODEL = { asked: 'main/voice', target: 'main/voice', atProvider: 'gpt-realtime' };
const heard = (form: RealtimeForm, event: object) => form.heard(Buffer.from(JSON.stringify(event)));

describe('OpenAI’s form', () => {
  test('a turn begins with response.created and ends with response.done, wherever `type` stands', () => {
    assert.deepEqual(heard(openAiRealtime, { type: 'response.created', response: {} }), { begins: true });
    assert.deepEqual(heard(openAiRealtime, { response: { type: 'x' }, type: 'response.created' }), { begins: true });
    assert.deepEqual(heard(openAiRealtime, { event_id: 'e', type: 'response.output_audio.delta' }), { content: true });
    assert.deepEqual(heard(openAiRealtime, { type: 'response.done', response: { status: 'cancelled' } }), {
      usage: undefined,
      ends: true,
    });
  });

  test('words within a text are no event', () => {
    assert.deepEqual(heard(openAiRealtime, { type: 'conversation.item.added', text: '{"type":"response.done"}' }), {});
    assert.deepEqual(openAiRealtime.heard(Buffer.from('no JSON')), {});
  });

  test('an event other than session.update passes as it came, byte for byte', () => {
    for (const text of [
      '{ "type":"response.cancel", "x": 1.50 }',
      'no JSON',
      '{"type":"session.update","session":{}}',
    ]) {
      const bytes = Buffer.from(text);
      assert.deepEqual(openAiRealtime.said(bytes, MODEL), { bytes });
    }
  });

  test('the name of another model is refused, also where its key is not the first', () => {
    const other = Buffer.from('{"session":{"model":"gpt-dear"},"type":"session.update"}');
    assert.ok(openAiRealtime.said(other, MODEL) instanceof GatewayError);
  });
});

describe('Gemini’s form', () => {
  const named = (model: unknown) => geminiLive.modelOf!(Buffer.from(JSON.stringify({ setup: { model } })));

  test('its model is what stands behind models/', () => {
    assert.equal(named('models/live'), 'live');
    assert.equal(named('live'), 'live');
    assert.equal(named('projects/p/locations/l/publishers/google/models/live'), 'live');
    assert.ok(named(7) instanceof GatewayError);
  });

  test('every setup names the model of the session', () => {
    const said = geminiLive.said(Buffer.from('{"setup":{"model":"models/dear","tools":[]}}'), MODEL);
    assert.ok(!(said instanceof GatewayError));
    assert.deepEqual(JSON.parse(said.bytes.toString()), { setup: { model: 'gpt-realtime', tools: [] } });
  });

  test('a turn ends with its usage, which comes with its last message or behind it', () => {
    const usageMetadata = { promptTokenCount: 5, responseTokenCount: 3, thoughtsTokenCount: 2 };
    assert.deepEqual(heard(geminiLive, { serverContent: { modelTurn: {} } }), { begins: true, content: true });
    assert.equal(heard(geminiLive, { serverContent: { turnComplete: true } }).ends, 'with its usage');
    const last = heard(geminiLive, { serverContent: { turnComplete: true }, usageMetadata });
    assert.equal(last.ends, true);
    assert.deepEqual([last.usage?.inputTokens, last.usage?.outputTokens], [5, 5]);
    assert.deepEqual(heard(geminiLive, { setupComplete: {} }), {});
  });
});
