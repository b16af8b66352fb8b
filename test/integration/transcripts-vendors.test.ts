import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import OpenAI, { APIError, toFile } from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { type FakeProvider, type ReceivedRequest, sendJson, startProvider } from '../support/provider.ts';
import { vendorAccount } from '../support/scripted-provider.ts';

/** A recording of every byte, with what a careless reader would take for the end of the form. */
const RECORDING = Buffer.concat([
  Buffer.from('RIFF\r\n--not a boundary\r\n\u0000'),
  Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 31 + (at >> 7)) & 0xff)),
]);
const TEXT = 'Water runs downhill. A sluice holds it back.';
const SENTENCES = ['Water runs downhill.', 'A sluice holds it back.'];

const spoken = (key: string, more: object = {}) =>
  TEXT.split(' ').map((word, at) => ({ [key]: word, start: at / 2, end: at / 2 + 0.4, ...more }));

/** As each vendor answered when it was recorded, or as its documentation shows. */
const ANSWERS: Readonly<Record<string, object>> = {
  '/v1/listen': {
    metadata: { request_id: 'r', duration: 4.5, channels: 1 },
    results: {
      channels: [
        {
          alternatives: [
            { transcript: TEXT, confidence: 0.99, words: spoken('punctuated_word', { word: 'x', speaker: 0 }) },
          ],
        },
      ],
      utterances: SENTENCES.map((transcript, at) => ({
        start: at * 2,
        end: at * 2 + 1.5,
        transcript,
        speaker: at,
        channel: 0,
      })),
    },
  },
  '/v1/speech-to-text': {
    language_code: 'eng',
    language_probability: 0.98,
    text: TEXT,
    words: spoken('text', { type: 'word', speaker_id: 'speaker_0' }).flatMap((word) => [
      word,
      { text: ' ', start: 0, end: 0, type: 'spacing' },
    ]),
    audio_duration_secs: 4.5,
  },
  '/stt': { text: TEXT, language: 'en', duration: 4.5, words: spoken('word') },
  '/waves/v1/stt/': { status: 'success', transcription: TEXT, words: spoken('word'), metadata: { duration: 4.5 } },
  '/audio/transcriptions': {
    model: 'voxtral-mini-latest',
    text: TEXT,
    language: null,
    segments: SENTENCES.map((text, at) => ({
      type: 'transcription_segment',
      text,
      start: at * 2,
      end: at * 2 + 1.5,
      speaker_id: `speaker_${at}`,
    })),
    usage: { prompt_audio_seconds: 4, prompt_tokens: 3, total_tokens: 389, completion_tokens: 11 },
  },
  '/v1/stt': { text: TEXT, language: 'en', duration: 4.5, words: spoken('text') },
  '/v2/audio/transcriptions': { text: ` ${TEXT}` },
  '/models/gemini-2.5-flash:generateContent': {
    candidates: [{ content: { parts: [{ text: TEXT }], role: 'model' }, finishReason: 'STOP', index: 0 }],
    usageMetadata: {
      promptTokenCount: 133,
      candidatesTokenCount: 10,
      totalTokenCount: 164,
      promptTokensDetails: [
        { modality: 'TEXT', tokenCount: 14 },
        { modality: 'AUDIO', tokenCount: 119 },
      ],
      thoughtsTokenCount: 21,
    },
  },
};

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  provider = await startProvider((request, response) => {
    const answer = ANSWERS[request.path.replace(/\?.*/, '')];
    if (request.body.includes('fault')) sendJson(response, 400, { message: 'the file is no audio' });
    else sendJson(response, answer === undefined ? 404 : 200, answer ?? { error: 'no such path' });
  });
  const account = (vendor: string, more?: object) => vendorAccount(vendor, provider.origin, more);
  const priced = {
    name: 'nova',
    type: 'integration/model/deepgram',
    model_id: 'nova-3-general',
    model_types: ['audio_transcription'],
    cost: { metric: 'per_minute_of_audio', value: { input: 0.6 } },
  };
  gateway = await startGateway({
    manifests: [
      account('deepgram', { integrations: [priced] }),
      account('elevenlabs'),
      account('cartesia'),
      account('smallest-ai'),
      account('mistral-ai'),
      account('xai', { base_url: `${provider.origin}/v1` }),
      account('cohere'),
      account('google-gemini', { auth_data: { type: 'api-key', apiKey: 'sk-gemini' } }),
    ],
  });
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});

disposeAfter(() => [gateway, provider]);

const wav = () => toFile(RECORDING, 'ruby.wav', { type: 'audio/wav' });

async function formOf({ headers, body }: ReceivedRequest): Promise<Record<string, unknown>> {
  const form = await new Response(new Uint8Array(body), {
    headers: { 'content-type': headers['content-type']! },
  }).formData();
  const file = form.get('file');
  assert.ok(file instanceof File);
  assert.equal(file.name, 'ruby.wav');
  assert.equal(file.type, 'audio/wav');
  assert.ok(RECORDING.equals(Buffer.from(await file.arrayBuffer())));
  form.delete('file');
  return Object.fromEntries(form);
}

async function transcribed(model: string, more: object = {}) {
  const transcript: unknown = await client.audio.transcriptions.create({ model, file: await wav(), ...more } as never);
  return { transcript, request: provider.requests.at(-1)! };
}

async function refusal(model: string, more: object): Promise<[number | undefined, string | null | undefined]> {
  const error = await transcribed(model, more).then(
    () => assert.fail('it was answered'),
    (cause: unknown) => cause,
  );
  assert.ok(error instanceof APIError);
  return [error.status, error.param];
}

describe('transcripts of vendors with forms of their own', () => {
  test('Deepgram gets the recording as it is, and the rest in its query', async () => {
    const { transcript, request } = await transcribed('deepgram/nova', { language: 'en', prompt: 'sluices' });
    assert.deepEqual(transcript, { text: TEXT, usage: { type: 'duration', seconds: 4.5 } });
    assert.equal(request.path, '/v1/listen?language=en&model=nova-3-general&smart_format=true&utterances=true');
    assert.equal(request.headers['content-type'], 'audio/wav');
    assert.equal(request.headers['content-length'], String(RECORDING.length));
    assert.ok(RECORDING.equals(request.body));
    const own = await transcribed('deepgram/nova', { keyterm: ['sluice', 'weir'], smart_format: 'false' });
    assert.equal(
      own.request.path,
      '/v1/listen?keyterm=sluice&keyterm=weir&model=nova-3-general&smart_format=false&utterances=true',
    );
  });

  test('vendors that take a form get one with the recording and the fields that they know', async () => {
    const asked = async (model: string, more: object = {}) => {
      const { request, transcript } = await transcribed(model, more);
      assert.equal((transcript as { text: string }).text, TEXT);
      return [request.path, await formOf(request)] as const;
    };
    assert.deepEqual(await asked('elevenlabs/scribe_v2', { language: 'en' }), [
      '/v1/speech-to-text',
      { model_id: 'scribe_v2', language_code: 'en', tag_audio_events: 'false' },
    ]);
    assert.deepEqual(await asked('cartesia/ink-whisper', { response_format: 'verbose_json' }), [
      '/stt',
      { model: 'ink-whisper', 'timestamp_granularities[]': 'word' },
    ]);
    assert.deepEqual(await asked('mistral-ai/voxtral-mini-latest'), [
      '/audio/transcriptions',
      { model: 'voxtral-mini-latest' },
    ]);
    assert.deepEqual(
      await asked('mistral-ai/voxtral-mini-latest', { response_format: 'verbose_json', language: 'en' }),
      ['/audio/transcriptions', { model: 'voxtral-mini-latest', timestamp_granularities: 'segment' }],
    );
    assert.deepEqual(await asked('xai/any', { language: 'en', temperature: 0 }), ['/v1/stt', { language: 'en' }]);
    assert.deepEqual(await asked('cohere/cohere-transcribe-03-2026', { language: 'en' }), [
      '/v2/audio/transcriptions',
      { model: 'cohere-transcribe-03-2026', language: 'en' },
    ]);
  });

  test('Smallest AI gets the recording as it is', async () => {
    const { transcript, request } = await transcribed('smallest-ai/pulse', { response_format: 'srt' });
    assert.match(String(transcript), /^1\n00:00:00,000 --> /);
    assert.equal(request.path, '/waves/v1/stt/?model=pulse&word_timestamps=true');
    assert.ok(RECORDING.equals(request.body));
  });

  test('Gemini is asked to write down what it hears, the recording as base64', async () => {
    const { transcript, request } = await transcribed('google-gemini/gemini-2.5-flash', { language: 'en' });
    assert.deepEqual(transcript, {
      text: TEXT,
      usage: {
        type: 'tokens',
        input_tokens: 133,
        output_tokens: 31,
        total_tokens: 164,
        input_token_details: { text_tokens: 14, audio_tokens: 119 },
      },
    });
    const { contents } = JSON.parse(request.body.toString());
    const [{ text }, { inline_data }] = contents[0].parts;
    assert.equal(
      text,
      'Transcribe the provided audio and respond with only the transcript text. Respond in the en language.',
    );
    assert.equal(inline_data.mime_type, 'audio/wav');
    assert.ok(RECORDING.equals(Buffer.from(inline_data.data, 'base64')));
    const model = 'google-gemini/gemini-2.5-flash';
    const english = await client.audio.translations.create({ model, file: await wav() });
    assert.equal(english.text, TEXT);
    assert.match(provider.requests.at(-1)!.body.toString(), /Translate the provided audio into English/);
    assert.deepEqual(await refusal(model, { response_format: 'srt' }), [400, 'response_format']);
  });

  test('each format is written from what the vendor tells, and nothing is made up', async () => {
    const model = 'deepgram/nova';
    assert.equal((await transcribed(model, { response_format: 'text' })).transcript, `${TEXT}\n`);
    assert.equal(
      (await transcribed(model, { response_format: 'srt' })).transcript,
      `1\n00:00:00,000 --> 00:00:01,500\n${SENTENCES[0]}\n\n2\n00:00:02,000 --> 00:00:03,500\n${SENTENCES[1]}\n\n`,
    );
    assert.equal(
      (await transcribed('mistral-ai/voxtral', { response_format: 'vtt' })).transcript,
      `WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n${SENTENCES[0]}\n\n00:00:02.000 --> 00:00:03.500\n${SENTENCES[1]}\n\n`,
    );
    // Where there are words alone, captions are made of them, one a sentence.
    assert.equal(
      (await transcribed('xai/any', { response_format: 'srt' })).transcript,
      `1\n00:00:00,000 --> 00:00:01,400\n${SENTENCES[0]}\n\n2\n00:00:01,500 --> 00:00:03,900\n${SENTENCES[1]}\n\n`,
    );
    const verbose = (await transcribed('cartesia/ink', { response_format: 'verbose_json' }))
      .transcript as OpenAI.Audio.TranscriptionVerbose;
    assert.deepEqual([verbose.duration, verbose.language, verbose.words?.length], [4.5, 'en', 8]);
    assert.deepEqual(verbose.segments?.[0], { id: 0, start: 0, end: 1.4, text: SENTENCES[0] });
    const { transcript, request } = await transcribed(model, { response_format: 'diarized_json' });
    assert.match(request.path, /diarize_model=latest/);
    assert.deepEqual((transcript as { segments: object[] }).segments[1], {
      type: 'transcript.text.segment',
      id: 'seg_1',
      start: 2,
      end: 3.5,
      text: SENTENCES[1],
      speaker: '1',
    });
    assert.deepEqual(await refusal('cartesia/ink', { response_format: 'diarized_json' }), [400, 'response_format']);
    assert.deepEqual(await refusal('cohere/any', { response_format: 'vtt' }), [400, 'response_format']);
    assert.deepEqual(await refusal(model, { response_format: 'mp3' }), [400, 'response_format']);
    assert.deepEqual(await refusal(model, { include: ['logprobs'] }), [400, 'include']);
  });

  test('a transcript comes as events where they were asked for', async () => {
    const stream = await client.audio.transcriptions.create({
      model: 'deepgram/nova',
      file: await wav(),
      stream: true,
    });
    const events = [];
    for await (const event of stream) events.push(event);
    assert.deepEqual(
      events.map(({ type }) => type),
      ['transcript.text.delta', 'transcript.text.done'],
    );
    assert.deepEqual(events.at(-1), {
      type: 'transcript.text.done',
      text: TEXT,
      usage: { type: 'duration', seconds: 4.5 },
    });
  });

  test('each part of a diarized transcript comes as an event of its own', async () => {
    const asked = {
      model: 'deepgram/nova',
      file: await wav(),
      response_format: 'diarized_json',
      stream: true,
    } as const;
    const spoken = [];
    for await (const event of await client.audio.transcriptions.create(asked)) spoken.push(event.type);
    assert.equal(spoken[0], 'transcript.text.delta');
    assert.ok(spoken.slice(1, -1).length > 0);
    assert.ok(spoken.slice(1, -1).every((type) => type === 'transcript.text.segment'));
    assert.equal(spoken.at(-1), 'transcript.text.done');
  });

  test('its seconds are metered and priced, and a refusal passes with the vendor’s words', async () => {
    const headers = { 'x-request-id': 'seconds' };
    await client.audio.transcriptions.create({ model: 'deepgram/nova', file: await wav() }, { headers });
    const record = await recordOf(gateway, 'seconds');
    assert.equal(record['sluice.usage.audio_input_ms'], 4_500);
    assert.equal(record['sluice.cost.usd'], 0.045);
    for (const model of ['deepgram/nova', 'elevenlabs/scribe', 'xai/any']) {
      await assert.rejects(
        client.audio.transcriptions.create({ model, file: await toFile(Buffer.from('fault'), 'a.wav') }),
        (error) => error instanceof APIError && error.status === 400 && error.message.includes('no audio'),
      );
    }
  });
});
