import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, verify } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { jwtVerify } from 'jose';
import { noOpenssl } from '../support/certificate.ts';
import { ask, messages } from '../support/chat-client.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type OutsideHosts, type OutsideRequest, outsideHosts } from '../support/outside-hosts.ts';
import { completion, sendJson } from '../support/provider.ts';

const skip = noOpenssl;
const WORKSPACE = 'dbc-1.cloud.databricks.com';
const SNOWFLAKE = 'my-org-house.snowflakecomputing.com';
const LOGIN = 'login.example.com';
const CDP = 'api.us-west-1.cdp.cloudera.com';
const MODELS = 'ml-1.cloudera.site';

function answer({ path }: OutsideRequest, response: ServerResponse): void {
  if (path === '/oidc/v1/token') sendJson(response, 200, { access_token: 'of-databricks', expires_in: 3600 });
  else if (path === '/oauth/token') sendJson(response, 200, { access_token: 'of-the-client', expires_in: 3600 });
  else if (path === '/oauth/token-request') sendJson(response, 200, { access_token: 'of-the-user', expires_in: 3600 });
  else if (path.endsWith('generateWorkloadAuthToken')) {
    sendJson(response, 200, { token: 'of-cloudera', expireAt: new Date(Date.now() + 3_600_000).toISOString() });
  } else sendJson(response, 200, completion('hello'));
}

async function start(t: TestContext, manifests: object[]): Promise<{ gateway: RunningGateway; hosts: OutsideHosts }> {
  const hosts = await outsideHosts(t, [WORKSPACE, SNOWFLAKE, LOGIN, CDP, MODELS], answer);
  const gateway = await startGateway({ manifests, server: { upstream: hosts.upstream } });
  t.after(() => gateway[Symbol.asyncDispose]());
  return { gateway, hosts };
}

/** Once it has its token, if it needs any: what reached the provider. */
async function sentBy(gateway: RunningGateway, hosts: OutsideHosts, model: string): Promise<OutsideRequest> {
  await eventually(`${model} answers`, async () => (await ask(gateway, { model, messages })).status === 200);
  return hosts.requests.at(-1)!;
}

const integration = (kind: string, name: string, model_id: string, more: object = {}) => ({
  name,
  type: `integration/model/${kind}`,
  model_id,
  model_types: ['chat'],
  ...more,
});

test('Databricks is asked at the endpoints of a workspace, by a token of a person or of a service principal', {
  skip,
}, async (t) => {
  const account = (name: string, auth_data: object) => ({
    type: 'provider-account/databricks',
    name,
    base_url: `https://${WORKSPACE}`,
    auth_data,
    integrations: [
      integration('databricks', 'endpoint', 'databricks-claude-sonnet-4-5'),
      integration('databricks', 'catalog', 'system.ai.llama'),
    ],
  });
  const { gateway, hosts } = await start(t, [
    account('pat', { type: 'api-key', api_key: 'dapi-0123456789' }),
    account('m2m', { type: 'service-principal', client_id: 'client-1', oauth_secret: 'dose-secret' }),
  ]);
  const pat = await sentBy(gateway, hosts, 'pat/endpoint');
  assert.deepEqual(
    [pat.path, pat.headers.authorization, JSON.parse(pat.body).model],
    ['/serving-endpoints/chat/completions', 'Bearer dapi-0123456789', 'databricks-claude-sonnet-4-5'],
  );
  const m2m = await sentBy(gateway, hosts, 'm2m/catalog');
  assert.deepEqual(
    [m2m.path, m2m.headers.authorization],
    ['/ai-gateway/mlflow/v1/chat/completions', 'Bearer of-databricks'],
  );
  const grant = hosts.requests.find(({ path }) => path === '/oidc/v1/token')!;
  assert.equal(grant.headers.authorization, `Basic ${Buffer.from('client-1:dose-secret').toString('base64')}`);
  assert.deepEqual(Object.fromEntries(new URLSearchParams(grant.body)), {
    grant_type: 'client_credentials',
    scope: 'all-apis',
  });
});

test('Snowflake is asked with an access token, a token signed with a key pair, or one of OAuth, and told which', {
  skip,
}, async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const account = (name: string, auth_data: object) => ({
    type: 'provider-account/snowflake-cortex',
    name,
    account_identifier: 'my_org-house',
    auth_data,
    integrations: [integration('snowflake-cortex', 'claude', 'claude-sonnet-4-5')],
  });
  const client = { type: 'oauth', client_id: 'client-1', client_secret: 'secret-of-client' };
  const { gateway, hosts } = await start(t, [
    account('pat', { type: 'pat-token', pat_token: 'pat-0123456789' }),
    account('pair', { type: 'key-pair', user: 'gateway', private_key: pem.replaceAll('\n', '\\n') }),
    account('user', { ...client, refresh_token: 'refresh-0123456' }),
    account('client', { ...client, token_url: `https://${LOGIN}/oauth/token`, scope: 'session:role:ANALYST' }),
  ]);
  const told = async (name: string) => {
    const { host, path, headers } = await sentBy(gateway, hosts, `${name}/claude`);
    assert.deepEqual([host, path], [SNOWFLAKE, '/api/v2/cortex/v1/chat/completions']);
    return [headers.authorization, headers['x-snowflake-authorization-token-type']];
  };
  assert.deepEqual(await told('pat'), ['Bearer pat-0123456789', 'PROGRAMMATIC_ACCESS_TOKEN']);
  const [bearer = '', type] = await told('pair');
  assert.equal(type, 'KEYPAIR_JWT');
  const { payload } = await jwtVerify(String(bearer).slice('Bearer '.length), publicKey);
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const fingerprint = createHash('sha256').update(der).digest('base64');
  assert.deepEqual([payload.sub, payload.iss], ['MY_ORG-HOUSE.GATEWAY', `MY_ORG-HOUSE.GATEWAY.SHA256:${fingerprint}`]);
  assert.deepEqual(await told('user'), ['Bearer of-the-user', 'OAUTH']);
  assert.deepEqual(await told('client'), ['Bearer of-the-client', 'OAUTH']);
  const form = (path: string) => new URLSearchParams(hosts.requests.find((request) => request.path === path)!.body);
  assert.equal(form('/oauth/token-request').get('refresh_token'), 'refresh-0123456');
  assert.equal(form('/oauth/token').get('scope'), 'session:role:ANALYST');
});

test('Cloudera is asked with a token, or with one that its control plane gives for a signed request', {
  skip,
}, async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const seed = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url').toString('base64');
  const base_url = `https://${MODELS}/namespaces/serving/endpoints/llama/v1`;
  const account = (name: string, auth_data: object) => ({
    type: 'provider-account/cloudera',
    name,
    auth_data,
    integrations: [integration('cloudera', 'llama', 'meta/llama-3.1-8b-instruct', { base_url })],
  });
  const { gateway, hosts } = await start(t, [
    account('made', { type: 'token', api_token: 'made-before-0123' }),
    account('asked', {
      type: 'workload-auth-token',
      cdp_base_url: `https://${CDP}`,
      access_key_id: 'access-key-1',
      private_key: seed,
      workload_name: 'DE',
    }),
  ]);
  const made = await sentBy(gateway, hosts, 'made/llama');
  assert.deepEqual(
    [made.path, made.headers.authorization],
    ['/namespaces/serving/endpoints/llama/v1/chat/completions', 'Bearer made-before-0123'],
  );
  assert.equal((await sentBy(gateway, hosts, 'asked/llama')).headers.authorization, 'Bearer of-cloudera');
  const [request] = hosts.to(CDP);
  assert.deepEqual([request?.path, request?.body], ['/api/v1/iam/generateWorkloadAuthToken', '{"workloadName":"DE"}']);
  const [head = '', signature = ''] = String(request?.headers['x-altus-auth']).split('.');
  assert.deepEqual(JSON.parse(Buffer.from(head, 'base64url').toString()), {
    access_key_id: 'access-key-1',
    auth_method: 'ed25519v1',
  });
  const date = String(request?.headers['x-altus-date']);
  const signed = `POST\napplication/json\n${date}\n/api/v1/iam/generateWorkloadAuthToken\ned25519v1`;
  assert.ok(verify(null, Buffer.from(signed), publicKey, Buffer.from(signature, 'base64url')));
});
