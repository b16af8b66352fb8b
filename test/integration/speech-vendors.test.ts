import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import OpenAI, { APIError } from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { vendorAccount } from '../support/scripted-provider.ts';

const AUDIO = Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * 13 + (at >> 6)) & 0xff));
const SAMPLES = AUDIO.subarray(0, 48_000);
const MP3 = Buffer.concat([Buffer.from('ID3'), AUDIO.subarray(0, 5_000)]);
/** What each says of a fault of the client's. */
const FAULTS: Record<string, object> = {
  '/v1/text-to-speech': { detail: { status: 'voice_not_found', message: 'no such voice' } },
  '/v1/speak': { err_code: 'INVALID_QUERY_PARAMETER', err_msg: 'no such voice', request_id: 'r' },
  '/tts/bytes': { title: 'no such voice', message: 'no such voice', request_id: 'r' },
};

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  provider = await startProvider((request, response) => {
    if (request.body.toString().includes('fault')) {
      const [, fault = {}] = Object.entries(FAULTS).find(([path]) => request.path.startsWith(path))!;
      sendJson(response, 400, fault);
      return;
    }
    if (request.path.endsWith(':generateContent')) {
      const audio = { mimeType: 'audio/L16;codec=pcm;rate=24000', data: SAMPLES.toString('base64') };
      sendJson(response, 200, {
        candidates: [{ content: { parts: [{ inlineData: audio }], role: 'model' }, finishReason: 'STOP', index: 0 }],
        usageMetadata: {
          promptTokenCount: 4,
          candidatesTokenCount: 50,
          totalTokenCount: 54,
          candidatesTokensDetails: [{ modality: 'AUDIO', tokenCount: 50 }],
        },
      });
      return;
    }
    if (request.path === '/audio/speech') {
      sendJson(response, 200, { audio_data: MP3.toString('base64') });
      return;
    }
    response.writeHead(200, { 'content-type': 'audio/mpeg' });
    response.end(AUDIO);
  });
  const account = (vendor: string, more?: object) => vendorAccount(vendor, provider.origin, more);
  const priced = {
    name: 'thalia',
    type: 'integration/model/deepgram',
    model_id: 'aura-2-thalia-en',
    model_types: ['text_to_speech'],
    cost: { metric: 'per_million_characters', value: { input: 30 } },
  };
  gateway = await startGateway({
    manifests: [
      account('elevenlabs'),
      account('deepgram', { integrations: [priced] }),
      account('cartesia', { cartesia_version: '2024-11-13' }),
      account('smallest-ai'),
      account('mistral-ai'),
      account('xai'),
      account('google-gemini', { auth_data: { type: 'api-key', apiKey: 'sk-gemini' } }),
    ],
  });
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});

disposeAfter(() => [gateway, provider]);

const speak = (model: string, more: object = {}) =>
  client.audio.speech.create({ model, input: 'Hi 🎵', voice: 'zeus', ...more });

async function asked(model: string, more: object = {}) {
  const response = await speak(model, more);
  assert.equal(response.headers.get('content-type'), 'audio/mpeg');
  assert.ok(AUDIO.equals(Buffer.from(await response.arrayBuffer())));
  const { path, headers, body } = provider.requests.at(-1)!;
  assert.equal(headers.accept, '*/*');
  return { path, headers, body: JSON.parse(body.toString()) };
}

async function refusal(model: string, more: object): Promise<[number | undefined, string | null | undefined]> {
  const error = await speak(model, more).then(
    () => assert.fail('it was answered'),
    (cause: unknown) => cause,
  );
  assert.ok(error instanceof APIError);
  return [error.status, error.param];
}

describe('speech of vendors with forms of their own', () => {
  test('ElevenLabs is asked for a voice in the path and a format in the query, and its audio passes', async () => {
    const { path, headers, body } = await asked('elevenlabs/eleven_v3', { speed: 1.1, seed: 7 });
    assert.equal(path, '/v1/text-to-speech/zeus/stream?output_format=mp3_44100_128');
    assert.equal(headers['xi-api-key'], 'sk-elevenlabs');
    assert.deepEqual(body, { text: 'Hi 🎵', model_id: 'eleven_v3', voice_settings: { speed: 1.1 }, seed: 7 });
    const wav = await asked('elevenlabs/eleven_v3', { response_format: 'wav' });
    assert.equal(wav.path, '/v1/text-to-speech/zeus?output_format=wav_24000');
    assert.deepEqual(await refusal('elevenlabs/eleven_v3', { response_format: 'flac' }), [400, 'response_format']);
    assert.deepEqual(await refusal('elevenlabs/eleven_v3', { voice: '../voices' }), [400, 'voice']);
    assert.deepEqual(await refusal('elevenlabs/eleven_v3', { instructions: 'sad' }), [400, 'instructions']);
  });

  test('Deepgram is asked by its query, the voice within the model’s id', async () => {
    const { path, headers, body } = await asked('deepgram/thalia', { response_format: 'pcm', speed: 0.9 });
    assert.equal(path, '/v1/speak?model=aura-2-zeus-en&encoding=linear16&container=none&sample_rate=24000&speed=0.9');
    assert.equal(headers.authorization, 'Token sk-deepgram');
    assert.deepEqual(body, { text: 'Hi 🎵' });
    assert.equal((await asked('deepgram/thalia', { voice: '' })).path, '/v1/speak?model=aura-2-thalia-en&encoding=mp3');
    assert.deepEqual(await refusal('deepgram/thalia', { instructions: 'sad' }), [400, 'instructions']);
  });

  test('Cartesia is asked with its version, and a format as an object', async () => {
    const { path, headers, body } = await asked('cartesia/sonic-3', { response_format: 'wav', language: 'en' });
    assert.equal(path, '/tts/bytes');
    assert.equal(headers.authorization, 'Bearer sk-cartesia');
    assert.equal(headers['cartesia-version'], '2024-11-13');
    assert.deepEqual(body, {
      model_id: 'sonic-3',
      transcript: 'Hi 🎵',
      voice: { mode: 'id', id: 'zeus' },
      output_format: { container: 'wav', encoding: 'pcm_s16le', sample_rate: 24_000 },
      language: 'en',
    });
    assert.deepEqual(await refusal('cartesia/sonic-3', { response_format: 'opus' }), [400, 'response_format']);
  });

  test('a speed is read however its number is written, and what is no number is refused', async () => {
    const paceOf = async (model: string, speed: string): Promise<unknown> => {
      const response = await fetch(`${gateway.url}/v1/audio/speech`, {
        method: 'POST',
        headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
        body: `{"model": "${model}", "input": "Hi", "voice": "zeus", "speed": ${speed}}`,
      });
      await response.arrayBuffer();
      if (response.status !== 200) return response.status;
      const { path, body } = provider.requests.at(-1)!;
      return Number(new URLSearchParams(path).get('speed') ?? JSON.parse(body.toString()).voice_settings.speed);
    };
    for (const model of ['elevenlabs/eleven_v3', 'deepgram/thalia']) {
      for (const written of ['1.0', '1.10', '1e0', '11E-1']) {
        assert.equal(await paceOf(model, written), Number(written), `${model} ${written}`);
      }
      for (const nonsense of ['1e400', '{"toString": 0}', '[]', 'true', '"fast"', '-0']) {
        assert.equal(await paceOf(model, nonsense), 400, `${model} ${nonsense}`);
      }
    }
    assert.match((await asked('deepgram/thalia', { mip_opt_out: true })).path, /&mip_opt_out=true$/);
  });

  test('their refusals pass with their words, and their audio as events where these were asked for', async () => {
    for (const model of ['elevenlabs/eleven_v3', 'deepgram/thalia', 'cartesia/sonic-3']) {
      await assert.rejects(
        speak(model, { input: 'fault' }),
        (error) => error instanceof APIError && error.status === 400 && error.message.includes('no such voice'),
      );
      const events = await (await speak(model, { stream_format: 'sse' })).text();
      assert.match(events, /speech\.audio\.delta/);
      assert.match(events, /speech\.audio\.done/);
    }
  });

  test('their characters are metered and priced, and a long text is translated elsewhere', async () => {
    const input = 'Grüße. '.repeat(50_000);
    const response = await client.audio.speech.create(
      { model: 'deepgram/thalia', voice: '', input },
      { headers: { 'x-request-id': 'long' } },
    );
    await response.arrayBuffer();
    assert.equal(JSON.parse(provider.requests.at(-1)!.body.toString()).text, input);
    assert.match(provider.requests.at(-1)!.path, /^\/v1\/speak\?model=aura-2-thalia-en/);
    const record = await recordOf(gateway, 'long');
    assert.equal(record['sluice.usage.input_characters'], 350_000);
    assert.equal(record['sluice.cost.usd'], 10.5);
  });

  test('Smallest AI and xAI are asked in their words, and their audio passes', async () => {
    const smallest = await asked('smallest-ai/lightning_v3.1', { response_format: 'wav', speed: 1.2 });
    assert.equal(smallest.path, '/waves/v1/tts');
    assert.deepEqual(smallest.body, {
      model: 'lightning_v3.1',
      text: 'Hi 🎵',
      voice_id: 'zeus',
      output_format: 'wav',
      sample_rate: 24_000,
      speed: 1.2,
    });
    const xai = await asked('xai/any');
    assert.equal(xai.path, '/tts');
    assert.deepEqual(xai.body, { text: 'Hi 🎵', voice_id: 'zeus', language: 'auto' });
    assert.deepEqual(await refusal('xai/any', { response_format: 'flac' }), [400, 'response_format']);
  });

  test('audio that comes within JSON reaches the client as bytes, under its own label', async () => {
    const mistral = await speak('mistral-ai/voxtral-mini-tts-latest');
    assert.equal(mistral.headers.get('content-type'), 'audio/mpeg');
    assert.ok(MP3.equals(Buffer.from(await mistral.arrayBuffer())));
    assert.deepEqual(JSON.parse(provider.requests.at(-1)!.body.toString()), {
      model: 'voxtral-mini-tts-latest',
      input: 'Hi 🎵',
      voice_id: 'zeus',
      response_format: 'mp3',
      stream: false,
    });
    const model = 'google-gemini/gemini-2.5-flash-preview-tts';
    const wav = await speak(model, { voice: 'Kore', instructions: 'Say cheerfully' });
    assert.equal(wav.headers.get('content-type'), 'audio/wav');
    const bytes = Buffer.from(await wav.arrayBuffer());
    assert.equal(bytes.toString('latin1', 0, 4), 'RIFF');
    assert.deepEqual([bytes.readUInt32LE(24), bytes.readUInt32LE(40)], [24_000, SAMPLES.length]);
    assert.ok(SAMPLES.equals(bytes.subarray(44)));
    assert.deepEqual(JSON.parse(provider.requests.at(-1)!.body.toString()), {
      contents: [{ role: 'user', parts: [{ text: 'Say cheerfully: Hi 🎵' }] }],
      generationConfig: {
        responseModalities: ['AUDIO'],
        speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName: 'Kore' } } },
      },
    });
    const pcm = await speak(model, { response_format: 'pcm' });
    assert.ok(SAMPLES.equals(Buffer.from(await pcm.arrayBuffer())));
    assert.deepEqual(await refusal(model, { response_format: 'mp3' }), [400, 'response_format']);
    const events = await (await speak(model, { response_format: 'pcm', stream_format: 'sse' })).text();
    const [, audio = ''] = /"audio":"([^"]+)"/.exec(events) ?? [];
    assert.ok(SAMPLES.equals(Buffer.from(audio, 'base64')));
  });
});
