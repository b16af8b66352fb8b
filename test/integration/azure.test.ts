import assert from 'node:assert/strict';
import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { noOpenssl, selfSigned } from '../support/certificate.ts';
import { fromStream } from '../support/chat-answer.ts';
import { ask, errorOf, messages } from '../support/chat-client.ts';
import { eventually, type GatewayOptions, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type OutsideHosts, type OutsideRequest, outsideHosts } from '../support/outside-hosts.ts';
import { completion, sendJson, startProvider } from '../support/provider.ts';
import { manifestFolder } from '../unit/config/manifest-folder.ts';

const skip = noOpenssl;
const OPENAI = 'res.openai.azure.com';
const FOUNDRY = 'res.services.ai.azure.com';
const LOGIN = 'login.microsoftonline.com';
const fixture = (name: string): string => readFileSync(join(import.meta.dirname, '../fixtures', name), 'utf8');
const KEY_OF_RESOURCE = 'key-of-the-resource-0123456789';
const apiKey = { type: 'api-key', api_key: KEY_OF_RESOURCE };

/** What Azure says of a prompt that its filter refuses. */
const FILTERED = {
  error: {
    message: "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
    type: null,
    param: 'prompt',
    code: 'content_filter',
    status: 400,
    innererror: { code: 'ResponsibleAIPolicyViolation', content_filter_result: { hate: { filtered: true } } },
  },
};

function azure({ host, path, body }: OutsideRequest, response: ServerResponse): void {
  if (host === LOGIN) sendJson(response, 200, { token_type: 'Bearer', expires_in: 3599, access_token: `of ${path}` });
  else if (path.startsWith('/anthropic/')) {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(fixture('anthropic/text.sse'));
  } else if (body.includes('forbidden')) sendJson(response, 400, FILTERED);
  else if (JSON.parse(body).stream) {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(fixture('recorded-chat/azure.sse'));
  } else sendJson(response, 200, completion('from Azure'));
}

async function start(
  t: TestContext,
  options: GatewayOptions,
): Promise<{ gateway: RunningGateway; hosts: OutsideHosts }> {
  const hosts = await outsideHosts(t, [OPENAI, FOUNDRY, LOGIN], azure);
  const gateway = await startGateway({ ...options, server: { upstream: hosts.upstream } });
  t.after(() => gateway[Symbol.asyncDispose]());
  return { gateway, hosts };
}

async function hasToken(gateway: RunningGateway, account: string): Promise<void> {
  await eventually(
    `${account} has a token`,
    async () => (await gateway.metric('sluice_account_token_seconds_left', { account })) > 3000,
  );
}

const openAiModel = (name: string, more: object = {}) => ({
  name,
  type: 'integration/model/azure-openai',
  model_id: 'house-gpt',
  model_types: ['chat'],
  api_version: '2024-10-21',
  ...more,
});
const openAi = (more: object = {}) => ({
  type: 'provider-account/azure-openai',
  name: 'azure',
  auth_data: apiKey,
  azure_endpoint: `https://${OPENAI}/`,
  integrations: [openAiModel('dated')],
  ...more,
});
const foundryModel = (name: string, model_id: string, azure_endpoint: string, more: object = {}) => ({
  name,
  type: 'integration/model/azure-foundry',
  model_id,
  model_types: ['chat'],
  auth_data: apiKey,
  azure_endpoint,
  ...more,
});

test('a deployment is asked with its version or on the v1 path, with the key of its resource, and priced as what it is', {
  skip,
}, async (t) => {
  const integrations = [
    openAiModel('dated', { foundation_model: 'gpt-4o' }),
    openAiModel('v1', { api_version: 'v1' }),
    openAiModel('preview', { api_version: 'preview' }),
  ];
  const { gateway, hosts } = await start(t, { manifests: [openAi({ integrations })] });
  for (const [model, path] of [
    ['dated', '/openai/deployments/house-gpt/chat/completions?api-version=2024-10-21'],
    ['v1', '/openai/v1/chat/completions'],
    ['preview', '/openai/v1/chat/completions?api-version=preview'],
  ]) {
    const answer = await ask(gateway, { model: `azure/${model}`, messages });
    assert.equal(answer.status, 200, await answer.text());
    const sent = hosts.requests.at(-1)!;
    assert.deepEqual(
      [sent.host, sent.path, sent.headers['api-key'], sent.headers.authorization, JSON.parse(sent.body).model],
      [OPENAI, path, KEY_OF_RESOURCE, undefined, 'house-gpt'],
    );
  }
  const records = () => gateway.records({ 'gen_ai.request.model': 'azure/dated' });
  await eventually('the answer is in the log', () => records().length === 1);
  assert.ok(Number(records()[0]?.['sluice.cost.usd']) > 0);
});

test('a stream of Azure passes byte for byte, its event of prompt filter results in front', { skip }, async (t) => {
  const { gateway } = await start(t, { manifests: [openAi()] });
  const request = { model: 'azure/dated', messages, stream: true, stream_options: { include_usage: true } };
  const bytes = await (await ask(gateway, request)).text();
  assert.equal(bytes, fixture('recorded-chat/azure.sse'));
  assert.match(bytes, /^data: \{"choices":\[\],.*"prompt_filter_results"/);
});

test("a prompt that Azure's filter refuses is the client's 400, with the code of the filter", { skip }, async (t) => {
  const { gateway } = await start(t, { manifests: [openAi()] });
  const refused = await ask(gateway, { model: 'azure/dated', messages: [{ role: 'user', content: 'forbidden' }] });
  const error = await errorOf(refused);
  assert.deepEqual([refused.status, error.code, error.param], [400, 'content_filter', 'prompt']);
  assert.match(error.message, /content management policy/);
});

test('models of Foundry are asked by the form that address and model say, each with its own credential', {
  skip,
}, async (t) => {
  const root = `https://${FOUNDRY}`;
  const integrations = [
    foundryModel('gpt', 'gpt-4.1-mini', root),
    foundryModel('grok', 'grok-4-1-fast', `${root}/models`, { api_version: '2024-05-01-preview' }),
    foundryModel('deepseek', 'DeepSeek-V3.1', `${root}/models/chat/completions?api-version=2025-04-01-preview`),
    foundryModel('project', 'Llama-3.3-70B', `${root}/api/projects/p1`),
    foundryModel('claude', 'claude-sonnet-4-5', `${root}/anthropic/`),
    foundryModel('opus', 'house-claude', root, { auth_data: { type: 'api-key', api_key: 'another-key-0123456' } }),
  ];
  const { gateway, hosts } = await start(t, {
    manifests: [{ type: 'provider-account/azure-foundry', name: 'foundry', integrations }],
  });
  const sentFor = async (model: string, more: object = {}) => {
    const answer = await ask(gateway, { model: `foundry/${model}`, messages, ...more });
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    const { path, headers, body } = hosts.requests.at(-1)!;
    return { path, headers, text, body };
  };
  for (const [model, path] of [
    ['gpt', '/openai/v1/chat/completions'],
    ['grok', '/models/chat/completions?api-version=2024-05-01-preview'],
    ['deepseek', '/models/chat/completions?api-version=2025-04-01-preview'],
    ['project', '/openai/v1/chat/completions'],
  ] as const) {
    const sent = await sentFor(model);
    assert.deepEqual([sent.path, sent.headers['api-key']], [path, KEY_OF_RESOURCE]);
  }
  const claude = await sentFor('claude', { stream: true });
  assert.ok(fromStream(Buffer.from(claude.text)).content.length > 0);
  assert.deepEqual(
    [claude.path, claude.headers['x-api-key'], claude.headers['anthropic-version'], JSON.parse(claude.body).model],
    ['/anthropic/v1/messages', KEY_OF_RESOURCE, '2023-06-01', 'claude-sonnet-4-5'],
  );
  assert.equal((await sentFor('opus', { stream: true })).headers['x-api-key'], 'another-key-0123456');
});

test('each identity of Entra ID gets its token: by secret, certificate, workload file and platform, none in the log', {
  skip,
}, async (t) => {
  const { key, cert } = await selfSigned(t, 'DNS:gateway.test');
  const federated = join(manifestFolder(t), 'federated-token');
  await writeFile(federated, 'token-of-the-pod\n');
  const platform = await startProvider((_request, response) => {
    sendJson(response, 200, {
      access_token: 'of the platform',
      expires_on: String(Math.floor(Date.now() / 1000) + 3600),
    });
  });
  t.after(() => platform.close());
  const application = { tenant_id: 'tenant-1', client_id: 'client-1' };
  const secret = 'secret-of-the-application';
  const accounts = {
    secret: { type: 'client-secret', ...application, client_secret: secret },
    certificate: { type: 'certificate', ...application, certificate: `${cert}\n${key}`, certificate_thumbprint: null },
    workload: { type: 'workload-identity', ...application },
    managed: { type: 'managed-identity', client_id: 'client-of-identity' },
  };
  const { gateway, hosts } = await start(t, {
    environment: {
      AZURE_FEDERATED_TOKEN_FILE: federated,
      IDENTITY_ENDPOINT: `${platform.origin}/msi/token`,
      IDENTITY_HEADER: 'header-of-the-platform',
    },
    manifests: Object.entries(accounts).map(([name, auth_data]) => openAi({ name, auth_data })),
  });
  for (const name of Object.keys(accounts)) {
    await hasToken(gateway, name);
    const answer = await ask(gateway, { model: `${name}/dated`, messages });
    assert.equal(answer.status, 200, await answer.text());
    const { headers } = hosts.requests.at(-1)!;
    const token = name === 'managed' ? 'of the platform' : 'of /tenant-1/oauth2/v2.0/token';
    assert.deepEqual([headers.authorization, headers['api-key']], [`Bearer ${token}`, undefined]);
  }
  const grants = hosts.to(LOGIN).map(({ body }) => Object.fromEntries(new URLSearchParams(body)));
  assert.equal(grants.length, 3);
  for (const grant of grants) {
    assert.deepEqual(
      [grant['grant_type'], grant['client_id'], grant['scope']],
      ['client_credentials', 'client-1', 'https://cognitiveservices.azure.com/.default'],
    );
  }
  assert.ok(grants.some((grant) => grant['client_secret'] === secret));
  assert.ok(grants.some((grant) => grant['client_assertion'] === 'token-of-the-pod'));
  const signed = grants.map((grant) => grant['client_assertion'] ?? '').find((assertion) => assertion.includes('.'))!;
  const { x5t } = decodeProtectedHeader(signed);
  assert.equal(x5t, createHash('sha1').update(new X509Certificate(cert).raw).digest('base64url'));
  const audience = `https://${LOGIN}/tenant-1/oauth2/v2.0/token`;
  const { payload } = await jwtVerify(signed, createPublicKey(cert), { audience, issuer: 'client-1' });
  assert.equal(payload.sub, 'client-1');
  const [asked] = platform.requests;
  const query = new URL(asked!.path, platform.origin).searchParams;
  assert.deepEqual(
    [query.get('resource'), query.get('client_id'), asked?.headers['x-identity-header']],
    ['https://cognitiveservices.azure.com', 'client-of-identity', 'header-of-the-platform'],
  );
  for (const word of [secret, 'token-of-the-pod', 'PRIVATE KEY', 'header-of-the-platform']) {
    assert.ok(!gateway.output().includes(word), word);
  }
});

test('Claude on Foundry asks for a token of Foundry, and a virtual machine asks its metadata service', {
  skip,
}, async (t) => {
  const machine = await startProvider((_request, response) => {
    sendJson(response, 200, { access_token: 'of the machine', expires_in: '86399' });
  });
  t.after(() => machine.close());
  const auth_data = { type: 'managed-identity' };
  const integrations = [foundryModel('claude', 'claude-sonnet-4-5', `https://${FOUNDRY}`, { auth_data })];
  const { gateway, hosts } = await start(t, {
    environment: { AZURE_POD_IDENTITY_AUTHORITY_HOST: machine.origin },
    manifests: [{ type: 'provider-account/azure-foundry', name: 'foundry', integrations }],
  });
  await hasToken(gateway, 'foundry');
  const answer = await ask(gateway, { model: 'foundry/claude', messages, stream: true });
  assert.equal(answer.status, 200, await answer.text());
  assert.equal(hosts.requests.at(-1)?.headers.authorization, 'Bearer of the machine');
  const [asked] = machine.requests;
  assert.deepEqual(
    [new URL(asked!.path, machine.origin).searchParams.get('resource'), asked?.headers['metadata']],
    ['https://ai.azure.com', 'true'],
  );
});
