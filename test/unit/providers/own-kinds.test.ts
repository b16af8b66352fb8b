import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { AccountToken } from '../../../src/core/account-token.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { plug as cloudera } from '../../../src/providers/cloudera/index.ts';
import { plug as databricks } from '../../../src/providers/databricks/index.ts';
import type { ProviderPlug, Target } from '../../../src/providers/provider.ts';
import { plug as snowflake } from '../../../src/providers/snowflake-cortex/index.ts';
import { type Answer, type FakeProvider, sendJson, startProvider } from '../../support/provider.ts';
import { loadText } from '../config/manifest-folder.ts';

const workspaces: FakeProvider[] = [];
after(() => Promise.all(workspaces.map((each) => each.close())));

async function workspace(answer: Answer): Promise<FakeProvider> {
  const started = await startProvider(answer);
  workspaces.push(started);
  return started;
}

/** Where a target's chats go, and with which headers. */
function chatOf(target: Target | undefined) {
  const mount = target?.mounts.get('chat')?.[0];
  assert.ok(target && mount);
  const { origin } = mount.connection;
  const path = mount.path(target, { stream: false });
  const signed = mount.credential.sign({ method: 'POST', origin, path, headers: [], body: undefined });
  return { url: origin + path, headers: signed instanceof GatewayError ? signed : [...mount.headers, ...signed] };
}

function open(plug: ProviderPlug, manifest: object, tokens = new Map<string, AccountToken>()) {
  return plug.open(plug.schema.parse({ type: plug.type, name: 'a', ...manifest }), tokens);
}

function faults(plug: ProviderPlug, manifest: object): string[] {
  const source = JSON.stringify({ type: plug.type, name: 'a', ...manifest });
  return loadText({ after: () => {} } as never, source, {}, { kinds: [plug] }).faults;
}

const principal = { type: 'service-principal', client_id: 'the-client', oauth_secret: 'the-secret' };

test('a Databricks account asks the serving endpoints of its workspace, however its address was written', () => {
  for (const base_url of ['https://dbc.example', 'https://dbc.example/', 'https://dbc.example/serving-endpoints']) {
    const account = open(databricks, { base_url, auth_data: { type: 'api-key', api_key: 'dapi' } });
    assert.deepEqual(chatOf(account.target('m')), {
      url: 'https://dbc.example/serving-endpoints/chat/completions',
      headers: ['authorization', 'Bearer dapi'],
    });
  }
});

test('a Databricks service principal gets its token from its workspace, and sends it with every request', async () => {
  const { origin, requests } = await workspace((_, response) => {
    sendJson(response, 200, { access_token: 'the-token', token_type: 'Bearer', expires_in: 3600 });
  });
  const manifest = { base_url: origin, auth_data: principal };
  const checked = databricks.schema.parse({ type: databricks.type, name: 'a', ...manifest });
  const [source, ...others] = databricks.tokenSources!(checked);
  assert.ok(source && others.length === 0);
  assert.doesNotMatch(source.id, /the-secret/);
  const before = Date.now();
  const { values, expiresAtMs } = await source.fetch(new AbortController().signal);
  assert.deepEqual(values, { token: 'the-token' });
  assert.ok(expiresAtMs >= before + 3_600_000 && expiresAtMs <= Date.now() + 3_600_000);
  const [request] = requests;
  assert.equal(request?.path, '/oidc/v1/token');
  assert.equal(request?.body.toString(), 'grant_type=client_credentials&scope=all-apis');
  const basic = Buffer.from('the-client:the-secret').toString('base64');
  assert.equal(request?.headers.authorization, `Basic ${basic}`);

  const tokens = new Map([[source.id, { id: source.id, values, expiresAtMs }]]);
  assert.deepEqual(chatOf(open(databricks, manifest, tokens).target('m')).headers, [
    'authorization',
    'Bearer the-token',
  ]);
  const without = chatOf(open(databricks, manifest).target('m')).headers;
  assert.ok(without instanceof GatewayError);
  assert.equal(without.code, 'account_token_missing');
});

test('a Databricks workspace that gives no token is told in words without secret and answer', async () => {
  const answers: Answer[] = [
    (_, response) => sendJson(response, 401, { error_description: 'the-secret is wrong' }),
    (_, response) => sendJson(response, 200, { access_token: '', expires_in: 3600 }),
    (_, response) => response.end('the-secret'),
    (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
  ];
  for (const answer of answers) {
    const { origin } = await workspace(answer);
    const checked = databricks.schema.parse({
      type: databricks.type,
      name: 'a',
      base_url: origin,
      auth_data: principal,
    });
    const [source] = databricks.tokenSources!(checked);
    await assert.rejects(source!.fetch(new AbortController().signal), (error: Error) => {
      assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /the-secret/);
      return true;
    });
  }
});

test('a Snowflake account asks the host of its identifier, and says what kind of token it has', () => {
  const auth_data = { type: 'pat-token', pat_token: 'pat' };
  const account = open(snowflake, { account_identifier: 'my_org-account', auth_data });
  assert.deepEqual(chatOf(account.target('m')), {
    url: 'https://my-org-account.snowflakecomputing.com/api/v2/cortex/v1/chat/completions',
    headers: ['x-snowflake-authorization-token-type', 'PROGRAMMATIC_ACCESS_TOKEN', 'authorization', 'Bearer pat'],
  });
  for (const account_identifier of ['https://x.snowflakecomputing.com', 'x/y', '']) {
    assert.equal(faults(snowflake, { account_identifier, auth_data }).length, 1, account_identifier);
  }
});

test('every Cloudera model has its own address, with the token of the account', () => {
  const model = { type: 'integration/model/cloudera', name: 'm', model_id: 'llama', model_types: ['chat'] };
  const integrations = [{ ...model, base_url: 'https://ml.example/llama/v1' }];
  const account = open(cloudera, { auth_data: { type: 'token', api_token: 't' }, integrations });
  assert.deepEqual(chatOf(account.target('m')), {
    url: 'https://ml.example/llama/v1/chat/completions',
    headers: ['authorization', 'Bearer t'],
  });
  assert.equal(account.target('llama'), undefined);
});

test('a Cloudera account whose tokens are asked with a signature is refused by that name', () => {
  const auth_data = {
    type: 'workload-auth-token',
    cdp_base_url: 'https://cdp.example',
    access_key_id: 'a',
    private_key: 'k',
    workload_name: 'w',
  };
  const [first = ''] = faults(cloudera, { auth_data, integrations: [] });
  assert.match(first, /auth_data\.type: .*is not supported yet/);
});
