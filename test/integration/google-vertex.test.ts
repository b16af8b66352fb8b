import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { decodeJwt } from 'jose';
import { noOpenssl } from '../support/certificate.ts';
import { fromStream, fromWhole } from '../support/chat-answer.ts';
import { ask, errorOf, messages } from '../support/chat-client.ts';
import { eventually, type GatewayOptions, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type OutsideHosts, type OutsideRequest, outsideHosts } from '../support/outside-hosts.ts';
import { completion, sendJson, startProvider } from '../support/provider.ts';
import { manifestFolder } from '../unit/config/manifest-folder.ts';

const HOSTS = [
  'oauth2.googleapis.com',
  'sts.googleapis.com',
  'iamcredentials.googleapis.com',
  'aiplatform.googleapis.com',
  'us-central1-aiplatform.googleapis.com',
  'aiplatform.eu.rep.googleapis.com',
];
const fixture = (name: string): string => readFileSync(join(import.meta.dirname, '../fixtures', name), 'utf8');
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const keyFile = {
  type: 'service_account',
  project_id: 'p-1',
  private_key_id: 'kid',
  private_key: privatePem,
  client_email: 'gateway@p-1.iam.gserviceaccount.com',
  token_uri: 'https://oauth2.googleapis.com/token',
};
const vertexModel = (name: string, model_id: string, more: object = {}) => ({
  name,
  type: 'integration/model/vertex',
  model_id,
  model_types: ['chat'],
  ...more,
});
const account = (more: object) => ({
  type: 'provider-account/google-vertex',
  name: 'vertex',
  project_id: 'p-1',
  region: 'us-central1',
  auth_data: { type: 'key-file', key_file_content: keyFile },
  integrations: [],
  ...more,
});

/** What Google answers: tokens, and the recorded answers of each form. */
function google(request: OutsideRequest, response: ServerResponse): void {
  const { path, body } = request;
  if (path === '/token')
    sendJson(response, 200, { access_token: 'ya29.of-the-key', expires_in: 3600, token_type: 'Bearer' });
  else if (path === '/v1/token') {
    sendJson(response, 200, { access_token: 'ya29.federated', expires_in: 3600, token_type: 'Bearer' });
  } else if (path.endsWith(':generateAccessToken')) {
    const expireTime = new Date(Date.now() + 3_600_000).toISOString();
    sendJson(response, 200, { accessToken: 'ya29.impersonated', expireTime });
  } else if (path.endsWith('?alt=sse')) sendEvents(response, fixture('gemini/text.sse'));
  else if (path.endsWith(':generateContent')) {
    response.writeHead(200, { 'content-type': 'application/json; charset=UTF-8' }).end(fixture('gemini/tools.json'));
  } else if (path.endsWith('claude-sonnet-4-5@20250929:streamRawPredict')) {
    sendEvents(response, fixture('anthropic/thinking.sse'));
  } else if (path.endsWith('claude-sonnet-4-5@20250929:rawPredict')) {
    response.writeHead(200, { 'content-type': 'application/json' }).end(fixture('anthropic/tools.json'));
  } else if (path.endsWith('mistral-small-2503:streamRawPredict')) {
    sendEvents(response, fixture('recorded-chat/mistral.sse'));
  } else if (path.endsWith('/endpoints/openapi/chat/completions')) {
    if (JSON.parse(body).stream) sendEvents(response, fixture('recorded-chat/openai.sse'));
    else sendJson(response, 200, completion('of an open model'));
  } else sendJson(response, 404, [{ error: { code: 404, message: `no script for ${path}`, status: 'NOT_FOUND' } }]);
}

function sendEvents(response: ServerResponse, events: string): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' }).end(events);
}

async function start(
  t: TestContext,
  options: GatewayOptions,
  answer = google,
): Promise<{ gateway: RunningGateway; hosts: OutsideHosts }> {
  const hosts = await outsideHosts(t, HOSTS, answer);
  const { upstream } = hosts;
  const gateway = await startGateway({ ...options, server: { upstream, ...options.server } });
  t.after(() => gateway[Symbol.asyncDispose]());
  return { gateway, hosts };
}

async function hasToken(gateway: RunningGateway, name = 'vertex'): Promise<void> {
  await eventually(
    'the account has a token',
    async () => (await gateway.metric('sluice_account_token_seconds_left', { account: name })) > 3000,
  );
}

const skip = noOpenssl;

test('with a key file Gemini, Claude, Mistral and open models are asked on Vertex, each in its own form and place', {
  skip,
}, async (t) => {
  const integrations = [
    vertexModel('flash', 'gemini-2.5-flash'),
    vertexModel('global', 'google/gemini-2.5-flash', { region: 'global' }),
    vertexModel('europe', 'publishers/google/models/gemini-2.5-flash', { region: 'eu' }),
    vertexModel('tuned', '1234567890'),
    vertexModel('claude', 'claude-sonnet-4-5@20250929'),
    vertexModel('mistral', 'mistralai/mistral-small-2503'),
    vertexModel('llama', 'meta/llama-3.3-70b-instruct-maas'),
    vertexModel('gemma', 'gemma-4-26b-a4b-it-maas'),
  ];
  const { gateway, hosts } = await start(t, { manifests: [account({ integrations })] });
  await hasToken(gateway);
  const [grant] = hosts.to('oauth2.googleapis.com');
  const assertion = decodeJwt(new URLSearchParams(grant!.body).get('assertion') ?? '');
  assert.deepEqual(
    [assertion.iss, assertion['scope']],
    [keyFile.client_email, 'https://www.googleapis.com/auth/cloud-platform'],
  );

  const chat = async (model: string, more: object = {}) => {
    const answer = await ask(gateway, { model: `vertex/${model}`, messages, ...more });
    const bytes = Buffer.from(await answer.arrayBuffer());
    assert.equal(answer.status, 200, bytes.toString());
    return { bytes, sent: hosts.requests.at(-1)! };
  };
  const within = '/v1/projects/p-1/locations/us-central1';

  const streamed = await chat('flash', { stream: true });
  assert.match(fromStream(streamed.bytes).content, /^1, 2, /);
  const whole = await chat('flash');
  assert.ok(fromWhole(whole.bytes).toolCalls.length > 0);
  assert.deepEqual(
    [streamed.sent.path, whole.sent.path, whole.sent.host, whole.sent.headers.authorization],
    [
      `${within}/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse`,
      `${within}/publishers/google/models/gemini-2.5-flash:generateContent`,
      'us-central1-aiplatform.googleapis.com',
      'Bearer ya29.of-the-key',
    ],
  );
  const global = (await chat('global')).sent;
  assert.deepEqual(
    [global.host, global.path],
    [
      'aiplatform.googleapis.com',
      '/v1/projects/p-1/locations/global/publishers/google/models/gemini-2.5-flash:generateContent',
    ],
  );
  const europe = (await chat('europe')).sent;
  assert.deepEqual([europe.host, europe.path.includes('/locations/eu/')], ['aiplatform.eu.rep.googleapis.com', true]);
  assert.equal((await chat('tuned')).sent.path, `${within}/endpoints/1234567890:generateContent`);

  const claude = await chat('claude', { stream: true, max_tokens: 9 });
  assert.ok(fromStream(claude.bytes).reasoning.length > 0);
  assert.equal(claude.sent.path, `${within}/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict`);
  const { anthropic_version: version, model, max_tokens: limit, stream } = JSON.parse(claude.sent.body);
  assert.deepEqual([version, model, limit, stream], ['vertex-2023-10-16', undefined, 9, true]);
  assert.equal(claude.sent.headers['anthropic-version'], undefined);
  assert.ok(fromWhole((await chat('claude')).bytes).toolCalls.length > 0);

  const mistral = await chat('mistral', { stream: true });
  assert.equal(mistral.bytes.toString(), fixture('recorded-chat/mistral.sse'));
  assert.equal(mistral.sent.path, `${within}/publishers/mistralai/models/mistral-small-2503:streamRawPredict`);
  assert.deepEqual(
    [JSON.parse(mistral.sent.body).model, JSON.parse(mistral.sent.body).stream_options],
    ['mistral-small-2503', undefined],
  );

  const open = await chat('llama', { stream: true, stream_options: { include_usage: true } });
  assert.equal(open.bytes.toString(), fixture('recorded-chat/openai.sse'));
  assert.equal(open.sent.path, `${within}/endpoints/openapi/chat/completions`);
  assert.equal(JSON.parse(open.sent.body).model, 'meta/llama-3.3-70b-instruct-maas');
  assert.equal(JSON.parse((await chat('gemma')).sent.body).model, 'google/gemma-4-26b-a4b-it-maas');
  const records = () => gateway.records({ 'gen_ai.request.model': 'vertex/claude' });
  await eventually('its answers are in the log', () => records().length === 2);
  for (const record of records()) assert.ok(Number(record['sluice.cost.usd']) > 0, JSON.stringify(record));
});

test('an account of Vertex without integrations passes on any id, and each finds its form', { skip }, async (t) => {
  const { gateway, hosts } = await start(t, { manifests: [account({})] });
  await hasToken(gateway);
  for (const [model, path] of [
    ['gemini-2.5-flash', '/publishers/google/models/gemini-2.5-flash:generateContent'],
    ['claude-sonnet-4-5@20250929', '/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict'],
    ['meta/llama-4-scout-17b-16e-instruct-maas', '/endpoints/openapi/chat/completions'],
  ]) {
    const answer = await ask(gateway, { model: `vertex/${model}`, messages });
    assert.equal(answer.status, 200, await answer.text());
    assert.equal(hosts.requests.at(-1)?.path, `/v1/projects/p-1/locations/us-central1${path}`);
  }
});

test('with an API key alone models are asked in express mode, without project and place', { skip }, async (t) => {
  const { gateway, hosts } = await start(t, {
    manifests: [
      {
        type: 'provider-account/google-vertex',
        name: 'express',
        auth_data: { type: 'api-key', api_key: 'AIza-of-the-express-mode' },
      },
    ],
  });
  const answer = await ask(gateway, { model: 'express/gemini-2.5-flash', messages });
  assert.equal(answer.status, 200, await answer.text());
  const [sent] = hosts.requests;
  assert.deepEqual(
    [sent?.host, sent?.path, sent?.headers['x-goog-api-key'], sent?.headers.authorization],
    [
      'aiplatform.googleapis.com',
      '/v1/publishers/google/models/gemini-2.5-flash:generateContent',
      'AIza-of-the-express-mode',
      undefined,
    ],
  );
});

test('a workload identity federation exchanges its token, an ambient file and an impersonation are taken, all on the configured way', {
  skip,
}, async (t) => {
  const folder = manifestFolder(t);
  const subject = join(folder, 'subject-token');
  const ambient = join(folder, 'ambient.json');
  const federation = {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/p',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: 'https://sts.googleapis.com/v1/token',
    credential_source: { file: subject },
  };
  const impersonation = {
    type: 'impersonated_service_account',
    service_account_impersonation_url:
      'https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/other@p-1.iam.gserviceaccount.com:generateAccessToken',
    source_credentials: { type: 'authorized_user', client_id: 'c', client_secret: 's', refresh_token: '1//r' },
  };
  await writeFile(subject, 'token-of-the-workload');
  await writeFile(ambient, JSON.stringify({ ...keyFile, quota_project_id: 'p-quota' }));
  const { gateway, hosts } = await start(t, {
    environment: { GOOGLE_APPLICATION_CREDENTIALS: ambient },
    manifests: [
      account({
        name: 'federated',
        auth_data: { type: 'workload-identity-federation-file', key_file_content: JSON.stringify(federation) },
      }),
      account({ name: 'ambient', auth_data: null }),
      account({ name: 'impersonating', auth_data: { type: 'key-file', key_file_content: impersonation } }),
    ],
  });
  await hasToken(gateway, 'federated');
  await hasToken(gateway, 'ambient');
  await hasToken(gateway, 'impersonating');
  const [exchange] = hosts.to('sts.googleapis.com');
  assert.equal(new URLSearchParams(exchange!.body).get('subject_token'), 'token-of-the-workload');
  for (const [name, token, project] of [
    ['federated', 'Bearer ya29.federated', undefined],
    ['ambient', 'Bearer ya29.of-the-key', 'p-quota'],
    ['impersonating', 'Bearer ya29.impersonated', undefined],
  ]) {
    assert.equal((await ask(gateway, { model: `${name}/gemini-2.5-flash`, messages })).status, 200);
    const { headers } = hosts.requests.at(-1)!;
    assert.deepEqual([headers.authorization, headers['x-goog-user-project']], [token, project]);
  }
});

test('on a machine of Google the token is that of its metadata server, which no proxy is asked for', {
  skip,
}, async (t) => {
  const metadata = await startProvider((_request, response) => {
    sendJson(response, 200, { access_token: 'ya29.of-the-machine', expires_in: 3599 }, { 'metadata-flavor': 'Google' });
  });
  t.after(() => metadata.close());
  const { gateway, hosts } = await start(t, {
    environment: { GCE_METADATA_HOST: new URL(metadata.origin).host, CLOUDSDK_CONFIG: '/nowhere' },
    manifests: [account({ auth_data: null })],
  });
  await hasToken(gateway);
  const [asked] = metadata.requests;
  assert.deepEqual(
    [asked?.path, asked?.headers['metadata-flavor']],
    ['/computeMetadata/v1/instance/service-accounts/default/token', 'Google'],
  );
  assert.equal((await ask(gateway, { model: 'vertex/gemini-2.5-flash', messages })).status, 200);
  assert.equal(hosts.requests.at(-1)?.headers.authorization, 'Bearer ya29.of-the-machine');
});

test('a refused key file is said in the log without the key, and requests are refused until a token comes', {
  skip,
}, async (t) => {
  let refuses = true;
  const { gateway } = await start(t, { manifests: [account({})] }, (request, response) => {
    if (refuses && request.path === '/token') {
      sendJson(response, 400, { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' });
    } else google(request, response);
  });
  const refused = await ask(gateway, { model: 'vertex/gemini-2.5-flash', messages });
  assert.deepEqual([refused.status, (await errorOf(refused)).code], [503, 'account_token_missing']);
  await eventually('it is in the log', () => /no valid token.*|invalid_grant/.test(gateway.output()));
  assert.ok(gateway.output().includes('invalid_grant'));
  assert.ok(!gateway.output().includes('PRIVATE KEY'));
  refuses = false;
  await hasToken(gateway);
  assert.equal((await ask(gateway, { model: 'vertex/gemini-2.5-flash', messages })).status, 200);
});
