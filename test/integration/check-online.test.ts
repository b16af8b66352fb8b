import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { stringify } from 'yaml';
import { type CheckOptions, check } from '../../src/cli/check.ts';
import { accountKinds, openAccounts, probeOf, tokenSources } from '../../src/plugs.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import { type FakeProvider, type ReceivedRequest, sendJson, startProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';
import { signatureFault } from '../support/signed-request.ts';
import { sluice } from '../support/sluice-command.ts';
import { manifestFolder } from '../unit/config/manifest-folder.ts';

/* The provider at each path answers in its own way. `good` lists two models and knows a third by an alias. */

const GOOD = 'sk-good-key-1234567890';
const BAD = 'sk-bad-key-0987654321';
let provider: FakeProvider;
/** Answers that were held at once. */
let most = 0;
let open = 0;

/** The control plane of Bedrock, in one region. */
async function answerAsBedrock(request: ReceivedRequest, response: ServerResponse): Promise<void> {
  const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI' };
  const fault = await signatureFault(request, keys, { region: 'eu-west-1', service: 'bedrock' });
  const path = decodeURIComponent(request.path);
  if (fault) sendJson(response, 403, { message: fault });
  else if (path === '/aws-denied/foundation-models') {
    sendJson(response, 403, { message: 'User: x is not authorized to perform: bedrock:ListFoundationModels' });
  } else if (path === '/aws/foundation-models') {
    sendJson(response, 200, { modelSummaries: [{ modelId: 'amazon.nova-pro-v1:0' }] });
  } else if (path === '/aws/inference-profiles/eu.amazon.nova-pro-v1:0') {
    sendJson(response, 200, { inferenceProfileId: 'eu.amazon.nova-pro-v1:0' });
  } else sendJson(response, 404, { message: 'Could not resolve the foundation model.' });
}

before(async () => {
  provider = await startProvider((request, response) => {
    const { path, headers } = request;
    const [, place, ...rest] = path.split('/');
    if (place?.startsWith('aws')) {
      void answerAsBedrock(request, response);
      return;
    }
    const key =
      headers.authorization?.replace('Bearer ', '') ??
      headers['x-api-key'] ??
      headers['api-key'] ??
      headers['x-goog-api-key'];
    if (place === 'slow') return;
    if (place === 'busy') {
      open += 1;
      most = Math.max(most, open);
      setTimeout(() => {
        open -= 1;
        sendJson(response, 200, { data: [] });
      }, 20);
      return;
    }
    if (place === 'page') response.writeHead(200, { 'content-type': 'text/html' }).end('<title>Welcome</title>');
    else if (place === 'moved') response.writeHead(301, { location: 'https://new.example/v1?token=x' }).end();
    else if (place === 'plain') response.writeHead(404).end();
    else if (place === 'limited') sendJson(response, 429, { error: { message: 'slow down' } });
    else if (place === 'broken') sendJson(response, 503, { error: { message: 'maintenance' } });
    else if (key !== GOOD) sendJson(response, 401, { error: { message: `Incorrect API key provided: ${key}` } });
    else if (path === '/vertex/v1/publishers/google/models/gemini-2.5-flash') sendJson(response, 200, { name: 'm' });
    else if (path === '/azure/openai/models?api-version=2024-10-21') sendJson(response, 200, { data: [] });
    else if (path === '/workspace/api/2.0/serving-endpoints')
      sendJson(response, 200, { endpoints: [{ name: 'llama' }] });
    else if (rest.at(-1) === 'alias') sendJson(response, 200, { id: 'alias' });
    else if (rest.at(-2) === 'models') sendJson(response, 404, { error: { message: 'no such model' } });
    else sendJson(response, 200, { data: [{ id: 'gpt-4o' }, { id: 'gpt-4o-mini' }] });
  });
});
after(() => provider[Symbol.asyncDispose]());

const withKey = (key: string, more: object = {}) => ({ auth_data: { type: 'api-key', api_key: key }, ...more });
const models = (...ids: string[]) => ({
  integrations: ids.map((id) => ({ name: id, type: 'integration/model/openai', model_id: id, model_types: ['chat'] })),
});

async function run(t: TestContext, manifests: object[], options: CheckOptions = {}, timeoutMs = 5000) {
  const folder = manifestFolder(t, { 'a.yaml': manifests.map((each) => stringify(each)).join('---\n') });
  const lines: string[] = [];
  const faults: string[] = [];
  const shown = (text: string) => text.replaceAll(`${folder}/`, '');
  const code = await check(
    [folder],
    { online: true, ...options },
    {
      kinds: accountKinds(),
      environment: {},
      online: { openAccounts, tokenSources, probeOf, timeoutMs },
      out: (text) => {
        // Keys stand literally here, and that is not what is looked at.
        if (!text.includes('stands literally')) lines.push(shown(text));
      },
      error: (text) => faults.push(shown(text)),
    },
  );
  return { code, lines, faults };
}

test('an account whose credential works and whose models exist is fine, an alias that no list has among them', async (t) => {
  const account = openAccount('main', `${provider.origin}/good/v1`, withKey(GOOD, models('gpt-4o', 'alias')));
  const claude = { type: 'provider-account/anthropic', name: 'claude', base_url: `${provider.origin}/claude` };
  const { code, lines, faults } = await run(t, [account, { ...claude, ...withKey(GOOD) }]);
  assert.deepEqual(faults, []);
  assert.equal(code, 0);
  const { origin } = provider;
  assert.deepEqual(lines.slice(1), [
    `account  address${' '.repeat(origin.length - 7)}  credential  models`,
    `main     ${origin}  works       2 of 2 models there`,
    `claude   ${origin}  works       any; it lists 2`,
    '2 accounts, 0 faults, 0 warnings',
  ]);
});

test('accounts of clouds are asked for something cheap that their credential opens', async (t) => {
  const { origin } = provider;
  const foundryModel = (name: string, api_key: string) => ({
    name,
    type: 'integration/model/azure-foundry',
    model_id: name,
    model_types: ['chat'],
    azure_endpoint: `${origin}/azure`,
    auth_data: { type: 'api-key', api_key },
  });
  const { code, faults, lines } = await run(t, [
    { type: 'provider-account/google-vertex', name: 'vertex', base_url: `${origin}/vertex`, ...withKey(GOOD) },
    {
      type: 'provider-account/azure-openai',
      name: 'azure',
      azure_endpoint: `${origin}/azure/openai`,
      ...withKey(GOOD),
    },
    {
      type: 'provider-account/azure-foundry',
      name: 'foundry',
      integrations: [foundryModel('gpt', GOOD), foundryModel('claude', BAD)],
    },
    { type: 'provider-account/databricks', name: 'lake', base_url: `${origin}/workspace`, ...withKey(GOOD) },
  ]);
  assert.equal(code, 1);
  assert.equal(faults.length, 1);
  assert.match(faults[0] ?? '', /account `foundry`: its provider refuses the credential/);
  const rows = lines.map((line) => line.replaceAll(/ +/g, ' '));
  for (const row of [
    `vertex ${origin} works not asked`,
    `azure ${origin} works not asked`,
    `foundry ${origin} works not asked`,
    `foundry ${origin} refused not asked`,
    `lake ${origin} works any; it lists 1`,
  ]) {
    assert.ok(rows.includes(row), `${row}\n${rows.join('\n')}`);
  }
});

test('a refused credential and a missing model are faults with their place, and no word of a provider shows a key', async (t) => {
  const { code, faults, lines } = await run(t, [
    openAccount('main', `${provider.origin}/good/v1`, withKey(GOOD, models('gpt-4o', 'gpt-4o-mni'))),
    openAccount('bad', `${provider.origin}/good/v1`, withKey(BAD)),
  ]);
  assert.equal(code, 1);
  assert.deepEqual(faults, [
    'a.yaml:15:15 integrations[1].model_id: account `main`: its provider has no such model — found `gpt-4o-mni`. Did you mean `gpt-4o-mini`?',
    'a.yaml:23:3 auth_data: account `bad`: its provider refuses the credential: The provider answered 401: Incorrect API key provided: [redacted]',
  ]);
  assert.match(lines.join('\n'), /main +\S+ +works +1 of 2 models there\nbad +\S+ +refused +not asked/);
  assert.ok(!faults.concat(lines).join().includes(BAD));
});

for (const [does, place, said] of [
  [
    'is away',
    'http://127.0.0.1:1/v1',
    /account `a`: its provider cannot be reached: Nothing listens at its address and port \(ECONNREFUSED\)/,
  ],
  ['does not answer', '/slow/v1', /account `a`: its provider cannot be reached: no whole answer within 200 ms/],
  ['answers with a page', '/page/v1', /base_url: account `a`: .*GET \/page\/v1\/models with something that is no list/],
  ['sends on', '/moved/v1', /base_url: account `a`: its provider sends on to https:\/\/new\.example \(301\)/],
  ['fails', '/broken/v1', /account `a`: its provider fails: The provider answered 503: maintenance/],
] as const) {
  test(`a provider that ${does} is a fault`, async (t) => {
    const url = place.startsWith('http') ? place : provider.origin + place;
    const { code, faults } = await run(t, [openAccount('a', url, withKey(GOOD))], {}, 200);
    assert.equal(code, 1);
    assert.equal(faults.length, 1);
    assert.match(faults[0] ?? '', said);
  });
}

for (const [does, place, said] of [
  ['has no list of models', '/plain/v1', /answered 404 to GET \/plain\/v1\/models: it has no such list/],
  ['limits the rate', '/limited/v1', /limits the rate now, and neither accepted nor refused/],
] as const) {
  test(`a provider that ${does} cannot be asked: a warning, with --strict a fault`, async (t) => {
    const account = openAccount('a', `${provider.origin}${place}`, withKey(GOOD));
    const { code, faults, lines } = await run(t, [account]);
    assert.deepEqual([code, faults], [0, []]);
    assert.match(lines.join('\n'), said);
    const strict = await run(t, [account], { strict: true });
    assert.equal(strict.code, 1);
    assert.match(strict.faults.join('\n'), said);
  });
}

test('self-hosted models are asked where each is, and a credential that is not needed is not missed', async (t) => {
  const model = (name: string, url: string) => ({
    name,
    type: 'integration/model/self-hosted-model',
    hosted_model_name: name,
    url,
    model_server: 'vllm-openai',
    model_types: ['chat'],
    auth_data: { type: 'bearer-auth', bearer_token: GOOD },
  });
  const { code, lines, faults } = await run(t, [
    {
      type: 'provider-account/self-hosted-model',
      name: 'lab',
      integrations: [
        model('gpt-4o', `${provider.origin}/one/v1`),
        model('gpt-4o-mini', `${provider.origin}/two/v1`),
        model('gone', `${provider.origin}/two/v1`),
      ],
    },
  ]);
  assert.equal(code, 1);
  assert.match(faults.join('\n'), /integrations\[2\]\.model_id: account `lab`: its provider has no such model/);
  assert.match(lines.join('\n'), /works +1 of 1 model there\nlab .* 1 of 2 models there\n1 account, 1 fault/);
});

describe('Bedrock', () => {
  const [id, secret] = ['AKIDEXAMPLE', 'wJalrXUtnFEMI'];
  const bedrock = (place: string, region: string, ...modelIds: string[]) => ({
    type: 'provider-account/aws-bedrock',
    name: 'aws',
    region,
    base_url: `${provider.origin}/${place}`,
    auth_data: { type: 'access-key-based', access_key_id: id, secret_access_key: secret },
    integrations: modelIds.map((model_id, index) => ({
      type: 'integration/model/bedrock',
      name: `m${index}`,
      model_id,
      model_types: ['chat'],
    })),
  });

  test('a signed account is asked for models and profiles, and one that does not exist is a fault', async (t) => {
    const account = bedrock(
      'aws',
      'eu-west-1',
      'amazon.nova-pro-v1:0',
      'eu.amazon.nova-pro-v1:0',
      'amazon.nova-por-v1:0',
    );
    const { code, lines, faults } = await run(t, [account]);
    assert.equal(code, 1);
    assert.match(lines.join('\n'), /works +2 of 3 models there/);
    assert.deepEqual(faults.length, 1);
    assert.match(
      faults[0] ?? '',
      /integrations\[2\]\.model_id: .*no such model — found `amazon\.nova-por-v1:0`\. Did you mean `amazon\.nova-pro-v1:0`/,
    );
  });

  test('an account that may not list models works, and is warned of', async (t) => {
    const { code, lines, faults } = await run(t, [bedrock('aws-denied', 'eu-west-1', 'amazon.nova-pro-v1:0')]);
    assert.deepEqual([code, faults], [0, []]);
    assert.match(lines.join('\n'), /its credential works and may not list models/);
    assert.match(lines.join('\n'), /aws +\S+ +works +not asked/);
  });

  test('an account whose signature is refused is a fault', async (t) => {
    const { code, faults } = await run(t, [bedrock('aws', 'us-east-1')]);
    assert.equal(code, 1);
    assert.match(
      faults[0] ?? '',
      /auth_data: account `aws`: its provider refuses the credential: .*signature we calculated/,
    );
  });
});

test('many accounts are asked eight at a time', async (t) => {
  const accounts = Array.from({ length: 30 }, (_, index) =>
    openAccount(`a${index}`, `${provider.origin}/busy/v1`, withKey(`${GOOD}-${index}`)),
  );
  const { code } = await run(t, accounts);
  assert.equal(code, 0);
  assert.equal(most, 8);
});

test('an account is asked through its proxy', async (t) => {
  const proxy = await startConnectProxy({ ports: { 'provider.test': Number(new URL(provider.origin).port) } });
  t.after(() => proxy[Symbol.asyncDispose]());
  const account = openAccount('a', 'http://provider.test/good/v1', withKey(GOOD, { proxy: proxy.address }));
  const { code } = await run(t, [account]);
  assert.deepEqual([code, proxy.tunnels], [0, ['provider.test:80']]);
});

test('manifests with a fault are told first, and no provider is asked', async (t) => {
  const asked = provider.requests.length;
  const { code, faults } = await run(t, [openAccount('a b', `${provider.origin}/good/v1`, withKey(GOOD))]);
  assert.equal(code, 1);
  assert.match(faults[0] ?? '', /name: this value is not allowed/);
  assert.equal(faults[1], 'no provider was asked: mend the faults first');
  assert.equal(provider.requests.length, asked);
});

test('the command asks, prints and exits with 1', async (t) => {
  const folder = manifestFolder(t);
  await writeFile(join(folder, 'a.yaml'), stringify(openAccount('a', `${provider.origin}/good/v1`, withKey(BAD))));
  const ran = await sluice(['check', '--online', folder]);
  assert.equal(ran.code, 1);
  assert.match(ran.stderr, /refuses the credential/);
  assert.match(ran.stdout, /account {2}address .*\n.*refused/);
});
