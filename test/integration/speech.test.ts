import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import OpenAI, { APIError } from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { byModel, gate, openAccount, startEvents } from '../support/scripted-provider.ts';

/** Bytes of every value, in an order that no text has. */
const AUDIO = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7 + (at >> 8)) & 0xff));
/** Raw samples may begin as JSON does. */
const SAMPLES = Buffer.concat([Buffer.from('{"'), AUDIO.subarray(0, 5_000)]);
const halves = gate();
const pieces = gate();

const audio =
  (contentType: string | undefined, bytes: Buffer) => (_: unknown, response: import('node:http').ServerResponse) => {
    if (contentType === undefined) response.writeHead(200);
    else response.writeHead(200, { 'content-type': contentType });
    response.end(bytes);
  };
const delta = (bytes: Buffer) =>
  `data: ${JSON.stringify({ type: 'speech.audio.delta', audio: bytes.toString('base64') })}\n\n`;
const done = `data: ${JSON.stringify({ type: 'speech.audio.done', usage: { input_tokens: 14, output_tokens: 101, total_tokens: 115 } })}\n\n`;

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  provider = await startProvider(
    byModel({
      mp3: audio('audio/mpeg', AUDIO),
      pcm: audio('audio/pcm', SAMPLES),
      mislabelled: audio('application/json', AUDIO),
      unlabelled: audio(undefined, AUDIO),
      slow: (_request, response) => {
        response.writeHead(200, { 'content-type': 'audio/wav' });
        response.write(AUDIO.subarray(0, 1_000));
        halves.promise.then(() => response.end(AUDIO.subarray(1_000, 2_000)));
      },
      'slow-pieces': (_request, response) => {
        response.writeHead(200, { 'content-type': 'audio/wav' });
        response.write(AUDIO.subarray(0, 1_000));
        pieces.promise.then(() => response.end(AUDIO.subarray(1_000, 1_998)));
      },
      'pieces-cut': (_request, response) => {
        response.writeHead(200, { 'content-type': 'audio/wav', 'content-length': 5_000 });
        response.write(AUDIO.subarray(0, 999), () => response.destroy());
      },
      sse: (_request, response) => {
        startEvents(response);
        response.end(delta(AUDIO.subarray(0, 999)) + delta(AUDIO.subarray(999, 2_000)) + done);
      },
      'sse-cut': (_request, response) => {
        startEvents(response);
        response.end(delta(AUDIO.subarray(0, 999)));
      },
      'sse-fails': (_request, response) => {
        startEvents(response);
        response.end(`${delta(AUDIO.subarray(0, 999))}data: {"type":"error","error":{"message":"voice lost"}}\n\n`);
      },
      'error-in-200': (_request, response) => sendJson(response, 200, { error: { message: 'no such voice' } }),
      'error-as-audio': audio('audio/mpeg', Buffer.from('{"error":{"message":"no such voice"}}')),
      page: audio('text/html', Buffer.from('<html>busy</html>')),
      empty: audio('audio/mpeg', Buffer.alloc(0)),
      refused: (_request, response) =>
        sendJson(response, 400, { error: { message: 'no voice x', type: 'invalid_request_error', param: 'voice' } }),
    }),
  );
  const priced = ['mp3', 'empty'].map((name) => ({
    name,
    type: 'integration/model/openai',
    model_id: name,
    model_types: ['text_to_speech'],
    cost: { metric: 'per_million_characters', value: { input: 15 } },
  }));
  gateway = await startGateway({
    manifests: [
      openAccount('voices', `${provider.origin}/v1`),
      openAccount('priced', `${provider.origin}/v1`, { integrations: priced }),
    ],
  });
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});

disposeAfter(() => [gateway, provider]);

const speak = (model: string, more: object = {}, headers: Record<string, string> = {}) =>
  client.audio.speech.create({ model, voice: 'alloy', input: 'Grüße 🎵', ...more }, { headers });
const bytesOf = async (model: string, more: object = {}) => Buffer.from(await (await speak(model, more)).arrayBuffer());
const failureOf = async (model: string, more: object = {}): Promise<APIError> => {
  const error = await speak(model, more).then(
    () => assert.fail('it was answered'),
    (cause: unknown) => cause,
  );
  assert.ok(error instanceof APIError);
  return error;
};

const eventsIn = (text: string): { type: string; audio?: string }[] =>
  text
    .split('\n\n')
    .filter(Boolean)
    .map((event) => JSON.parse(event.slice(6)));

describe('speech', () => {
  test('spoken bytes are the provider’s, under its own media type', async () => {
    for (const response_format of ['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm']) {
      const response = await speak('voices/mp3', { response_format });
      assert.equal(response.headers.get('content-type'), 'audio/mpeg');
      assert.equal(response.headers.get('x-tfy-resolved-model'), 'voices/mp3');
      assert.ok(AUDIO.equals(Buffer.from(await response.arrayBuffer())));
      const sent = provider.requests.at(-1)!;
      assert.equal(sent.path, '/v1/audio/speech');
      assert.equal(sent.headers.accept, '*/*');
      assert.deepEqual(JSON.parse(sent.body.toString()), {
        model: 'mp3',
        voice: 'alloy',
        input: 'Grüße 🎵',
        response_format,
      });
    }
  });

  test('audio may begin as JSON does, and its label may be wrong or missing', async () => {
    assert.ok(SAMPLES.equals(await bytesOf('voices/pcm')));
    assert.ok(AUDIO.equals(await bytesOf('voices/mislabelled')));
    assert.ok(AUDIO.equals(await bytesOf('voices/unlabelled')));
  });

  test('the first bytes reach the client before the provider speaks on', async () => {
    const response = await speak('voices/slow');
    const reader = response.body!.getReader();
    let read = 0;
    while (read < 1_000) read += (await reader.read()).value!.length;
    halves.open();
    for (let next = await reader.read(); !next.done; next = await reader.read()) read += next.value.length;
    assert.equal(read, 2_000);
  });

  test('audio as events passes as it came, and tells usage', async () => {
    const headers = { 'x-request-id': 'speech-sse' };
    const response = await speak('voices/sse', { stream_format: 'sse' }, headers);
    assert.match(response.headers.get('content-type')!, /^text\/event-stream/);
    assert.equal(await response.text(), delta(AUDIO.subarray(0, 999)) + delta(AUDIO.subarray(999, 2_000)) + done);
    const record = await recordOf(gateway, 'speech-sse');
    assert.equal(record['gen_ai.usage.input_tokens'], 14);
    assert.equal(record['gen_ai.usage.output_tokens'], 101);
  });

  test('bytes become events where events were asked for', async () => {
    const text = await (await speak('voices/mp3', { stream_format: 'sse' })).text();
    const events = eventsIn(text);
    assert.deepEqual(new Set(events.map(({ type }) => type)), new Set(['speech.audio.delta', 'speech.audio.done']));
    assert.equal(events.at(-1)!.type, 'speech.audio.done');
    const spoken = events.slice(0, -1).map(({ audio = '' }) => audio);
    assert.ok(AUDIO.equals(Buffer.concat(spoken.map((each) => Buffer.from(each, 'base64')))));
    // A client that joins the text before it is decoded gets the same.
    assert.equal(spoken.join(''), AUDIO.toString('base64'));
  });

  test('the first event of bytes reaches the client before the provider speaks on', async () => {
    const response = await speak('voices/slow-pieces', { stream_format: 'sse' });
    const reader = response.body!.getReader();
    const first = Buffer.from((await reader.read()).value!).toString();
    assert.equal(first, delta(AUDIO.subarray(0, 999)));
    pieces.open();
    let rest = '';
    for (let next = await reader.read(); !next.done; next = await reader.read()) rest += Buffer.from(next.value);
    assert.equal(rest, `${delta(AUDIO.subarray(999, 1_998))}data: {"type":"speech.audio.done"}\n\n`);
  });

  test('events that break off, or fail, end in an error event and are cut', async () => {
    for (const [model, message] of [
      ['voices/sse-cut', /cut|ended|broke/i],
      ['voices/sse-fails', /voice lost/],
      ['voices/pieces-cut', /before its answer was complete/],
    ] as const) {
      const response = await speak(model, { stream_format: 'sse' });
      const reader = response.body!.getReader();
      let text = '';
      await assert.rejects(async () => {
        for (;;) {
          const { value, done: over } = await reader.read();
          if (over) return;
          text += Buffer.from(value).toString();
        }
      });
      assert.ok(text.startsWith(delta(AUDIO.subarray(0, 999))));
      assert.match(JSON.parse(text.slice(text.lastIndexOf('data: ') + 6)).error.message, message);
    }
  });

  test('an error inside a 200 is an error, whatever its label says', async () => {
    for (const model of ['voices/error-in-200', 'voices/error-as-audio']) {
      const error = await failureOf(model);
      assert.equal(error.status, 502);
      assert.match(error.message, /no such voice/);
    }
    assert.equal((await failureOf('voices/page')).status, 502);
    assert.equal((await failureOf('voices/empty')).status, 502);
  });

  test('a provider’s refusal passes with its status', async () => {
    const error = await failureOf('voices/refused');
    assert.deepEqual([error.status, error.param], [400, 'voice']);
    assert.equal((await failureOf('voices/mp3', { input: undefined })).status, 400);
  });

  test('characters are metered, and priced where the account has a price for them', async () => {
    await (await speak('priced/mp3', {}, { 'x-request-id': 'speech-priced' })).arrayBuffer();
    const record = await recordOf(gateway, 'speech-priced');
    assert.equal(record['sluice.usage.input_characters'], 7);
    assert.equal(record['sluice.cost.usd'], 0.000105);
    await (await speak('voices/mp3', {}, { 'x-request-id': 'speech-unpriced' })).arrayBuffer();
    const unpriced = await recordOf(gateway, 'speech-unpriced');
    assert.equal(unpriced['sluice.usage.input_characters'], 7);
    assert.equal(unpriced['sluice.cost.usd'], undefined);
    assert.equal(unpriced['sluice.cost.unknown_part'], 'price');
    await eventually('nothing is in flight', async () => (await gateway.metric('sluice_in_flight')) === 0);
  });
});
