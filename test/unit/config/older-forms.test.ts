import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { formatFault } from '../../../src/config/fault.ts';
import { type Loaded, loadConfiguration } from '../../../src/config/load.ts';
import { allPlugs } from '../../../src/plugs.ts';
import { manifestFolder } from './manifest-folder.ts';

/* What earlier revisions of the reference product wrote in another way loads unchanged, and means the same. */

const PLUGS = allPlugs();

function load(test: TestContext, ...manifests: readonly object[]): Loaded & { said: string[] } {
  const text = manifests.map((manifest) => JSON.stringify(manifest)).join('\n---\n');
  const folder = manifestFolder(test, { 'older.yaml': text });
  const result = loadConfiguration({ paths: [folder], environment: {}, kinds: PLUGS, wellKnown: [] });
  assert.ok('configuration' in result, JSON.stringify('faults' in result && result.faults));
  const said = result.warnings.filter(({ code }) => code !== 'literal-secret').map(formatFault);
  return { ...result, said };
}

const apiKey = { type: 'api-key', api_key: 'k' };
const id = { model_id: 'm' };
const deployed = { ...id, foundation_model: 'gpt-4o' };
const azure = { auth_data: apiKey, azure_endpoint: 'https://x.services.ai.azure.com' };
const server = { hosted_model_name: 'm', url: 'http://127.0.0.1:1/v1', model_server: 'vllm-openai' };
const OLDER_MODELS: readonly [older: string, newer: string, account: object, model: object][] = [
  ['aws', 'bedrock', { type: 'aws-bedrock', region: 'us-east-1' }, id],
  ['azure', 'azure-openai', { type: 'azure-openai', ...azure }, { ...deployed, api_version: 'v1' }],
  ['azure/ai-foundry', 'azure-foundry', { type: 'azure-foundry' }, { ...deployed, ...azure }],
  ['azure/ai-inference', 'azure-foundry', { type: 'azure-foundry' }, { ...deployed, ...azure }],
  ['gcp/vertex', 'vertex', { type: 'google-vertex', project_id: 'p', region: 'us-central1' }, id],
  ['gcp/google', 'gemini', { type: 'google-gemini', auth_data: { type: 'api-key', apiKey: 'k' } }, id],
  ['custom', 'self-hosted-model', { type: 'self-hosted-model' }, server],
];

for (const [older, newer, account, model] of OLDER_MODELS) {
  test(`a model of the older type integration/model/${older} loads as one of integration/model/${newer}`, (t) => {
    const written = { ...model, name: 'm', type: `integration/model/${older}`, model_types: ['chat'] };
    const { type } = account as { type: string };
    const manifest = { ...account, type: `provider-account/${type}`, name: 'a', integrations: [written] };
    const { configuration, said } = load(t, manifest);
    const plug = PLUGS.find((each) => each.type === manifest.type);
    const opened = plug?.open(configuration.accounts[0]!, new Map());
    assert.equal(opened?.target('m')?.modelId, 'm');
    assert.deepEqual(said, []);
  });
}

test('the older model type audio stands for speech, transcripts and translations, each once', (t) => {
  const integration = { name: 'm', type: 'integration/model/openai', model_id: 'm', model_types: ['audio', 'chat'] };
  const doubled = { ...integration, name: 'n', model_types: ['text_to_speech', 'audio'] };
  const account = { type: 'provider-account/openai', name: 'a', auth_data: apiKey };
  const { configuration, said } = load(t, { ...account, integrations: [integration, doubled] });
  const listed = configuration.accounts.flatMap(({ integrations = [] }) => integrations as { model_types: string[] }[]);
  assert.deepEqual(
    listed.map(({ model_types: types }) => types),
    [
      ['text_to_speech', 'audio_transcription', 'audio_translation', 'chat'],
      ['text_to_speech', 'audio_transcription', 'audio_translation'],
    ],
  );
  assert.deepEqual(said, []);
});

test('an account that serves a part of what the older model type audio means is not warned of', (t) => {
  const integration = { name: 'm', type: 'integration/model/deepgram', model_id: 'm', model_types: ['audio'] };
  const account = { type: 'provider-account/deepgram', name: 'a', auth_data: apiKey, integrations: [integration] };
  assert.deepEqual(load(t, account).said, []);
});

const guards = (...integrations: object[]) => ({
  type: 'provider-account/guardrail-config-group',
  name: 'g',
  integrations: integrations.map((each, index) => ({ name: `g${index}`, ...each })),
});

test('a custom guard whose keys stand beside config sends along what config holds', (t) => {
  const type = 'integration/guardrail-config/custom';
  const older = { type, target: 'request', url: 'https://guard.example', headers: { a: 'b' }, config: { strict: 1 } };
  const newer = { type, target: 'request', config: { url: older.url, headers: older.headers, config: older.config } };
  const { configuration, said } = load(t, guards(older, newer));
  const [first, second] = configuration.guards;
  assert.deepEqual(first, { ...second, name: 'g/g0' });
  assert.deepEqual(first?.config['config'], { strict: 1 });
  assert.deepEqual(said, []);
});

test('a custom guard without an address is refused by the key that is missing', (t) => {
  const text = JSON.stringify(guards({ type: 'integration/guardrail-config/custom', config: { strict: 1 } }));
  const folder = manifestFolder(t, { 'g.yaml': text });
  const result = loadConfiguration({ paths: [folder], environment: {}, kinds: PLUGS, wellKnown: [] });
  assert.ok('faults' in result);
  assert.match(result.faults.map(formatFault).join('\n'), /integrations\[0\]\.config\.url: this key is missing/);
});

test('guards that the reference product dropped load with a warning, whichever place their keys have', (t) => {
  const pangea = { guard_type: 'textGuard', domain: 'd', recipe: 'r', overrides: { a: 'b' } };
  const { configuration, said } = load(
    t,
    guards(
      { type: 'integration/guardrail-config/pangea', auth_data: apiKey, ...pangea },
      { type: 'integration/guardrail-config/promptfoo', auth_data: apiKey, config: { guard_type: 'pii_redaction' } },
    ),
  );
  assert.deepEqual(configuration.guards[0]?.config, pangea);
  assert.equal(said.length, 2, said.join('\n'));
  assert.match(said.join('\n'), /`pangea` are not built[\s\S]*`promptfoo` are not built/);
});

const everybody = [{ subject: 'team:everyone', role_id: 'mcp-server-user' }];

test('an MCP server of the older type custom is a remote one, with the credential that stands in auth', (t) => {
  const auth = { type: 'header', headers: { authorization: 'Bearer k' } };
  const integration = { type: 'integration/mcp-server/custom', name: 's', description: 'd', url: 'https://x/sse' };
  const { configuration, said } = load(t, {
    type: 'provider-account/mcp-server-group',
    name: 'g',
    collaborators: everybody,
    integrations: [{ ...integration, transport: 'sse', auth }],
  });
  assert.deepEqual(configuration.mcpServers, [
    {
      kind: 'remote',
      name: 'g/s',
      description: 'd',
      subjects: ['team:everyone'],
      tags: {},
      url: 'https://x/sse',
      transport: 'sse',
      auth: { type: 'header', headers: { authorization: 'Bearer k' }, perUser: false },
      headers: {},
      tools: [],
    },
  ]);
  assert.deepEqual(said, []);
});

test('the older credential dcr is OAuth of each user, of which the MCP server tells all the rest', (t) => {
  const remote = (name: string, auth_data: object) => ({
    type: 'mcp-server/remote',
    name,
    description: 'd',
    collaborators: everybody,
    url: 'https://x/mcp',
    auth_data,
  });
  const { configuration, said } = load(
    t,
    remote('older', { type: 'dcr' }),
    remote('newer', { type: 'oauth2', grant_type: 'authorization_code' }),
  );
  const [older, newer] = configuration.mcpServers;
  assert.deepEqual(older, { ...newer, name: 'older' });
  assert.deepEqual(said, []);
});
