import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { crc32, inflateSync } from 'node:zlib';
import OpenAI, { toFile } from 'openai';
import { KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';

const DEMO = /demo of Sluice/;

let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  gateway = await startGateway();
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});

after(() => gateway?.[Symbol.asyncDispose]());

/** Chunks by their names; the checksum of each is right. */
function chunksOf(png: Buffer): Map<string, Buffer> {
  assert.equal(png.subarray(0, 8).toString('latin1'), '\u0089PNG\r\n\u001a\n');
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    assert.equal(png.readUInt32BE(at + 8 + length), crc32(png.subarray(at + 4, at + 8 + length)));
    chunks.set(png.toString('latin1', at + 4, at + 8), png.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  return chunks;
}

function checkPng(base64: string | undefined): void {
  const chunks = chunksOf(Buffer.from(base64 ?? '', 'base64'));
  const header = chunks.get('IHDR')!;
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  assert.equal(inflateSync(chunks.get('IDAT')!).length, height * (1 + width * 3));
  assert.match(chunks.get('tEXt')!.toString('latin1'), DEMO);
}

const file = () => toFile(Buffer.from('RIFF'), 'a.wav', { type: 'audio/wav' });

test('the demo draws: whole, streamed, edited and varied pictures are real PNGs and cost nothing', async () => {
  const { data } = await client.images.generate(
    { model: 'demo/image', prompt: 'a sluice', n: 2 },
    { headers: { 'x-request-id': 'drawn' } },
  );
  assert.equal(data?.length, 2);
  for (const { b64_json } of data) checkPng(b64_json);
  const again = await client.images.generate({ model: 'demo/image', prompt: 'a sluice', n: 2 });
  assert.deepEqual(again.data, data);
  const stream = await client.images.generate({ model: 'demo/image', prompt: 'x', stream: true });
  for await (const event of stream) checkPng(event.b64_json);
  const edited = await client.images.edit({ model: 'demo/image', prompt: 'x', image: await file() });
  checkPng(edited.data![0]!.b64_json);
  const varied = await client.images.createVariation({ model: 'demo/image', image: await file(), n: 3 });
  assert.equal(varied.data?.length, 3);
  assert.equal((await recordOf(gateway, 'drawn'))['sluice.cost.usd'], 0);
});

test('the demo speaks: a real WAV, and the same as events', async () => {
  const response = await client.audio.speech.create({ model: 'demo/speech', voice: 'alloy', input: 'SOS' });
  assert.equal(response.headers.get('content-type'), 'audio/wav');
  const wav = Buffer.from(await response.arrayBuffer());
  assert.equal(wav.toString('latin1', 0, 4), 'RIFF');
  assert.equal(wav.readUInt32LE(4), wav.length - 8);
  assert.equal(wav.toString('latin1', 8, 16), 'WAVEfmt ');
  assert.match(wav.toString('latin1'), DEMO);
  assert.ok(wav.readUInt32LE(wav.indexOf('data') + 4) > 1_000);
  const asked = { model: 'demo/speech', voice: 'alloy', input: 'SOS', stream_format: 'sse' as const };
  assert.match(await (await client.audio.speech.create(asked)).text(), /speech\.audio\.done/);
});

test('the demo listens: transcripts in every format, streamed too, and translations', async () => {
  const model = 'demo/transcription';
  const { text } = await client.audio.transcriptions.create({ model, file: await file() });
  assert.match(text, DEMO);
  for (const response_format of ['text', 'srt', 'vtt', 'verbose_json'] as const) {
    const response = await client.audio.transcriptions
      .create({ model, file: await file(), response_format })
      .asResponse();
    assert.match(await response.text(), DEMO);
  }
  let streamed = '';
  for await (const event of await client.audio.transcriptions.create({ model, file: await file(), stream: true })) {
    if (event.type === 'transcript.text.delta') streamed += event.delta;
  }
  assert.match(streamed, DEMO);
  assert.match((await client.audio.translations.create({ model, file: await file() })).text, DEMO);
});
