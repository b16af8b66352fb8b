import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { before, describe, test } from 'node:test';
import OpenAI, { APIError, toFile } from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { type FakeProvider, type ReceivedRequest, sendJson, startProvider } from '../support/provider.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

const TEXT = 'A sluice lets water through.';
const SRT = '1\n00:00:00,000 --> 00:00:02,500\nA sluice lets water through.\n\n';
const VTT = 'WEBVTT\n\n00:00:00.000 --> 00:00:02.500\nA sluice lets water through.\n\n';
const EVENTS =
  'data: {"type":"transcript.text.delta","delta":"A sluice"}\n\n' +
  'data: {"type":"transcript.text.delta","delta":" lets water through."}\n\n' +
  `data: {"type":"transcript.text.done","text":"${TEXT}","usage":{"type":"tokens","total_tokens":49,"input_tokens":37,"input_token_details":{"text_tokens":0,"audio_tokens":37},"output_tokens":12}}\n\n` +
  'data: [DONE]\n\n';
const seconds = { type: 'duration', seconds: 30 };

async function formOf({ headers, body }: ReceivedRequest): Promise<FormData> {
  return new Response(new Uint8Array(body), { headers: { 'content-type': headers['content-type']! } }).formData();
}

function plain(response: ServerResponse, contentType: string, text: string): void {
  response.writeHead(200, { 'content-type': contentType });
  response.end(text);
}

/** As OpenAI answers each format. */
async function answer(request: ReceivedRequest, response: ServerResponse): Promise<void> {
  const form = await formOf(request);
  if (form.get('model') === 'fails')
    sendJson(response, 200, { error: { message: 'no speech model', type: 'server_error' } });
  else if (form.get('model') === 'silent') plain(response, 'text/plain', '');
  else if (form.get('model') === 'cut') {
    startEvents(response);
    response.end(EVENTS.slice(0, EVENTS.indexOf('data: {"type":"transcript.text.done"')));
  } else if (form.get('stream') === 'true' && form.get('model') !== 'whisper-1') {
    startEvents(response);
    response.end(EVENTS);
  } else if (form.get('response_format') === 'text') plain(response, 'text/plain; charset=utf-8', `${TEXT}\n`);
  else if (form.get('response_format') === 'srt') plain(response, 'text/plain; charset=utf-8', SRT);
  else if (form.get('response_format') === 'vtt') plain(response, 'text/vtt', VTT);
  else if (form.get('response_format') === 'verbose_json') {
    const segments = Array.from({ length: 2_000 }, (_, id) => ({ id, start: id, end: id + 1, text: TEXT }));
    sendJson(response, 200, { task: 'transcribe', language: 'english', duration: 29.5, text: TEXT, segments });
  } else sendJson(response, 200, { text: TEXT, usage: seconds });
}

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  provider = await startProvider((request, response) => void answer(request, response));
  gateway = await startGateway({ manifests: [openAccount('ears', `${provider.origin}/v1`)] });
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});

disposeAfter(() => [gateway, provider]);

const wav = (bytes = Buffer.from('RIFF\r\n--not a boundary\r\n\u0000')) =>
  toFile(bytes, 'a.wav', { type: 'audio/wav' });
const labelled = (id: string) => ({ headers: { 'x-request-id': id } });

describe('transcripts', () => {
  test('every format of a transcript is the provider’s, byte for byte', async () => {
    const model = 'ears/whisper-1';
    const json = await client.audio.transcriptions.create({ model, file: await wav() }, labelled('seconds'));
    assert.deepEqual([json.text, json.usage], [TEXT, seconds]);
    for (const [response_format, expected, type] of [
      ['text', `${TEXT}\n`, 'text/plain; charset=utf-8'],
      ['srt', SRT, 'text/plain; charset=utf-8'],
      ['vtt', VTT, 'text/vtt'],
    ] as const) {
      const response = await client.audio.transcriptions
        .create({ model, file: await wav(), response_format })
        .asResponse();
      assert.equal(response.headers.get('content-type'), type);
      assert.equal(await response.text(), expected);
    }
    const verbose = await client.audio.transcriptions.create(
      { model, file: await wav(), response_format: 'verbose_json', timestamp_granularities: ['segment'] },
      labelled('verbose'),
    );
    assert.equal(verbose.segments?.length, 2_000);
    assert.equal((await recordOf(gateway, 'verbose'))['sluice.usage.audio_input_ms'], 29_500);
    const record = await recordOf(gateway, 'seconds');
    assert.equal(record['sluice.usage.audio_input_ms'], 30_000);
    // OpenAI's list price: 0.36 dollars an hour.
    assert.equal(record['sluice.cost.usd'], 0.003);
  });

  test('a format that tells no seconds has an unknown cost, by name', async () => {
    await client.audio.transcriptions.create(
      { model: 'ears/whisper-1', file: await wav(), response_format: 'text' },
      labelled('untold'),
    );
    const record = await recordOf(gateway, 'untold');
    assert.equal(record['sluice.cost.unknown_part'], 'audio_input_ms');
    assert.equal(record['gen_ai.usage.output_tokens'], undefined);
  });

  test('a transcript streams, and its usage is read', async () => {
    const stream = await client.audio.transcriptions.create(
      { model: 'ears/gpt-4o-transcribe', file: await wav(), stream: true },
      labelled('transcript-stream'),
    );
    const types = [];
    for await (const event of stream) types.push(event.type);
    assert.deepEqual(types, ['transcript.text.delta', 'transcript.text.delta', 'transcript.text.done']);
    const record = await recordOf(gateway, 'transcript-stream');
    assert.equal(record['sluice.usage.audio_input_tokens'], 37);
    // Dollars for a million: audio in 6, text out 10.
    assert.equal(record['sluice.cost.usd'], (37 * 6 + 12 * 10) / 1e6);
    const response = await client.audio.transcriptions
      .create({ model: 'ears/gpt-4o-transcribe', file: await wav(), stream: true })
      .asResponse();
    assert.equal(await response.text(), EVENTS);
  });

  test('a model that does not stream is answered as a stream all the same', async () => {
    const stream = await client.audio.transcriptions.create({
      model: 'ears/whisper-1',
      file: await wav(),
      stream: true,
    });
    const events = [];
    for await (const event of stream) events.push(event);
    assert.deepEqual(events.at(-1), { type: 'transcript.text.done', text: TEXT, usage: seconds });
  });

  test('a transcript that breaks off, and an error in a 200, are failures', async () => {
    const cut = await client.audio.transcriptions.create({ model: 'ears/cut', file: await wav(), stream: true });
    await assert.rejects(async () => {
      for await (const _ of cut);
    });
    await assert.rejects(
      client.audio.transcriptions.create({ model: 'ears/fails', file: await wav() }),
      (error) => error instanceof APIError && error.status === 502 && error.message.includes('no speech model'),
    );
    const silence = await client.audio.transcriptions
      .create({ model: 'ears/silent', file: await wav(), response_format: 'text' })
      .asResponse();
    assert.deepEqual([silence.status, await silence.text()], [200, '']);
  });

  test('25 MB are transcribed, and arrive byte for byte', async () => {
    const bytes = Buffer.alloc(25 * 1024 * 1024);
    for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE((at * 2_654_435_761) >>> 0, at);
    const { text } = await client.audio.transcriptions.create({ model: 'ears/whisper-1', file: await wav(bytes) });
    assert.equal(text, TEXT);
    const { body } = provider.requests.at(-1)!;
    assert.ok(body.includes(bytes));
  });

  test('speech is translated', async () => {
    const { text } = await client.audio.translations.create({
      model: 'ears/whisper-1',
      file: await wav(),
      prompt: 'x',
    });
    assert.equal(text, TEXT);
    const sent = provider.requests.at(-1)!;
    assert.equal(sent.path, '/v1/audio/translations');
    assert.equal((await formOf(sent)).get('model'), 'whisper-1');
  });
});

describe('forms', () => {
  const boundary = 'b';
  const field = (name: string, value: string) =>
    `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const file = (name: string) =>
    `--b\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n`;
  const post = async (body: string, contentType = `multipart/form-data; boundary=${boundary}`) => {
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': contentType };
    const response = await fetch(`${gateway.url}/v1/audio/transcriptions`, { method: 'POST', headers, body });
    const answered: { text?: string; error?: Record<string, unknown> } = JSON.parse(await response.text());
    return { status: response.status, ...answered };
  };

  test('parts may stand in any order: all bytes but the model’s name go on', async () => {
    for (const [form, sent] of [
      [(model: string) => file('a.wav') + field('model', model) + field('language', 'en'), 'last'],
      [(model: string) => field('model', model) + file('../../Grüße 🎵.wav'), 'first'],
    ] as const) {
      const { status } = await post(`${form('ears/whisper-1')}--b--\r\n`);
      assert.equal(status, 200, sent);
      assert.equal(provider.requests.at(-1)!.body.toString(), `${form('whisper-1')}--b--\r\n`);
    }
  });

  test('a form that is none is refused, and nothing of it is sent', async () => {
    const good = field('model', 'ears/whisper-1') + file('a.wav');
    const before = provider.requests.length;
    const refusals = await Promise.all([
      post(`${good}--b--\r\n`, 'multipart/form-data'),
      post(`${good}--b--\r\n`, 'multipart/form-data; boundary=other'),
      post(`${good}--b--\r\n`, 'multipart/form-data; boundary=b; boundary=c'),
      post(`{"model":"ears/whisper-1"}`, 'application/json'),
      post(good),
      post(good.slice(0, -4)),
      post(`${field('a', '').repeat(1_000)}${good}--b--\r\n`),
      post(`${field('model', 'ears/whisper-1')}${file('x\u0001')}--b--\r\n`),
      post(`${field('model', 'ears/whisper-1')}${file(`${'x'.repeat(10_000)}`)}--b--\r\n`),
      post(`${field('model', 'ears/whisper-1')}${file('a\\"; name=\\"model')}--b--\r\n`),
    ]);
    for (const { status, error } of refusals) {
      assert.equal(status, 400);
      assert.equal(error?.['code'], 'invalid_multipart');
    }
    const modelless = await post(`${file('a.wav')}--b--\r\n`);
    assert.deepEqual([modelless.status, modelless.error?.['param']], [400, 'model']);
    const twice = await post(`${good}${field('model', 'ears/gpt-4o-transcribe')}--b--\r\n`);
    assert.deepEqual([twice.status, twice.error?.['code']], [400, 'ambiguous_parameter']);
    const noFlag = await post(`${good}${field('stream', 'maybe')}--b--\r\n`);
    assert.deepEqual([noFlag.status, noFlag.error?.['param']], [400, 'stream']);
    assert.equal(provider.requests.length, before);
  });
});
