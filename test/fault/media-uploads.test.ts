import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { leastOf } from '../support/least-of.ts';
import { noProc, residentMib } from '../support/resident-memory.ts';
import { openAccount } from '../support/scripted-provider.ts';

const field = (name: string, value: string) =>
  `--B\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const FILE = '--B\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\n';
const END = '\r\n--B--\r\n';
const MODEL = field('model', 'ears/whisper-1');
const RECORDING = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * 31 + (at >> 9)) & 0xff));

interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  isWhole: boolean;
  isCut: boolean;
}

type Answer = (response: ServerResponse) => void;

/** A provider that tells what came while it still comes. */
async function startEars() {
  const received: Received[] = [];
  const ears = { received, answer: transcript as Answer, origin: '' };
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    const request: Received = {
      headers: incoming.headers,
      get body() {
        // Joined when it is looked at: with each chunk it would take longer than the upload.
        if (chunks.length > 1) chunks.splice(0, chunks.length, Buffer.concat(chunks));
        return chunks[0] ?? Buffer.alloc(0);
      },
      isWhole: false,
      isCut: false,
    };
    received.push(request);
    incoming.on('data', (bytes: Buffer) => chunks.push(bytes));
    incoming.on('end', () => {
      request.isWhole = true;
      ears.answer(response);
    });
    incoming.on('close', () => {
      request.isCut = !incoming.complete;
    });
    incoming.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ears.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
  };
  return Object.assign(ears, { [Symbol.asyncDispose]: close });
}

function transcript(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ text: 'heard', usage: { type: 'duration', seconds: 3 } }));
}

async function start() {
  const ears = await startEars();
  const account = (name: string, more: object = {}) => openAccount(name, `${ears.origin}/v1`, more);
  const gateway = await startGateway({
    manifests: [
      account('ears'),
      {
        type: 'provider-account/deepgram',
        name: 'deepgram',
        base_url: ears.origin,
        auth_data: { type: 'api-key', api_key: 'k' },
      },
      {
        type: 'provider-account/google-gemini',
        name: 'gemini',
        base_url: ears.origin,
        auth_data: { type: 'api-key', apiKey: 'k' },
      },
    ],
  });
  return { gateway, ears };
}

let gateway: RunningGateway;
let ears: Awaited<ReturnType<typeof startEars>>;
before(async () => {
  ({ gateway, ears } = await start());
});
disposeAfter(() => [gateway, ears]);

/** What the provider receives from now on, and answers. */
function listen(answer: Answer = transcript): Received[] {
  ears.answer = answer;
  ears.received.length = 0;
  return ears.received;
}

/** A request whose body the test sends itself. */
function open({ url }: RunningGateway, length: number | undefined, id = 'upload', path = '/audio/transcriptions') {
  const request = httpRequest(`${url}/v1${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${KEY}`,
      'content-type': 'multipart/form-data; boundary=B',
      'x-request-id': id,
      ...(length !== undefined && { 'content-length': length }),
    },
  });
  request.on('error', () => {});
  const answered = new Promise<{ status: number | undefined; body: string }>((resolve) => {
    request.on('response', async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() });
    });
  });
  return { request, answered };
}

async function send(gateway: RunningGateway, form: Buffer, id?: string) {
  const { request, answered } = open(gateway, form.length, id);
  request.end(form);
  return answered;
}

const modelFirst = (recording: Buffer) => form(MODEL, FILE, recording, END);
const modelLast = (recording: Buffer) => form(FILE, recording, `\r\n${MODEL}--B--\r\n`);
const form = (...parts: (string | Buffer)[]) => Buffer.concat(parts.map((part) => Buffer.from(part as never)));
const left = async ({ folder }: RunningGateway) =>
  (await readdir(join(folder, 'data'))).includes('uploads') ? readdir(join(folder, 'data/uploads')) : [];

test('a recording goes to its provider as it arrives, the model’s name rewritten on the way', async () => {
  const received = listen();
  const whole = form(MODEL, FILE, RECORDING, END);
  const { request, answered } = open(gateway, whole.length);
  request.write(whole.subarray(0, 1_500_000));
  await eventually('a part came', () => (received[0]?.body.length ?? 0) > 1_000_000);
  assert.equal(received[0]!.isWhole, false);
  request.end(whole.subarray(1_500_000));
  const { status, body } = await answered;
  assert.deepEqual([status, JSON.parse(body).text], [200, 'heard']);
  const expected = form(field('model', 'whisper-1'), FILE, RECORDING, END);
  assert.equal(received[0]!.headers['content-length'], String(expected.length));
  assert.ok(expected.equals(received[0]!.body));
  const record = await recordOf(gateway, 'upload');
  assert.equal(record['sluice.usage.audio_input_ms'], 3_000);
  assert.deepEqual(await left(gateway), []);
});

for (const path of ['/audio/translations', '/images/edits', '/images/variations']) {
  test(`a form for ${path} goes to its provider as it arrives`, async () => {
    const answer = (response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{"created":1,"data":[],"text":"heard"}');
    };
    const received = listen(answer);
    const whole = form(MODEL, FILE, RECORDING, END);
    const { request, answered } = open(gateway, whole.length, 'upload', path);
    request.write(whole.subarray(0, 1_500_000));
    await eventually('a part came', () => (received[0]?.body.length ?? 0) > 1_000_000);
    assert.equal(received[0]!.isWhole, false);
    request.end(whole.subarray(1_500_000));
    assert.equal((await answered).status, 200);
    assert.ok(form(field('model', 'whisper-1'), FILE, RECORDING, END).equals(received[0]!.body));
    assert.deepEqual(await left(gateway), []);
  });
}

test('a large form that names no model gets the default one in front, from wherever it stands', async () => {
  const received = listen();
  for (const begin of ['', '\r\n']) {
    const whole = form(begin, FILE, RECORDING, END);
    const { request, answered } = open(gateway, whole.length, 'nameless', '/images/edits');
    request.end(whole);
    assert.equal((await answered).status, 200);
    const named = form(begin, field('model', 'gpt-image-1.5'), FILE, RECORDING, END);
    assert.ok(named.equals(received.at(-1)!.body));
  }
});

test('the model may stand behind the recording, and a length need not be told', async () => {
  const received = listen();
  const whole = form(FILE, RECORDING, `\r\n${field('language', 'en')}${MODEL}--B--\r\n`);
  const expected = form(FILE, RECORDING, `\r\n${field('language', 'en')}${field('model', 'whisper-1')}--B--\r\n`);
  assert.equal((await send(gateway, whole)).status, 200);
  assert.ok(expected.equals(received[0]!.body));
  const { request, answered } = open(gateway, undefined);
  for (let at = 0; at < whole.length; at += 100_000) request.write(whole.subarray(at, at + 100_000));
  request.end();
  assert.equal((await answered).status, 200);
  assert.ok(expected.equals(received[1]!.body));
});

test('a vendor that takes raw audio gets the recording alone, from the disk', async () => {
  const answer = (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({
        metadata: { duration: 3 },
        results: { channels: [{ alternatives: [{ transcript: 'heard' }] }] },
      }),
    );
  };
  const received = listen(answer);
  const { status, body } = await send(
    gateway,
    form(field('model', 'deepgram/nova-3'), FILE, RECORDING, `\r\n${field('response_format', 'text')}--B--\r\n`),
  );
  assert.deepEqual([status, body], [200, 'heard\n']);
  assert.ok(RECORDING.equals(received[0]!.body));
});

test('a vendor that takes JSON gets an image as base64, from the disk', async () => {
  const answer = (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const parts = [{ inlineData: { mimeType: 'image/png', data: 'aGk=' } }];
    response.end(JSON.stringify({ candidates: [{ content: { parts, role: 'model' }, finishReason: 'STOP' }] }));
  };
  const received = listen(answer);
  const image = FILE.replace('name="file"', 'name="image"').replaceAll('wav', 'png').replace('audio', 'image');
  const model = field('model', 'gemini/gemini-2.5-flash-image');
  const whole = form(model, image, RECORDING, `\r\n${field('prompt', 'greener')}--B--\r\n`);
  const { request, answered } = open(gateway, whole.length, 'edit', '/images/edits');
  request.end(whole);
  const { status, body } = await answered;
  assert.equal(status, 200, body);
  assert.deepEqual(JSON.parse(body).data, [{ b64_json: 'aGk=' }]);
  const sent: { contents: { parts: { inlineData?: { mimeType: string; data: string } }[] }[] } = JSON.parse(
    received[0]!.body.toString(),
  );
  const media = sent.contents[0]!.parts.flatMap(({ inlineData }) => inlineData ?? []);
  assert.deepEqual(
    media.map(({ mimeType }) => mimeType),
    ['image/png'],
  );
  assert.ok(RECORDING.equals(Buffer.from(media[0]!.data, 'base64')));
  assert.deepEqual(await left(gateway), []);
});

test('a form that turns out to be wrong is refused, and its provider never gets its end', async () => {
  const received = listen();
  const wrong = {
    'breaks off': form(MODEL, FILE, RECORDING, '\r\n'),
    'is repeated': form(MODEL, FILE, RECORDING, `\r\n${MODEL}--B--\r\n`),
    'stands behind the end': form(MODEL, FILE, RECORDING, END, 'and more'),
  };
  for (const [words, body] of Object.entries(wrong)) {
    const { status, body: said } = await send(gateway, body);
    assert.equal(status, 400, words);
    assert.ok(said.includes(words), said);
  }
  await eventually('all were cut', () => received.every(({ isCut }) => isCut));
  assert.ok(received.every(({ isWhole }) => !isWhole));
  assert.deepEqual(await left(gateway), []);
});

test('a client that leaves in the middle ends its attempt, and nothing is left behind', async () => {
  const received = listen();
  const whole = form(MODEL, FILE, RECORDING, END);
  const { request } = open(gateway, whole.length, 'left');
  request.write(whole.subarray(0, 2_000_000));
  await eventually('a part came', () => (received[0]?.body.length ?? 0) > 1_000_000);
  request.destroy();
  await eventually('it was cut', () => received[0]!.isCut);
  assert.equal((await recordOf(gateway, 'left'))['error.type'], 'client_closed');
  assert.deepEqual(await left(gateway), []);
  assert.equal((await send(gateway, whole)).status, 200);
});

test('an unknown model is refused before its recording came', async () => {
  listen();
  const { request, answered } = open(gateway, 40_000_000);
  request.write(form(field('model', 'nobody/x'), FILE, RECORDING));
  assert.equal((await answered).status, 404);
  request.destroy();
});

const ALLOWED_MIB = 16;

/** MiB by which the highest residence of a fresh gateway grows with one body, since growth by earlier tests would hide it. */
async function growthOf(body: Buffer, warming: Buffer, path: string): Promise<number> {
  const { gateway, ears } = await start();
  try {
    const ask = async (sent: Buffer) => {
      const { request, answered } = open(gateway, sent.length, undefined, path);
      request.end(sent);
      assert.equal((await answered).status, 200);
    };
    // What the process grows by for good with the first ones is no recording's.
    for (let turn = 0; turn < 2; turn += 1) await ask(warming);
    const held = await residentMib(gateway, 'ever');
    await ask(body);
    assert.equal(ears.received.at(-1)!.body.length, body.length - 'ears/'.length);
    return (await residentMib(gateway, 'ever')) - held;
  } finally {
    await gateway[Symbol.asyncDispose]();
    await ears[Symbol.asyncDispose]();
  }
}

for (const [what, path, build] of [
  ['a transcription of 25 MB, the model before the recording,', '/audio/transcriptions', modelFirst],
  ['a transcription of 25 MB, the model behind the recording,', '/audio/transcriptions', modelLast],
  ['an edit of an image of 25 MB', '/images/edits', modelFirst],
] as const) {
  test(`${what} costs at most ${ALLOWED_MIB} MB`, { skip: noProc }, async () => {
    const body = build(Buffer.alloc(25_000_000, 'w'));
    // A collection that comes late adds its garbage, so the least of some gateways is the cost; a kept body is in all of them.
    const least = await leastOf(ALLOWED_MIB, () => growthOf(body, build(RECORDING), path));
    assert.ok(least <= ALLOWED_MIB, `${least.toFixed(1)} MiB`);
  });
}
