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

  test('no second key of a message says something that was not read', () => {
    const session = '"session":{"model":"gpt-dear"}';
    for (const text of [
      `{"type":"input_audio_buffer.append","type":"session.update",${session}}`,
      `{"type":"input_audio_buffer.append","t\\u0079pe":"session.update",${session}}`,
      `{"type":"session.update","type":"response.create",${session}}`,
    ]) {
      const said = openAiRealtime.said(Buffer.from(text), MODEL);
      assert.ok(said instanceof GatewayError && /`type`|type/.test(said.message), text);
    }
    const twice = openAiRealtime.said(
      Buffer.from(`{"type":"session.update",${session},"session":{"speed":1.50}}`),
      MODEL,
    );
    assert.ok(!(twice instanceof GatewayError));
    assert.equal(twice.bytes.toString(), '{"type":"session.update","session":{"speed":1.50}}');
  });

  test('parameters of a target stand over those of its client, in a session and in the answers that name them', () => {
    const model = { ...MODEL, params: { max_output_tokens: 50, instructions: 'Be brief.' } };
    const said = (event: object): unknown => {
      const made = openAiRealtime.said(Buffer.from(JSON.stringify(event)), model);
      assert.ok(!(made instanceof GatewayError));
      return JSON.parse(made.bytes.toString());
    };
    const session = { type: 'realtime', instructions: 'Talk on.', voice: 'alloy' };
    assert.deepEqual(said({ type: 'session.update', session }), {
      type: 'session.update',
      session: { ...session, ...model.params },
    });
    assert.deepEqual(said({ type: 'response.create', response: { max_output_tokens: 'inf', tools: [] } }), {
      type: 'response.create',
      response: { max_output_tokens: 50, tools: [] },
    });
    assert.deepEqual(said({ type: 'response.create' }), { type: 'response.create' });
    assert.deepEqual(JSON.parse(String(openAiRealtime.opening(model, undefined))), {
      type: 'session.update',
      session: { type: 'realtime', ...model.params },
    });
    assert.equal(openAiRealtime.refusedParam({ voice: 'x', max_tokens: 5 }), 'max_tokens');
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
