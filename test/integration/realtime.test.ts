import assert from 'node:assert/strict';
import { type AddressInfo, connect } from 'node:net';
import { before, beforeEach, describe, test } from 'node:test';
import { createServer } from 'node:tls';
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import { WebSocket } from 'ws';
import { type Certificate, noOpenssl, selfSigned } from '../support/certificate.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type ProviderSide, type RealtimeProvider, startRealtimeProvider } from '../support/realtime-provider.ts';

let provider: RealtimeProvider;
let other: RealtimeProvider;
let gateway: RunningGateway;

const PLAIN_KEY = 'sk-plain-1';
const USAGE = {
  total_tokens: 60,
  input_tokens: 40,
  output_tokens: 20,
  input_token_details: { text_tokens: 10, audio_tokens: 30, cached_tokens: 8 },
  output_token_details: { text_tokens: 5, audio_tokens: 15 },
};

function account(name: string, url: string): object {
  return {
    type: 'provider-account/openai',
    name,
    auth_data: { type: 'api-key', api_key: `key of ${name}` },
    base_url: `${url}/v1`,
    integrations: [
      { type: 'integration/model/openai', name: 'voice', model_id: 'gpt-realtime', model_types: ['realtime'] },
      { type: 'integration/model/openai', name: 'text', model_id: 'gpt-text', model_types: ['chat'] },
    ],
  };
}

before(async () => {
  provider = await startRealtimeProvider();
  other = await startRealtimeProvider();
  gateway = await startGateway({
    server: { realtime: { max_waiting_bytes: 65_536, setup_ms: 1_000 } },
    keys: [
      { name: 'test', key: KEY, subject: 'virtualaccount:test' },
      { name: 'plain', key: PLAIN_KEY, subject: 'virtualaccount:plain' },
      { name: 'few', key: 'sk-few', subject: 'virtualaccount:few' },
    ],
    manifests: [
      account('main', provider.url),
      account('second', other.url),
      {
        type: 'provider-account/google-gemini',
        name: 'google',
        auth_data: { type: 'api-key', apiKey: 'key of google' },
        base_url: `${provider.url}/v1beta`,
        integrations: [
          { type: 'integration/model/gemini', name: 'live', model_id: 'gemini-live-2.5', model_types: ['realtime'] },
        ],
      },
      {
        type: 'provider-account/virtual-model',
        name: 'virtual',
        integrations: [
          {
            type: 'integration/model/virtual',
            name: 'voice',
            model_types: ['realtime'],
            routing_config: {
              type: 'priority-based-routing',
              load_balance_targets: [
                { target: 'main/voice', priority: 0 },
                { target: 'second/voice', priority: 1 },
              ],
            },
          },
        ],
      },
      {
        type: 'gateway-rate-limiting-config',
        name: 'limits',
        rules: [
          {
            id: 'few',
            when: { subjects: ['virtualaccount:few'] },
            limit_to: 1,
            unit: 'requests_per_hour',
          },
        ],
      },
    ],
  });
});
disposeAfter(() => [gateway, provider, other]);

beforeEach(() => {
  for (const each of [provider, other]) {
    each.refuseWith = undefined;
    each.onMessage = () => {};
    each.onOpen = ({ socket }) =>
      socket.send('{"type":"session.created","event_id":"e1","session":{"model":"gpt-realtime"}}');
  }
});

const records = (id: string) => gateway.records({ 'http.request.id': id });
const address = (path: string, { url }: { readonly url: string } = gateway): string => url.replace('http', 'ws') + path;

/** A client's socket, with all that came. */
async function open(path: string, { key = PLAIN_KEY, protocols = [] as string[], headers = {}, at = gateway } = {}) {
  const socket = new WebSocket(address(path, at), protocols, {
    headers: { ...(key !== '' && { authorization: `Bearer ${key}` }), ...headers },
  });
  const received: { text: string; isBinary: boolean }[] = [];
  const end: { code?: number; reason?: string } = {};
  socket.on('message', (data, isBinary) => received.push({ text: String(data), isBinary }));
  socket.on('close', (code, reason) => Object.assign(end, { code, reason: reason.toString() }));
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  return { socket, received, end };
}

/** What a refused handshake is answered with. */
async function refused(
  path: string,
  key = PLAIN_KEY,
  id = 'refused',
  at = gateway,
): Promise<{ status: number; error: { code: string; message: string } }> {
  const response = await new Promise<{ statusCode?: number; body: string }>((resolve, reject) => {
    const socket = new WebSocket(address(path, at), {
      headers: { 'x-request-id': id, ...(key !== '' && { authorization: `Bearer ${key}` }) },
    });
    socket.once('open', () => reject(new Error('it opened')));
    socket.once('error', () => {});
    socket.once('unexpected-response', (_request, answer) => {
      let body = '';
      answer.on('data', (piece) => {
        body += piece;
      });
      answer.on('end', () => resolve({ statusCode: answer.statusCode, body }));
    });
  });
  return { status: response.statusCode!, error: JSON.parse(response.body).error };
}

const latest = (of = provider): ProviderSide => of.sessions.at(-1)!;

function answering(side: ProviderSide, text: string): void {
  const { type } = JSON.parse(text);
  if (type !== 'response.create') return;
  side.socket.send('{"type":"response.created","response":{"id":"r1"}}');
  side.socket.send(Buffer.from('{"type":"response.output_audio.delta","delta":"AAAA"}'), { binary: false });
  side.socket.send(JSON.stringify({ type: 'response.done', event_id: 'e9', response: { id: 'r1', usage: USAGE } }));
}

describe('a session of OpenAI', () => {
  test('messages pass both ways as they are, text as text and bytes as bytes', async () => {
    const { socket, received } = await open('/v1/realtime?model=main/voice');
    const side = latest();
    assert.equal(side.path, '/v1/realtime?model=gpt-realtime');
    assert.equal(side.headers.authorization, 'Bearer key of main');
    assert.doesNotMatch(JSON.stringify(side.headers), /sk-plain/);
    const odd = '{ "type" : "input_audio_buffer.append",  "audio":"\\u00e4", "n": 1.50 }';
    socket.send(odd);
    socket.send(Buffer.from([0, 255, 1]));
    side.socket.send(Buffer.from([9, 8, 255]));
    side.socket.send('{"type":"rate_limits.updated", "x":1.0}');
    await eventually('all', () => side.messages.length === 2 && received.length === 3);
    assert.deepEqual(side.messages[0], { text: odd, isBinary: false });
    assert.equal(side.messages[1]!.isBinary, true);
    assert.deepEqual(received[1], { text: Buffer.from([9, 8, 255]).toString(), isBinary: true });
    assert.equal(received[2]!.text, '{"type":"rate_limits.updated", "x":1.0}');
    socket.close();
  });

  test('each turn has a record with its usage', async () => {
    provider.onMessage = answering;
    const { socket, received } = await open('/v1/realtime?model=main/voice', { headers: { 'x-request-id': 'turns' } });
    // The time before a turn is no time of the turn.
    await new Promise((resolve) => setTimeout(resolve, 400));
    const beganAt = performance.now();
    for (const turns of [1, 2]) {
      socket.send('{"type":"response.create"}');
      await eventually(
        'the end of the turn',
        () => received.filter(({ text }) => text.includes('response.done')).length === turns,
      );
    }
    const turnsMs = performance.now() - beganAt;
    socket.close(1000, 'bye');
    await eventually('both records', () => records('turns').length === 2);
    for (const record of records('turns')) {
      assert.equal(record['gen_ai.usage.input_tokens'], 40);
      assert.equal(record['gen_ai.usage.output_tokens'], 20);
      assert.equal(record['gen_ai.usage.cache_read.input_tokens'], 8);
      assert.equal(record['gen_ai.request.model'], 'main/voice');
      assert.ok(Number(record['sluice.duration_ms']) < turnsMs, `${record['sluice.duration_ms']} of ${turnsMs} ms`);
    }
    await eventually('the close at the provider', () => latest().closed?.code === 1000);
    assert.equal(latest().closed?.reason, 'bye');
  });

  test('a session in which nothing was asked has a record without cost', async () => {
    const { socket } = await open('/v1/realtime?model=main/voice', { headers: { 'x-request-id': 'silent' } });
    socket.close();
    await eventually('its record', () => records('silent').length === 1);
    assert.equal(records('silent')[0]!['error.type'], undefined);
  });

  test('a model needs no account in front behind the path of its account', async () => {
    const { socket } = await open('/api/llm/live/main/realtime?model=voice');
    assert.equal(latest().path, '/v1/realtime?model=gpt-realtime');
    socket.close();
  });

  test('a session gets the provider’s own name of its model, and cannot become one of another model', async () => {
    const { socket, received } = await open('/v1/realtime?model=main/voice');
    socket.send('{"type":"session.update","session":{"type":"realtime","model":"main/voice","voice":"alloy"}}');
    socket.send('{"type":"session.update","session":{"model":"gpt-other"}}');
    await eventually('a refusal', () => received.some(({ text }) => text.includes('"error"')));
    const { type, error } = JSON.parse(received.find(({ text }) => text.includes('"error"'))!.text);
    assert.deepEqual([type, error.code, error.param], ['error', 'invalid_parameter', 'session.model']);
    assert.deepEqual(
      latest().messages.map(({ text }) => JSON.parse(text).session),
      [{ type: 'realtime', model: 'gpt-realtime', voice: 'alloy' }],
    );
    socket.close();
  });

  test('the provider’s code and reason end the client’s socket', async () => {
    const { end } = await open('/v1/realtime?model=main/voice');
    latest().socket.close(4008, 'session_expired');
    await eventually('the end', () => end.code !== undefined);
    assert.deepEqual(end, { code: 4008, reason: 'session_expired' });
  });

  test('a lost connection of the provider is 1011, and its turn is recorded as cut', async () => {
    const { socket, end } = await open('/v1/realtime?model=main/voice', { headers: { 'x-request-id': 'lost' } });
    socket.send('{"type":"response.create"}');
    await eventually('the turn', () => latest().messages.length === 1);
    latest().socket.terminate();
    await eventually('the end', () => end.code !== undefined);
    assert.equal(end.code, 1011);
    await eventually('its record', () => records('lost').length === 1);
    assert.equal(records('lost')[0]!['error.type'], 'upstream_cut');
  });

  test('the next target of a virtual model is asked where the first one refuses', async () => {
    provider.refuseWith = { status: 503, body: '{"error":{"message":"busy"}}' };
    const { socket } = await open('/v1/realtime?model=virtual/voice');
    assert.equal(latest(other).headers.authorization, 'Bearer key of second');
    socket.close();
  });

  test('a session stays where limits refuse a turn of its client, and ends where they refuse one of the provider’s own', async () => {
    provider.onMessage = answering;
    const { socket, received, end } = await open('/v1/realtime?model=main/voice', { key: 'sk-few' });
    for (let turns = 0; turns < 2; turns += 1) {
      const count = received.length;
      socket.send('{"type":"response.create"}');
      await eventually('an answer', () => received.slice(count).some(({ text }) => /response.done|"error"/.test(text)));
    }
    const { error } = JSON.parse(received.at(-1)!.text);
    assert.equal(error.code, 'rate_limited');
    assert.match(error.message, /few/);
    assert.equal(latest().messages.length, 1);
    assert.equal(end.code, undefined);
    // One that the provider begins by itself cannot be taken back: the session ends.
    latest().socket.send('{"type":"response.created","response":{"id":"r2"}}');
    await eventually('the end', () => end.code !== undefined);
    assert.equal(end.code, 1008);
  });

  test('a session ends when more waits for the provider than may', async () => {
    const { socket, received, end } = await open('/v1/realtime?model=main/voice');
    latest().socket.pause();
    const piece = JSON.stringify({ type: 'input_audio_buffer.append', audio: 'A'.repeat(60_000) });
    for (let sent = 0; sent < 400 && end.code === undefined; sent += 1) {
      socket.send(piece);
      if (sent % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await eventually('the end', () => end.code !== undefined);
    assert.equal(end.code, 1013);
    const { error } = JSON.parse(received.at(-1)!.text);
    assert.equal(error.code, 'session_queue_full');
    assert.match(error.message, /realtime\.max_waiting_bytes: 65536/);
    latest().socket.resume();
  });
});

test('sessions end at a stop of the gateway: one at rest at once, one with a turn when that is over', async (t) => {
  const own = await startGateway({
    keys: [{ name: 'test', key: PLAIN_KEY, subject: 'virtualaccount:test' }],
    manifests: [account('main', provider.url)],
  });
  t.after(() => own[Symbol.asyncDispose]());
  const rests = await open('/v1/realtime?model=main/voice', { at: own });
  const talks = await open('/v1/realtime?model=main/voice', { at: own });
  talks.socket.send('{"type":"response.create"}');
  const side = latest();
  await eventually('the turn', () => side.messages.length === 1);
  const stopped = own.stop();
  await eventually('the end of the one at rest', () => rests.end.code !== undefined);
  assert.deepEqual([rests.end.code, talks.end.code], [1001, undefined]);
  side.socket.send(JSON.stringify({ type: 'response.done', response: { id: 'r1', usage: USAGE } }));
  await eventually('the end of the other', () => talks.end.code !== undefined);
  assert.match(talks.received.at(-1)!.text, /response.done/);
  assert.equal(talks.end.code, 1001);
  await stopped;
});

test('a session is over after realtime.max_session_ms, and says so', async (t) => {
  const own = await startGateway({
    server: { realtime: { max_session_ms: 1_000 } },
    keys: [{ name: 'test', key: PLAIN_KEY, subject: 'virtualaccount:test' }],
    manifests: [account('main', provider.url)],
  });
  t.after(() => own[Symbol.asyncDispose]());
  const { received, end } = await open('/v1/realtime?model=main/voice', { at: own });
  await eventually('the end', () => end.code !== undefined);
  assert.equal(end.code, 1000);
  const { error } = JSON.parse(received.at(-1)!.text);
  assert.equal(error.code, 'session_over');
  assert.match(error.message, /realtime\.max_session_ms: 1000/);
});

describe('clients of OpenAI', () => {
  test('the official SDK holds a session', { skip: noOpenssl }, async (t) => {
    provider.onMessage = answering;
    const secure = await tlsInFront(await selfSigned(t, 'IP:127.0.0.1'), Number(new URL(gateway.url).port));
    t.after(() => secure.close());
    const client = new OpenAI({ apiKey: PLAIN_KEY, baseURL: `${secure.url}/v1` });
    const session = new OpenAIRealtimeWS({ model: 'main/voice', options: { rejectUnauthorized: false } }, client);
    const usage = new Promise((resolve, reject) => {
      session.on('response.done', ({ response }) => resolve(response.usage));
      session.on('error', reject);
    });
    session.socket.on('open', () => session.send({ type: 'response.create' }));
    assert.deepEqual(await usage, USAGE);
    session.close();
  });

  test('browsers send their key as a subprotocol, which no provider sees', async () => {
    const { socket } = await open('/v1/realtime?model=main/voice', {
      key: '',
      protocols: ['realtime', `openai-insecure-api-key.${PLAIN_KEY}`],
    });
    assert.equal(socket.protocol, 'realtime');
    assert.equal(latest().headers['sec-websocket-protocol'], 'realtime');
    socket.close();
  });
});

/** Ends TLS as a load balancer does: the SDK takes no other address. */
async function tlsInFront({ cert, key }: Certificate, port: number): Promise<{ readonly url: string; close(): void }> {
  const server = createServer({ cert, key }, (client) => {
    const gatewaySide = connect(port, '127.0.0.1');
    client.pipe(gatewaySide).pipe(client);
    for (const each of [client, gatewaySide]) each.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, close: () => server.close() };
}

describe('a session that is not let in', () => {
  test('a handshake is refused as any request is', async () => {
    assert.equal((await refused('/v1/realtime?model=main/voice', '')).status, 401);
    assert.equal((await refused('/v1/realtime?model=main/none')).error.code, 'model_not_found');
    assert.equal((await refused('/v1/realtime?model=main/text')).error.code, 'unsupported_operation');
    assert.equal((await refused('/v1/realtime')).error.code, 'missing_parameter');
    const plain = await fetch(`${gateway.url}/v1/realtime?model=main/voice`, {
      headers: { authorization: `Bearer ${PLAIN_KEY}` },
    });
    assert.equal(plain.status, 400);
  });

  test('a provider’s refusal comes in the gateway’s words, and has a record', async () => {
    provider.refuseWith = {
      status: 401,
      body: '{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}',
    };
    const { status, error } = await refused('/v1/realtime?model=main/voice', PLAIN_KEY, 'bad-credential');
    assert.equal(status, 502);
    assert.doesNotMatch(error.message, /Incorrect/);
    await eventually('its record', () => records('bad-credential').length === 1);
  });
});

describe('a session of Gemini', () => {
  const PATH = '/live/google/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent';

  test('the first message names the model, and the address may hold the key', async () => {
    provider.onOpen = () => {};
    provider.onMessage = (side, text) => {
      if (text.includes('"setup"')) side.socket.send(Buffer.from('{"setupComplete":{}}'));
      if (!text.includes('clientContent')) return;
      side.socket.send(Buffer.from('{"serverContent":{"modelTurn":{"parts":[{"text":"Hi"}]}}}'));
      side.socket.send(Buffer.from('{"serverContent":{"turnComplete":true}}'));
      const usageMetadata = { promptTokenCount: 12, responseTokenCount: 7, totalTokenCount: 19 };
      side.socket.send(Buffer.from(JSON.stringify({ usageMetadata })));
    };
    const headers = { 'x-request-id': 'gemini' };
    const { socket, received } = await open(`${PATH}?key=${PLAIN_KEY}`, { key: '', headers });
    socket.send('{"setup":{"model":"models/live","generationConfig":{"responseModalities":["AUDIO"]}}}');
    await eventually('the setup', () => received.length === 1);
    const side = latest();
    assert.equal(side.path, PATH.replace('/live/google', ''));
    assert.equal(side.headers['x-goog-api-key'], 'key of google');
    assert.deepEqual(JSON.parse(side.messages[0]!.text), {
      setup: { model: 'models/gemini-live-2.5', generationConfig: { responseModalities: ['AUDIO'] } },
    });
    assert.equal(received[0]!.isBinary, true);
    socket.send('{"clientContent":{"turns":[],"turnComplete":true}}');
    await eventually('the record', () => records('gemini').length === 1);
    const record = records('gemini')[0]!;
    assert.deepEqual([record['gen_ai.usage.input_tokens'], record['gen_ai.usage.output_tokens']], [12, 7]);
    socket.close();
  });

  test('a model that is not known, or not named in time, ends the session with 1008 and why', async () => {
    const unknown = await open(PATH);
    unknown.socket.send('{"setup":{"model":"models/none"}}');
    const silent = await open(PATH);
    await eventually('both ends', () => unknown.end.code !== undefined && silent.end.code !== undefined);
    assert.equal(unknown.end.code, 1008);
    assert.match(unknown.end.reason!, /none/);
    assert.equal(silent.end.code, 1008);
    assert.match(silent.end.reason!, /realtime\.setup_ms/);
  });
});
