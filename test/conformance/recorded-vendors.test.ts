import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boundaryOf } from '../../src/codec/multipart.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { Dialect } from '../../src/dialects/dialect.ts';
import { openAiSpeech, openAiTranscriptions } from '../../src/dialects/openai-audio/index.ts';
import { openAiEmbeddings } from '../../src/dialects/openai-embeddings/index.ts';
import { openAiImageEdits } from '../../src/dialects/openai-images/index.ts';
import { allPlugs, wiresOf } from '../../src/plugs.ts';
import type { Wire } from '../../src/providers/provider.ts';
import { wholeBody } from '../../src/relay/outbound.ts';
import { toProvider, translateRequest } from '../../src/relay/request-translation.ts';
import { noRecordings, type Recording, recordings } from '../support/recordings.ts';

const WIRES = wiresOf(allPlugs());

const wire = (name: string): Wire => {
  const found = WIRES.find((each) => each.name === name);
  assert.ok(found?.translation, name);
  return found;
};

const CONTEXT = { exchangeId: 'x', model: 'a/m', includeUsage: true, created: 0 };

/** What a client would get of a recorded answer. */
function written(dialect: Dialect, name: string, answer: Buffer, format?: string): Buffer {
  const events = wire(name).translation!.fromResponse(answer);
  assert.ok(!(events instanceof GatewayError), String(events));
  const made = dialect.translation!.fromInference(events, { ...CONTEXT, format });
  assert.ok(!(made instanceof GatewayError), String(made));
  return Buffer.isBuffer(made) ? made : made.body;
}

/** What would be sent for a form with these fields and the recorded file. */
function sentForm(dialect: Dialect, name: string, model: string, file: Buffer, fields: object) {
  const boundary = 'b0undary';
  const part = (head: string, value: Buffer) =>
    Buffer.concat([
      Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; ${head}\r\n\r\n`),
      value,
      Buffer.from('\r\n'),
    ]);
  const body = Buffer.concat([
    part('name="file"; filename="ruby.wav"\r\ncontent-type: audio/wav', file),
    ...Object.entries({ model, ...fields }).map(([key, value]) => part(`name="${key}"`, Buffer.from(String(value)))),
    Buffer.from(`--${boundary}--\r\n`),
  ]);
  const contentType = `multipart/form-data; boundary=${boundary}`;
  assert.equal(boundaryOf(contentType), boundary);
  const scan = dialect.scan({ path: '', params: {}, headers: { contentType } as never });
  scan.advance(body, body.length);
  const peeked = scan.result(body);
  assert.ok(!(peeked instanceof GatewayError), String(peeked));
  const request = dialect.translation!.fromForm!(peeked, model);
  assert.ok(request !== undefined && !(request instanceof GatewayError), String(request));
  const made = toProvider(request, wire(name).translation!, { id: 'a/m', modelId: model }, body);
  assert.ok(!(made instanceof GatewayError), String(made));
  return { ...made, body: wholeBody(made.body) };
}

function recorded(
  provider: string,
  path: RegExp,
): { request: Buffer; query: string; answer: Buffer; recording: Recording }[] {
  return recordings(provider)
    .filter(({ request, response }) => path.test(request.path) && response.status === 200)
    .map((recording) => ({
      recording,
      request: bytesOf(recording.request),
      query: String(recording.request.query ?? ''),
      answer: bytesOf(recording.response),
    }));
}

function bytesOf({ body, body_base64 }: { body?: string | undefined; body_base64?: string | undefined }): Buffer {
  return body_base64 === undefined ? Buffer.from(body ?? '') : Buffer.from(body_base64, 'base64');
}

/** Large requests were cut when they were recorded: what is left of one, its file shortened and its brackets closed. */
function closed(request: Buffer): string {
  const text = request.toString();
  const begun = text.replace(/([A-Za-z0-9+/]{64})[A-Za-z0-9+/=]*$/, '$1"');
  const open = [...begun.replace(/"(?:[^"\\]|\\.)*"/g, '')].reduce((left, letter) => {
    if (letter === '{') return `}${left}`;
    if (letter === '[') return `]${left}`;
    return letter === '}' || letter === ']' ? left.slice(1) : left;
  }, '');
  return begun + open;
}

const SAID = 'Ruby is a programming language designed for developer happiness.';

for (const [provider, path, name] of [
  ['deepgram', /listen$/, 'deepgram-listen'],
  ['mistral', /transcriptions$/, 'mistral-transcriptions'],
  ['xai', /stt$/, 'xai-stt'],
  ['cohere', /transcriptions$/, 'cohere-transcriptions'],
] as const) {
  test(`a transcript of ${provider} is the one that was recorded, in every format that it tells enough for`, {
    skip: noRecordings,
  }, () => {
    const all = recorded(provider, path);
    assert.ok(all.length > 0);
    for (const { answer } of all) {
      const { text, usage } = JSON.parse(written(openAiTranscriptions, name, answer).toString());
      const told = JSON.parse(answer.toString());
      const expected = told.text ?? told.results.channels[0].alternatives[0].transcript;
      assert.equal(text, expected.trim());
      const seconds = told.duration ?? told.metadata?.duration;
      if (seconds !== undefined) assert.equal(usage.seconds, seconds);
      if (told.words === undefined && told.results === undefined) continue;
      const srt = written(openAiTranscriptions, name, answer, 'srt').toString();
      if (expected === SAID) assert.match(srt, /^1\n00:00:00,\d{3} --> 00:00:03,\d{3}\nRuby is a programming/);
    }
  });
}

test('Deepgram is asked as it was when it was recorded', { skip: noRecordings }, () => {
  const file = Buffer.from('RIFF');
  const queries = new Set(recorded('deepgram', /listen$/).map(({ query }) => query));
  const asked = (fields: object) =>
    sentForm(openAiTranscriptions, 'deepgram-listen', 'nova-3-general', file, fields).path?.split('?')[1];
  const ours = [asked({}), asked({ language: 'en' }), asked({ language: 'en', response_format: 'diarized_json' })];
  assert.deepEqual(new Set(ours), queries);
});

test('Gemini is asked for a transcript as it was when it was recorded', { skip: noRecordings }, () => {
  const all = recorded('gemini', /generateContent$/).filter(({ request }) =>
    request.includes('Transcribe the provided audio'),
  );
  assert.ok(all.length > 0);
  for (const { request, answer } of all) {
    const { contents } = JSON.parse(closed(request));
    const [{ text }, { inline_data }] = contents[0].parts;
    const [, language] = /in the (\w+) language/.exec(text) ?? [];
    const file = Buffer.from(inline_data.data, 'base64');
    const sent = sentForm(
      openAiTranscriptions,
      'gemini-transcripts',
      'gemini-2.5-flash',
      file,
      language ? { language } : {},
    );
    assert.deepEqual(JSON.parse(sent.body.toString()).contents, contents);
    assert.equal(JSON.parse(written(openAiTranscriptions, 'gemini-transcripts', answer).toString()).text, SAID);
  }
});

test('the audio within an answer of Mistral is the one that was recorded', { skip: noRecordings }, () => {
  const all = recorded('mistral', /speech$/);
  assert.ok(all.length > 0);
  for (const { answer } of all) {
    const audio = Buffer.from(JSON.parse(answer.toString()).audio_data, 'base64');
    assert.ok(audio.equals(written(openAiSpeech, 'mistral-speech', answer, 'mp3')));
  }
});

test('Cohere is asked for vectors as it was when it was recorded, and they are those that were', {
  skip: noRecordings,
}, () => {
  const all = recorded('cohere', /embed$/);
  assert.ok(all.length > 0);
  for (const { request, answer } of all) {
    const asked = JSON.parse(request.toString());
    const body = Buffer.from(
      JSON.stringify({
        model: asked.model,
        input: asked.texts,
        input_type: asked.input_type,
        dimensions: asked.output_dimension,
        encoding_format: 'float',
      }),
    );
    const target = { id: 'a/m', modelId: asked.model };
    const made = translateRequest(openAiEmbeddings.translation!, wire('cohere-embed').translation!, target, {
      body,
      cacheMarker: undefined,
    });
    assert.ok(!(made instanceof GatewayError));
    assert.deepEqual(JSON.parse(wholeBody(made.body).toString()), asked);
    const told = JSON.parse(answer.toString());
    const { data, usage } = JSON.parse(written(openAiEmbeddings, 'cohere-embed', answer).toString());
    assert.deepEqual(
      data.map(({ embedding }: { embedding: number[] }) => embedding),
      told.embeddings.float,
    );
    assert.equal(usage.prompt_tokens, told.meta.billed_units.input_tokens);
  }
});

test('OpenRouter and xAI are asked for edits as they were when they were recorded', { skip: noRecordings }, () => {
  for (const [provider, path, name, images] of [
    ['openrouter', /\/images$/, 'openrouter-image-edits', 'input_references'],
    ['xai', /\/images\/edits$/, 'xai-image-edits', 'images'],
  ] as const) {
    const all = recorded(provider, path);
    assert.ok(all.length > 0);
    for (const { request } of all) {
      const asked = JSON.parse(closed(request));
      const { model, prompt } = asked;
      const body = Buffer.from(JSON.stringify({ model, prompt, images: asked[images], response_format: 'url' }));
      const made = translateRequest(
        openAiImageEdits.translation!,
        wire(name).translation!,
        { id: 'a/m', modelId: model },
        { body, cacheMarker: undefined },
      );
      assert.ok(!(made instanceof GatewayError), String(made));
      const { response_format: _, ...sent } = JSON.parse(wholeBody(made.body).toString());
      assert.deepEqual(sent, asked);
    }
  }
});
