/** What a virtual model changes of realtime sessions, over real sockets. */
import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { openRealtime } from '../support/realtime-client.ts';
import { type ProviderSide, type RealtimeProvider, startRealtimeProvider } from '../support/realtime-provider.ts';

let provider: RealtimeProvider;
let gateway: RunningGateway;

const virtual = (name: string, target: string, more: object): object => ({
  type: 'integration/model/virtual',
  name,
  model_types: ['realtime'],
  routing_config: {
    type: 'priority-based-routing',
    load_balance_targets: [{ target, priority: 0, ...more }],
  },
});

before(async () => {
  provider = await startRealtimeProvider();
  gateway = await startGateway({
    manifests: [
      {
        type: 'provider-account/openai',
        name: 'main',
        auth_data: { type: 'api-key', api_key: 'k' },
        base_url: `${provider.url}/v1`,
        integrations: [
          { type: 'integration/model/openai', name: 'voice', model_id: 'gpt-realtime', model_types: ['realtime'] },
        ],
      },
      {
        type: 'provider-account/google-gemini',
        name: 'google',
        auth_data: { type: 'api-key', apiKey: 'k' },
        base_url: `${provider.url}/v1beta`,
        integrations: [
          { type: 'integration/model/gemini', name: 'live', model_id: 'gemini-live', model_types: ['realtime'] },
        ],
      },
      {
        type: 'provider-account/virtual-model',
        name: 'v',
        integrations: [
          virtual('brief', 'main/voice', {
            override_params: { max_output_tokens: 50, instructions: 'Be brief.' },
            headers_override: { set: { 'x-team': 'voice' } },
          }),
          virtual('wrong', 'main/voice', { override_params: { max_tokens: 50 } }),
          virtual('live', 'google/live', {
            override_params: { systemInstruction: { parts: [{ text: 'Be brief.' }] } },
          }),
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
// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape, whose fields the tests look at.
const said = (): any[] => latest().messages.map(({ text }) => JSON.parse(text));

test('parameters and headers that a route sets hold in its sessions, whatever the client says', async () => {
  const client = await openRealtime(gateway.url, '/v1/realtime?model=v/brief', { key: KEY });
  assert.equal(latest().headers['x-team'], 'voice');
  client.say({ type: 'session.update', session: { type: 'realtime', instructions: 'Talk on.', model: 'v/brief' } });
  client.say({ type: 'response.create', response: { max_output_tokens: 'inf' } });
  await eventually('all', () => latest().messages.length === 3);
  const params = { max_output_tokens: 50, instructions: 'Be brief.' };
  assert.deepEqual(said(), [
    { type: 'session.update', session: { type: 'realtime', ...params } },
    { type: 'session.update', session: { type: 'realtime', model: 'gpt-realtime', ...params } },
    { type: 'response.create', response: { max_output_tokens: 50 } },
  ]);
  client.socket.close();
});

test('a session of the form before it was generally available is set up in its own words', async () => {
  const headers = { 'openai-beta': 'realtime=v1' };
  const client = await openRealtime(gateway.url, '/v1/realtime?model=v/brief', { key: KEY, headers });
  await eventually('the set-up', () => latest().messages.length === 1);
  assert.equal(said()[0].session.type, undefined);
  client.socket.close();
});

test('a parameter that no session has is refused by its name', async () => {
  const count = provider.sessions.length;
  const asked = openRealtime(gateway.url, '/v1/realtime?model=v/wrong', { key: KEY });
  await assert.rejects(asked, /override_params\.max_tokens/);
  assert.equal(provider.sessions.length, count);
});

test('parameters of a route stand in the first message of a session of Gemini', async () => {
  const count = provider.sessions.length;
  const path = '/live/v/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent';
  const client = await openRealtime(gateway.url, path, { key: KEY });
  client.say({ setup: { model: 'models/live', systemInstruction: { parts: [{ text: 'Talk on.' }] } } });
  await eventually('the set-up', () => provider.sessions.length > count && latest().messages.length === 1);
  assert.deepEqual(said(), [
    { setup: { model: 'models/gemini-live', systemInstruction: { parts: [{ text: 'Be brief.' }] } } },
  ]);
  client.socket.close();
});
