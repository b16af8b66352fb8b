import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { loadConfiguration } from '../../src/config/load.ts';
import { accountKinds, openAccounts, wellKnown } from '../../src/plugs.ts';
import { ask, errorOf, messages } from '../support/chat-client.ts';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';

/* Hosts of the table, as they are in a configuration. */

let provider: FakeProvider;
let gateway: RunningGateway;

const VECTORS = {
  object: 'list',
  data: [{ object: 'embedding', index: 0, embedding: [0.1, 0.2, 0.3] }],
  model: 'the-embed',
  usage: { prompt_tokens: 1, total_tokens: 1 },
};

before(async () => {
  provider = await startProvider(({ path }, response) =>
    sendJson(response, 200, path.endsWith('/embeddings') ? VECTORS : completion('Hello.')),
  );
  const shared = { base_url: `${provider.origin}/v1`, auth_data: { type: 'api-key', api_key: 'sk-1' } };
  const model = (kind: string, name: string, types: string[]) => ({
    type: `integration/model/${kind}`,
    name,
    model_id: `the-${name}`,
    model_types: types,
  });
  gateway = await startGateway({
    manifests: [
      {
        type: 'provider-account/mistral-ai',
        name: 'mistral',
        ...shared,
        integrations: [model('mistral-ai', 'small', ['chat']), model('mistral-ai', 'embed', ['embedding'])],
      },
      {
        type: 'provider-account/openai-compatible',
        name: 'fw',
        host: 'fireworks',
        ...shared,
        integrations: [model('openai-compatible', 'glm', ['chat'])],
      },
      { type: 'provider-account/openrouter', name: 'or', ...shared },
      { type: 'provider-account/wafer', name: 'w', zero_data_retention: true, ...shared },
      {
        type: 'provider-account/openai-compatible',
        name: 'other',
        base_url: provider.origin,
        auth_data: { type: 'header', headers: { 'X-Token': 'secret-1' } },
        integrations: [model('openai-compatible', 'm', ['chat'])],
      },
    ],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await provider?.close();
});

async function sent(body: object, headers: Record<string, string> = {}) {
  provider.requests.length = 0;
  const response = await ask(gateway, { messages, ...body }, { headers });
  assert.equal(response.status, 200, await response.text());
  const [request, ...others] = provider.requests;
  assert.ok(request && others.length === 0);
  return { request, body: JSON.parse(request.body.toString()) };
}

test('a parameter goes on under the name that the host knows, and what it refuses is left out or refused by name', async () => {
  const { body } = await sent({ model: 'mistral/small', seed: 7, store: true, max_completion_tokens: 9 });
  assert.deepEqual(body, { messages, model: 'the-small', random_seed: 7, max_tokens: 9 });
  provider.requests.length = 0;
  const response = await ask(gateway, { model: 'mistral/small', messages, logit_bias: { 1: 2 } });
  assert.equal(response.status, 400);
  const error = await errorOf(response);
  assert.deepEqual([error.code, error.param], ['unsupported_parameter', 'logit_bias']);
  assert.match(error.message, /takes no `logit_bias`/);
  assert.equal(provider.requests.length, 0, 'nothing was sent');
});

test('a host without quirks gets the bytes of the client but for the model', async () => {
  const written = '{"messages" : [], "store": true,"x":1.0,\n"model":"or/a/b" }';
  provider.requests.length = 0;
  assert.equal((await ask(gateway, written)).status, 200);
  assert.equal(provider.requests[0]?.body.toString(), written.replace('or/a/b', 'a/b'));
});

test('embeddings of a host that serves them are passed through, and of another refused', async () => {
  provider.requests.length = 0;
  const input = { input: ['a'], dimensions: 3 };
  const response = await ask(gateway, { model: 'mistral/embed', ...input }, { path: '/v1/embeddings' });
  assert.equal(response.status, 200);
  const [request] = provider.requests;
  assert.equal(request?.path, '/v1/embeddings');
  assert.deepEqual(JSON.parse(request.body.toString()), { model: 'the-embed', ...input });
  const refused = await ask(gateway, { model: 'w/m', ...input }, { path: '/v1/embeddings' });
  assert.equal((await errorOf(refused)).code, 'unsupported_operation');
});

test('headers that a host reads go on to it and to no other, and an account’s own go with every request', async () => {
  const headers = { 'http-referer': 'https://app.example', 'x-title': 'App' };
  const router = await sent({ model: 'or/m' }, headers);
  assert.deepEqual([router.request.headers['http-referer'], router.request.headers['x-title']], Object.values(headers));
  const wafer = await sent({ model: 'w/m' }, headers);
  assert.equal(wafer.request.headers['http-referer'], undefined);
  assert.equal(wafer.request.headers['wafer-zdr'], 'required');
  assert.equal(wafer.request.headers['authorization'], 'Bearer sk-1');
  const other = await sent({ model: 'other/m' });
  assert.equal(other.request.headers['x-token'], 'secret-1');
  assert.equal(other.request.path, '/chat/completions');
});

test('the list of models says which host owns a model and what it is for', async () => {
  const headers = { authorization: `Bearer ${KEY}` };
  const list = await (await fetch(`${gateway.url}/v1/models`, { headers })).json();
  const { data } = list as { data: { id: string }[] };
  const shown = new Map<string, object>(data.map(({ id, ...rest }) => [id, rest]));
  const common = { object: 'model', created: 0 };
  assert.deepEqual(shown.get('fw/glm'), { ...common, owned_by: 'fireworks', model_types: ['chat'] });
  assert.deepEqual(shown.get('mistral/embed'), { ...common, owned_by: 'mistral-ai', model_types: ['embedding'] });
  assert.deepEqual(shown.get('other/m'), { ...common, owned_by: 'openai-compatible', model_types: ['chat'] });
  const one = await (await fetch(`${gateway.url}/v1/models/or/any/model`, { headers })).json();
  assert.deepEqual(one, { id: 'or/any/model', ...common, owned_by: 'openrouter' });
});

test('with no configuration at all every variable of a host makes an account of its name', () => {
  const environment = Object.fromEntries(wellKnown().map(({ variable }) => [variable, `key-of-${variable}`]));
  const result = loadConfiguration({ paths: [], environment, kinds: accountKinds(), wellKnown: wellKnown() });
  assert.ok('configuration' in result, JSON.stringify('faults' in result && result.faults));
  assert.deepEqual(result.warnings, []);
  const accounts = openAccounts(result.configuration, new Map());
  assert.deepEqual(
    accounts.map(({ name }) => name),
    wellKnown().map(({ account }) => account),
  );
  const some = ['openai', 'anthropic', 'google-gemini', 'groq', 'mistral', 'xai', 'deepseek', 'fireworks', 'moonshot'];
  for (const name of some)
    assert.ok(
      accounts.some((each) => each.name === name),
      name,
    );
});
