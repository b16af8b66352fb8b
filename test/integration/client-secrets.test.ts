/** Secrets for browsers (`POST /realtime/client_secrets`): what they are good for, and everything else that they are not. */
import assert from 'node:assert/strict';
import { before, beforeEach, describe, test } from 'node:test';
import OpenAI from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { openRealtime } from '../support/realtime-client.ts';
import { type ProviderSide, type RealtimeProvider, startRealtimeProvider } from '../support/realtime-provider.ts';

const KEY = 'sk-app-1';
const BOUND_KEY = 'sk-bound-1';
const GONE_KEY = 'sk-gone-1';

let provider: RealtimeProvider;
let gateway: RunningGateway;

const account = (): object => ({
  type: 'provider-account/openai',
  name: 'main',
  auth_data: { type: 'api-key', api_key: 'key of the provider' },
  base_url: `${provider.url}/v1`,
  integrations: [
    { type: 'integration/model/openai', name: 'voice', model_id: 'gpt-realtime', model_types: ['realtime'] },
    { type: 'integration/model/openai', name: 'other', model_id: 'gpt-other', model_types: ['realtime'] },
    { type: 'integration/model/openai', name: 'text', model_id: 'gpt-text', model_types: ['chat'] },
    {
      type: 'integration/model/openai',
      name: 'scribe',
      model_id: 'gpt-4o-transcribe',
      model_types: ['audio_transcription'],
    },
  ],
});
const virtual = {
  type: 'provider-account/virtual-model',
  name: 'v',
  integrations: [
    {
      type: 'integration/model/virtual',
      name: 'voice',
      model_types: ['realtime'],
      routing_config: {
        type: 'priority-based-routing',
        load_balance_targets: [{ target: 'main/voice', priority: 0, override_params: { voice: 'marin' } }],
      },
    },
  ],
};

const APP = { name: 'app', key: KEY, subject: 'virtualaccount:app' };
const GONE = { name: 'gone', key: GONE_KEY, subject: 'virtualaccount:gone' };
/** Keys that the test of their end changes. `bound`: the model that one of them may use. */
const keys = (bound: string, ...others: object[]): object => ({
  type: 'sluice/api-keys',
  keys: [{ name: 'bound', key: BOUND_KEY, subject: 'virtualaccount:bound', models: [bound] }, ...others],
});

before(async () => {
  provider = await startRealtimeProvider();
  gateway = await startGateway({
    server: { ledger: { metadata_keys: ['visitor'] } },
    keys: [APP],
    manifests: [account(), virtual, keys('main/other', GONE)],
  });
});
disposeAfter(() => [gateway, provider]);
beforeEach(() => {
  provider.onMessage = () => {};
});

const latest = (): ProviderSide => provider.sessions.at(-1)!;

async function ask(body: object | string, key = KEY, headers: Record<string, string> = {}) {
  const response = await fetch(`${gateway.url}/v1/realtime/client_secrets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: JSON of any shape, whose fields the tests look at.
  return { status: response.status, json: (await response.json()) as any };
}
async function secretFor(model: string, more: object = {}, key = KEY): Promise<string> {
  const { json } = await ask({ session: { type: 'realtime', model, ...more } }, key);
  return json.value;
}
/** As a page does, which can set no header. */
const browser = (secret: string, query = '') =>
  openRealtime(gateway.url, `/v1/realtime${query}`, {
    protocols: ['realtime', `openai-insecure-api-key.${secret}`],
  });

describe('a secret for browsers', () => {
  test('the official SDK gets one, and it opens sessions of its model until it ends', async () => {
    const client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1` });
    const made = await client.realtime.clientSecrets.create({
      expires_after: { anchor: 'created_at', seconds: 60 },
      session: { type: 'realtime', model: 'main/voice', instructions: 'Be brief.' },
    });
    assert.match(made.value, /^ek_/);
    const inSeconds = made.expires_at - Date.now() / 1000;
    assert.ok(inSeconds > 30 && inSeconds <= 60, `${inSeconds}`);
    assert.deepEqual([made.session.type, (made.session as { model?: string }).model], ['realtime', 'main/voice']);
    for (const query of ['', '?model=main/voice']) {
      const { socket } = await browser(made.value, query);
      assert.equal(socket.protocol, 'realtime');
      await eventually('how the session begins', () => latest().messages.length === 1);
      assert.equal(latest().path, '/v1/realtime?model=gpt-realtime');
      assert.equal(latest().headers.authorization, 'Bearer key of the provider');
      assert.ok(!JSON.stringify(latest().headers).includes(made.value));
      assert.deepEqual(JSON.parse(latest().messages[0]!.text), {
        type: 'session.update',
        session: { type: 'realtime', instructions: 'Be brief.' },
      });
      socket.close();
    }
  });

  test('sessions of a secret are recorded as those of its key, with the metadata it was asked for with', async () => {
    const metadata = { 'x-tfy-metadata': JSON.stringify({ visitor: 'v-7' }) };
    const { json } = await ask({ session: { model: 'main/voice' } }, KEY, metadata);
    const forged = { 'x-tfy-metadata': JSON.stringify({ visitor: 'somebody else' }), 'x-request-id': 'by-secret' };
    const { socket } = await openRealtime(gateway.url, '/v1/realtime', { key: json.value, headers: forged });
    socket.close();
    const records = () => gateway.records({ 'http.request.id': 'by-secret' });
    await eventually('the record', () => records().length === 1);
    const text = JSON.stringify(records()[0]);
    assert.match(text, /virtualaccount:app/);
    assert.ok(!text.includes(json.value) && !text.includes('somebody else'), text);
  });

  test('no other model, endpoint or secret is had with it', async () => {
    const secret = await secretFor('main/voice');
    await assert.rejects(browser(secret, '?model=main/other'), /model_forbidden/);
    await assert.rejects(browser(secret, '?model=v/voice'), /model_forbidden/);
    for (const path of ['/v1/models', '/v1/chat/completions', '/v1/realtime/client_secrets', '/v1/realtime']) {
      const method = path.endsWith('models') || path.endsWith('realtime') ? 'GET' : 'POST';
      const response = await fetch(gateway.url + path, {
        method,
        headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
        ...(method === 'POST' && { body: '{"model":"main/text","messages":[]}' }),
      });
      assert.equal(response.status, 401, path);
      await response.text();
    }
    await assert.rejects(openRealtime(gateway.url, '/v1/responses', { key: secret }), /401/);
    const live = openRealtime(gateway.url, '/live/main/realtime?model=voice', { key: secret });
    (await live).socket.close();
  });

  test('a secret that was changed, shortened or made by somebody else opens nothing', async () => {
    const secret = await secretFor('main/voice');
    const [head = '', payload = '', signature = ''] = secret.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const changed = (session: object, more: object = {}): string => {
      const made = { ...claims, ...more, session: { ...claims.session, ...session } };
      return [head, Buffer.from(JSON.stringify(made)).toString('base64url'), signature].join('.');
    };
    const none = Buffer.from('{"alg":"none","typ":"ek+jwt"}').toString('base64url');
    for (const forged of [
      changed({ model: 'main/other', targets: ['main/other'] }),
      changed({}, { exp: claims.exp + 9_999 }),
      `${head}.${payload}.${signature.slice(0, -2)}AA`,
      `${head}.${payload}.`,
      `ek_${none}.${payload}.`,
      secret.slice('ek_'.length),
      `ek_${secret}`,
      'ek_',
    ]) {
      await assert.rejects(browser(forged), /401/, forged.slice(0, 40));
    }
  });

  test('a virtual model has secrets too, whose sessions go to its targets with its overrides', async () => {
    const { socket } = await browser(await secretFor('v/voice', { voice: 'alloy' }));
    await eventually('how the session begins', () => latest().messages.length === 1);
    assert.equal(JSON.parse(latest().messages[0]!.text).session.voice, 'marin');
    socket.close();
  });

  test('a session for transcription begins with its model, whatever its client says', async () => {
    const transcription = { model: 'main/scribe', language: 'en' };
    const { json, status } = await ask({ session: { type: 'transcription', audio: { input: { transcription } } } });
    assert.equal(status, 200, JSON.stringify(json));
    assert.equal(json.session.object, 'realtime.transcription_session');
    const { socket } = await browser(json.value, '?intent=transcription');
    await eventually('how the session begins', () => latest().messages.length === 1);
    assert.equal(latest().path, '/v1/realtime?intent=transcription');
    assert.deepEqual(JSON.parse(latest().messages[0]!.text).session, {
      type: 'transcription',
      audio: { input: { transcription: { model: 'gpt-4o-transcribe', language: 'en' } } },
    });
    socket.close();
  });
});

describe('a request for a secret', () => {
  test('a mistake is refused by its name', async () => {
    const session = { type: 'realtime', model: 'main/voice' };
    for (const [body, status, code, param] of [
      ['{', 400, 'invalid_json', null],
      [{}, 400, 'missing_parameter', 'session.model'],
      [{ session: 'x' }, 400, 'invalid_parameter', 'session'],
      [{ session: { type: 'translation', model: 'main/voice' } }, 400, 'invalid_parameter', 'session.type'],
      [
        { session: { type: 'transcription', model: 'main/scribe' } },
        400,
        'missing_parameter',
        'session.audio.input.transcription.model',
      ],
      [{ session: { ...session, messages: [] } }, 400, 'invalid_parameter', 'session.messages'],
      [{ session: { ...session, instructions: 'x'.repeat(5_000) } }, 400, 'invalid_parameter', 'session'],
      [{ session, expires_after: 60 }, 400, 'invalid_parameter', 'expires_after'],
      [{ session, expires_after: { seconds: 9 } }, 400, 'invalid_parameter', 'expires_after.seconds'],
      [{ session, expires_after: { seconds: 7_201 } }, 400, 'invalid_parameter', 'expires_after.seconds'],
      [{ session, expires_after: { seconds: '60' } }, 400, 'invalid_parameter', 'expires_after.seconds'],
      [{ session, expires_after: { anchor: 'now', seconds: 60 } }, 400, 'invalid_parameter', 'expires_after.anchor'],
      [{ session: { model: 'main/none' } }, 404, 'model_not_found', 'model'],
      [{ session: { model: 'main/text' } }, 400, 'unsupported_operation', 'model'],
    ] as const) {
      const { status: told, json } = await ask(body);
      const about = JSON.stringify([body, json]).slice(0, 300);
      assert.deepEqual([told, json.error.code, json.error.param ?? null], [status, code, param], about);
    }
    assert.equal((await ask({ session }, 'sk-nobody')).status, 401);
    assert.equal((await ask({ session }, BOUND_KEY)).json.error.code, 'model_forbidden');
  });

  test('a secret ends with the key that it was asked for with, and with what that key may', async () => {
    const ofGone = await secretFor('main/voice', {}, GONE_KEY);
    const ofBound = await secretFor('main/other', {}, BOUND_KEY);
    for (const each of [ofGone, ofBound]) (await browser(each)).socket.close();
    await gateway.configure([account(), virtual, keys('main/voice')]);
    for (const each of [ofGone, ofBound]) {
      await eventually('the end of the secret', () =>
        browser(each).then(
          ({ socket }) => {
            socket.terminate();
            return false;
          },
          ({ message }) => /^401/.test(message),
        ),
      );
    }
    (await browser(await secretFor('main/voice'))).socket.close();
  });
});
