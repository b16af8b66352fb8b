import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import { plug as anthropic } from '../../../src/providers/anthropic/index.ts';
import { plug as ollama } from '../../../src/providers/ollama/index.ts';
import { plug as openai } from '../../../src/providers/openai/index.ts';
import type { ProviderPlug, Target } from '../../../src/providers/provider.ts';
import { plug as selfHosted } from '../../../src/providers/self-hosted-model/index.ts';
import { configurationOf, loadText } from '../config/manifest-folder.ts';

/** A certificate of nobody: only its form matters. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBgjCCASmgAwIBAgIUMh0JvpjHME9Wg8Dp4Tuq23v8adIwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLc2x1aWNlLXRlc3QwIBcNMjYxMTIyMTQwNTMzWhgPMjEyNjEw
MjkxNDA1MzNaMBYxFDASBgNVBAMMC3NsdWljZS10ZXN0MFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAERHhCyC4/ERvgJETiLJ2bYh3BDJHGZojGDT6zCgFFXS4PHsIv
knRHf3RXBqO5z4l3FKfqAdbqspdze070EyfseqNTMFEwHQYDVR0OBBYEFFcv2y2P
UQl3R1HZSxgvI2hJYyMJMB8GA1UdIwQYMBaAFFcv2y2PUQl3R1HZSxgvI2hJYyMJ
MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgQfxpJziP2bnTYJZD
IByQiqV/8cHU5o0v1OBW/xYT8BUCIGYO/JcYc1k3nV/yxDYBXu3G6CjYU8zIxaF5
V1Kg9gIs
-----END CERTIFICATE-----
`;

const plugs = [openai, anthropic, ollama, selfHosted];

/** As the gateway does it: through the configuration, as plain data, into the plug. */
function open(plug: ProviderPlug, manifest: object) {
  const loaded = loadText({ after: () => {} } as never, JSON.stringify(manifest), {}, { kinds: plugs });
  const [account] = configurationOf(loaded).accounts;
  assert.ok(account);
  return plug.open(structuredClone(account), new Map());
}

function faults(manifest: object): string[] {
  return loadText({ after: () => {} } as never, JSON.stringify(manifest), {}, { kinds: plugs }).faults;
}

/** Where a model's mount for chats sends a request, and with which headers of the account. */
function reached(target: Target | undefined) {
  assert.ok(target);
  const { mounts } = target;
  const [mount, ...others] = mounts.get('chat') ?? mounts.get('messages') ?? [];
  assert.ok(mount);
  assert.deepEqual(others, []);
  const { connection, credential } = mount;
  const path = mount.path(target, { stream: true });
  const { origin } = connection;
  const signed = credential.sign({ method: 'POST', origin, path, headers: [], body: undefined });
  assert.ok(!(signed instanceof GatewayError));
  return { connection, url: origin + path, headers: [...mount.headers, ...signed] };
}

const key = { type: 'api-key', api_key: 'sk-1' };

test('an account without integrations passes on any model id', () => {
  const account = open(openai, { type: openai.type, name: 'main', auth_data: key });
  assert.deepEqual(account.listed, []);
  const target = account.target('ft:gpt-4o:acme/x');
  assert.equal(target?.id, 'main/ft:gpt-4o:acme/x');
  assert.equal(target?.modelId, 'ft:gpt-4o:acme/x');
  assert.equal(target?.provider, 'openai');
  assert.equal(reached(target).url, 'https://api.openai.com/v1/chat/completions');
  assert.deepEqual(reached(target).headers, ['authorization', 'Bearer sk-1']);
  assert.equal(target?.modelTypes, undefined);
});

test('an account with integrations has those and no other', () => {
  const account = open(openai, {
    type: openai.type,
    name: 'main',
    base_url: 'http://localhost:8080/openai/v1/',
    discount_percent: 10,
    integrations: [
      {
        type: 'integration/model/openai',
        name: 'fast',
        model_id: 'gpt-4o-mini',
        model_types: ['chat'],
        cost: { metric: 'public_cost' },
      },
    ],
  });
  const target = account.target('fast');
  assert.equal(target, account.listed[0]);
  assert.equal(target?.id, 'main/fast');
  assert.equal(target?.modelId, 'gpt-4o-mini');
  assert.equal(reached(target).url, 'http://localhost:8080/openai/v1/chat/completions');
  assert.deepEqual(reached(target).headers, []);
  assert.deepEqual(target?.modelTypes, ['chat']);
  assert.partialDeepStrictEqual(target?.price, {
    catalogueId: 'openai',
    modelId: 'gpt-4o-mini',
    cost: { metric: 'public_cost' },
    discountPercent: 10,
  });
  assert.equal(account.target('gpt-4o-mini'), undefined);
});

test('accounts with different credentials never share a connection, and no key stands in a connection’s name', () => {
  const digest = (api_key: string) =>
    reached(open(openai, { type: openai.type, name: 'a', auth_data: { type: 'api-key', api_key } }).target('m'))
      .connection.credential;
  assert.equal(digest('sk-1'), digest('sk-1'));
  assert.notEqual(digest('sk-1'), digest('sk-2'));
  assert.match(digest('sk-1'), /^[0-9a-f]{16}$/);
});

test('an account address with user name, query or fragment is a fault', () => {
  for (const base_url of [
    'https://me:pw@x.example/v1',
    'https://x.example/v1?key=1',
    'https://x.example/#a',
    'ftp://x',
    'x',
  ]) {
    assert.equal(faults({ type: openai.type, name: 'a', base_url }).length, 1, base_url);
  }
});

test('an Anthropic account sends key and version in headers, with or without /v1 in its address', () => {
  const account = open(anthropic, { type: anthropic.type, name: 'claude', auth_data: key });
  const target = account.target('claude-opus-4-5');
  assert.deepEqual(reached(target).headers, ['anthropic-version', '2023-06-01', 'x-api-key', 'sk-1']);
  assert.equal(reached(target).url, 'https://api.anthropic.com/v1/messages');
  for (const base_url of ['https://proxy.example/anthropic', 'https://proxy.example/anthropic/v1']) {
    const proxied = open(anthropic, { type: anthropic.type, name: 'claude', base_url }).target('m');
    assert.equal(reached(proxied).url, 'https://proxy.example/anthropic/v1/messages');
  }
});

test('an Ollama account has its host, with or without /v1, and the local one by default', () => {
  const address = (manifest: object) =>
    reached(open(ollama, { type: ollama.type, name: 'local', ...manifest }).target('llama3.2:1b')).url;
  assert.equal(address({}), 'http://127.0.0.1:11434/v1/chat/completions');
  for (const custom_host of ['http://gpu:11434/', 'http://gpu:11434/v1']) {
    assert.equal(address({ auth_data: { custom_host } }), 'http://gpu:11434/v1/chat/completions');
  }
});

const hosted = {
  type: 'integration/model/self-hosted-model',
  name: 'llama',
  hosted_model_name: 'meta-llama/Llama-3.1-8B',
  url: 'https://gpu.internal:8443/v1',
  model_server: 'vllm-openai',
  model_types: ['chat'],
};
const house = (integration: object) => ({
  type: selfHosted.type,
  name: 'house',
  integrations: [{ ...hosted, ...integration }],
});

test('every self-hosted model has its own address, credential, headers and TLS settings', () => {
  const account = open(
    selfHosted,
    house({
      auth_data: { type: 'basic-auth', username: 'me', password: 'pä' },
      headers: { 'X-Team': 'search' },
      tls_settings: { reject_unauthorized: false, ca_cert: CERTIFICATE },
    }),
  );
  const target = account.target('llama');
  assert.equal(target?.modelId, 'meta-llama/Llama-3.1-8B');
  assert.equal(reached(target).url, 'https://gpu.internal:8443/v1/chat/completions');
  assert.deepEqual(reached(target).connection.tls, { rejectUnauthorized: false, ca: CERTIFICATE });
  assert.deepEqual(reached(target).headers, [
    'x-team',
    'search',
    'authorization',
    `Basic ${Buffer.from('me:pä').toString('base64')}`,
  ]);
  assert.equal(account.target('meta-llama/Llama-3.1-8B'), undefined);
  const bearer = open(selfHosted, house({ auth_data: { type: 'bearer-auth', bearer_token: 't' } }));
  assert.deepEqual(reached(bearer.target('llama')).headers, ['authorization', 'Bearer t']);
});

test('a self-hosted account without models has none', () => {
  assert.equal(open(selfHosted, { type: selfHosted.type, name: 'house' }).target('x'), undefined);
});

test('a server that only embeds or reranks is asked where it serves that, whether or not its address has a version', () => {
  const pathsOf = (model_server: string, url: string, model_types: string[]) => {
    const target = open(selfHosted, house({ model_server, url, model_types })).target('llama');
    assert.ok(target);
    const mounts = [...target.mounts.values()].flat();
    return mounts.map((mount) => `${mount.wire.operation} ${mount.path(target, { stream: false })}`);
  };
  for (const [server, url, paths] of [
    ['tei', 'http://h:1', ['embedding /v1/embeddings', 'rerank /rerank']],
    ['tei', 'http://h:1/v1', ['embedding /v1/embeddings', 'rerank /rerank']],
    ['infinity', 'http://h:1', ['embedding /embeddings', 'rerank /rerank']],
    ['infinity', 'http://h:1/v1', ['embedding /v1/embeddings', 'rerank /v1/rerank']],
    ['nemo-retriever', 'http://h:1', ['embedding /v1/embeddings', 'rerank /v1/ranking']],
    ['nemo-retriever', 'http://h:1/x/v1', ['embedding /x/v1/embeddings', 'rerank /x/v1/ranking']],
    ['cohere-rerank-v2', 'http://h:1', ['rerank /v2/rerank']],
    ['cohere-rerank-v2', 'http://h:1/v2', ['rerank /v2/rerank']],
  ] as const) {
    assert.deepEqual(pathsOf(server, url, ['rerank']), paths, `${server} at ${url}`);
  }
});

test('a model type that its server does not serve, and an unknown server, are faults', () => {
  for (const model_server of ['tei', 'infinity', 'nemo-retriever', 'cohere-rerank-v2'])
    assert.match(faults(house({ model_server })).join(), /model_types\[0\].*all that `.*` serves/);
  assert.match(faults(house({ model_server: 'cohere-rerank-v2', model_types: ['embedding'] })).join(), /model_types/);
  assert.match(faults(house({ model_server: 'gradio' })).join(), /model_server/);
});

test('two authorization headers of a self-hosted model are a fault', () => {
  const both = { auth_data: { type: 'bearer-auth', bearer_token: 't' }, headers: { Authorization: 'x' } };
  assert.match(faults(house(both)).join(), /authorization/);
});

test('a well-known variable makes a whole manifest', () => {
  for (const plug of [openai, anthropic]) {
    assert.ok(plug.wellKnown);
    const account = plug.open(plug.schema.parse(plug.wellKnown.manifest('sk-env')), new Map());
    assert.equal(account.name, plug.wellKnown.account);
    assert.ok(reached(account.target('m')).headers.some((value) => value.includes('sk-env')));
  }
});

test('the abilities of a model’s provider are those of its kind, unless its integration says otherwise', () => {
  const abilitiesOf = (abilities: object | undefined) =>
    open(selfHosted, house({ ...(abilities && { abilities }) })).target('llama')?.abilities;
  assert.deepEqual(abilitiesOf(undefined), { usageInStream: true, developerRole: false });
  assert.deepEqual(abilitiesOf({ stream_usage: false }), { usageInStream: false, developerRole: false });
  assert.deepEqual(abilitiesOf({ developer_role: true, stream_usage: null }), {
    usageInStream: true,
    developerRole: true,
  });
  const integration = { type: 'integration/model/openai', name: 'm', model_id: 'm', model_types: ['chat'] };
  const listed = open(openai, {
    type: openai.type,
    name: 'a',
    integrations: [{ ...integration, abilities: { developer_role: false } }],
  });
  assert.deepEqual(listed.target('m')?.abilities, { usageInStream: true, developerRole: false });
  assert.match(faults(house({ abilities: { stream_usage: 'no' } })).join(), /abilities\.stream_usage/);
});
