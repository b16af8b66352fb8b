/** Transcripts of realtime sessions: sessions that do nothing else, and the model that transcribes beside another one. */
import assert from 'node:assert/strict';
import { before, beforeEach, describe, test } from 'node:test';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { openRealtime } from '../support/realtime-client.ts';
import { type ProviderSide, type RealtimeProvider, startRealtimeProvider } from '../support/realtime-provider.ts';

let provider: RealtimeProvider;
let gateway: RunningGateway;

const VOICE_KEY = 'sk-voice-only';
const FEW_KEY = 'sk-few';
const TRANSCRIPTION = 'conversation.item.input_audio_transcription';

before(async () => {
  provider = await startRealtimeProvider();
  const model = (name: string, id: string, type: string, more: object = {}): object => ({
    type: 'integration/model/openai',
    name,
    model_id: id,
    model_types: [type],
    ...more,
  });
  gateway = await startGateway({
    keys: [
      { name: 'test', key: KEY, subject: 'virtualaccount:test' },
      { name: 'voice', key: VOICE_KEY, subject: 'virtualaccount:voice', models: ['main/voice'] },
      { name: 'few', key: FEW_KEY, subject: 'virtualaccount:few' },
    ],
    manifests: [
      {
        type: 'provider-account/openai',
        name: 'main',
        auth_data: { type: 'api-key', api_key: 'k' },
        base_url: `${provider.url}/v1`,
        integrations: [
          model('voice', 'gpt-realtime', 'realtime'),
          model('scribe', 'gpt-4o-transcribe', 'audio_transcription'),
          model('text', 'gpt-text', 'chat'),
        ],
      },
      {
        type: 'gateway-rate-limiting-config',
        name: 'limits',
        rules: [
          {
            id: 'few-scribes',
            when: { subjects: ['virtualaccount:few'], models: ['main/scribe'] },
            limit_to: 1,
            unit: 'requests_per_hour',
          },
        ],
      },
    ],
  });
});
disposeAfter(() => [gateway, provider]);
beforeEach(() => {
  provider.onMessage = () => {};
});

const latest = (): ProviderSide => provider.sessions.at(-1)!;
const send = (event: object): void => latest().socket.send(JSON.stringify(event));
// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape, whose fields the tests look at.
const said = (): any[] => latest().messages.map(({ text }) => JSON.parse(text));
const records = (id: string) => gateway.records({ 'http.request.id': id });
const open = (query: string, id = 'x', key = KEY) =>
  openRealtime(gateway.url, `/v1/realtime?${query}`, { key, headers: { 'x-request-id': id } });
const settings = (type: string, name: string): object => ({
  type: 'session.update',
  session: { type, audio: { input: { transcription: { model: name, language: 'en' } } } },
});
const usage = {
  type: 'tokens',
  total_tokens: 30,
  input_tokens: 25,
  input_token_details: { audio_tokens: 20, text_tokens: 5 },
  output_tokens: 5,
};
/** One piece of speech, with its transcript. */
function speak(item: string, told: object): void {
  send({ type: 'input_audio_buffer.committed', item_id: item });
  send({ type: `${TRANSCRIPTION}.delta`, item_id: item, content_index: 0, delta: 'Hel' });
  send({ type: `${TRANSCRIPTION}.completed`, item_id: item, content_index: 0, transcript: 'Hello.', usage: told });
}

describe('a session for transcription', () => {
  test('the address or the first message names its model, and the provider gets its own name of it', async () => {
    for (const query of ['intent=transcription&model=main/scribe', 'intent=transcription']) {
      const count = provider.sessions.length;
      const client = await open(query);
      client.say(settings('transcription', 'main/scribe'));
      await eventually('both settings', () => provider.sessions.length > count && latest().messages.length === 2);
      assert.equal(latest().path, '/v1/realtime?intent=transcription');
      for (const { session } of said()) {
        assert.equal(session.type, 'transcription');
        assert.equal(session.audio.input.transcription.model, 'gpt-4o-transcribe');
      }
      client.socket.close();
    }
  });

  test('each transcript is a turn with its usage, in tokens or in seconds', async () => {
    const client = await open('intent=transcription&model=main/scribe', 'scribe');
    speak('u1', usage);
    speak('u2', { type: 'duration', seconds: 90 });
    await eventually('both', () => client.events(`${TRANSCRIPTION}.completed`).length === 2);
    await eventually('the records', () => records('scribe').length === 2);
    client.socket.close();
    const [first, second] = records('scribe');
    assert.deepEqual(
      [first!['gen_ai.request.model'], first!['gen_ai.usage.input_tokens'], first!['gen_ai.usage.output_tokens']],
      ['main/scribe', 25, 5],
    );
    assert.match(JSON.stringify(second), /90000|90_000/);
  });

  test('it cannot become one of another model or kind, and no model of another type has one', async () => {
    const client = await open('intent=transcription&model=main/scribe');
    client.say(settings('transcription', 'gpt-dear'));
    client.say({ type: 'session.update', session: { type: 'realtime', model: 'gpt-realtime' } });
    await eventually('both refusals', () => client.events('error').length === 2);
    assert.deepEqual(
      client.events('error').map(({ error }) => error.param),
      ['session.audio.input.transcription.model', 'session.type'],
    );
    assert.equal(latest().messages.length, 1);
    client.socket.close();
    await assert.rejects(open('intent=transcription&model=main/text'), /unsupported_operation/);
    const unnamed = await open('intent=transcription');
    unnamed.say({ type: 'session.update', session: { type: 'transcription' } });
    await eventually('the end', () => unnamed.end.code !== undefined);
    assert.equal(unnamed.end.code, 1008);
    assert.equal(unnamed.events('error')[0].error.code, 'missing_parameter');
  });
});

describe('a model that transcribes beside another one', () => {
  test('it has records of its own, with its usage and its price', async () => {
    const client = await open('model=main/voice', 'beside');
    client.say(settings('realtime', 'main/scribe'));
    await eventually('the settings', () => latest().messages.length === 1);
    const { session } = said()[0];
    assert.deepEqual(session.audio.input.transcription, { model: 'gpt-4o-transcribe', language: 'en' });
    send({ type: 'session.updated', session });
    speak('u1', usage);
    send({ type: 'response.created', response: { id: 'r1' } });
    send({ type: 'response.done', response: { id: 'r1', usage: { input_tokens: 40, output_tokens: 20 } } });
    await eventually('the records', () => records('beside').length === 2);
    const told = Object.fromEntries(
      records('beside').map((each) => [each['gen_ai.request.model'], each['gen_ai.usage.input_tokens']]),
    );
    assert.deepEqual(told, { 'main/scribe': 25, 'main/voice': 40 });
    const scribe = records('beside').find((each) => each['gen_ai.request.model'] === 'main/scribe');
    assert.ok(Number(scribe!['sluice.cost.usd']) > 0, JSON.stringify(scribe));
    client.socket.close();
  });

  test('a model that no manifest lists is metered by the provider’s name', async () => {
    const client = await open('model=main/voice', 'unlisted');
    client.say(settings('realtime', 'whisper-1'));
    await eventually('the settings', () => latest().messages.length === 1);
    send({ type: 'session.updated', session: said()[0].session });
    speak('u1', { type: 'duration', seconds: 60 });
    await eventually('the record', () => records('unlisted').length === 1);
    assert.equal(records('unlisted')[0]!['gen_ai.request.model'], 'main/whisper-1');
    client.socket.close();
  });

  test('a caller may not have transcribed by a model that it may not use', async () => {
    const client = await open('model=main/voice', 'forbidden', VOICE_KEY);
    for (const name of ['main/scribe', 'gpt-4o-transcribe', 'whisper-1']) client.say(settings('realtime', name));
    await eventually('the refusals', () => client.events('error').length === 3);
    for (const { error } of client.events('error')) assert.equal(error.code, 'model_forbidden');
    assert.equal(latest().messages.length, 0);
    client.socket.close();
  });

  test('limits of it end the session before its transcript is paid for', async () => {
    const client = await open('model=main/voice', 'few', FEW_KEY);
    client.say(settings('realtime', 'main/scribe'));
    await eventually('the settings', () => latest().messages.length === 1);
    send({ type: 'session.updated', session: said()[0].session });
    speak('u1', usage);
    send({ type: 'input_audio_buffer.committed', item_id: 'u2' });
    await eventually('the end', () => client.end.code !== undefined);
    assert.equal(client.end.code, 1008);
    assert.match(client.end.reason!, /few-scribes|limit/i);
  });

  test('a session in which nobody transcribes has no records of it', async () => {
    const client = await open('model=main/voice', 'nobody');
    send({ type: 'session.created', session: { type: 'realtime', audio: { input: { transcription: null } } } });
    send({ type: 'input_audio_buffer.committed', item_id: 'u1' });
    await eventually('the event', () => client.events('input_audio_buffer.committed').length === 1);
    client.socket.close();
    await eventually('the record', () => records('nobody').length > 0);
    assert.deepEqual(
      records('nobody').map((each) => each['gen_ai.request.model']),
      ['main/voice'],
    );
  });
});
