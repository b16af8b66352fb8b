import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAiChat } from '../../../../src/dialects/openai-chat/index.ts';
import { plug } from '../../../../src/providers/aws-bedrock-mantle/index.ts';
import { mountFor } from '../../../../src/relay/choose-mount.ts';

const { type } = plug;
const manifest = { type, name: 'mantle', region: 'us-east-1', auth_data: { type: 'api-key', api_key: 'k' } };

function open(more: object = {}) {
  return plug.open(plug.schema.parse({ ...manifest, ...more }), new Map());
}

function asked(model: string, more: object = {}) {
  const target = open(more).target(model);
  const mount = target && mountFor(target, openAiChat);
  assert.ok(target && mount, model);
  return { wire: mount.wire.name, url: mount.connection.origin + mount.path(target, { stream: true }) };
}

test('open models, frontier models and Claude are each asked in their own form, below their own path', () => {
  const host = 'https://bedrock-mantle.us-east-1.api.aws';
  for (const model of ['openai.gpt-oss-120b', 'google.gemma-3-4b-it', 'qwen.qwen3-32b', 'deepseek.v3.2', 'zai.glm-5']) {
    assert.deepEqual(asked(model), { wire: 'openai-chat', url: `${host}/v1/chat/completions` }, model);
  }
  for (const model of ['openai.gpt-5.6-sol', 'xai.grok-4.6', 'google.gemma-4-31b']) {
    assert.deepEqual(asked(model), { wire: 'openai-chat', url: `${host}/openai/v1/chat/completions` }, model);
  }
  assert.deepEqual(asked('anthropic.claude-opus-4-8'), {
    wire: 'anthropic-messages',
    url: `${host}/anthropic/v1/messages`,
  });
});

test('a listed model has a region and an address of its own', () => {
  const integration = { type: 'integration/model/bedrock-mantle', model_types: ['chat'] };
  const integrations = [
    { ...integration, name: 'oss', model_id: 'openai.gpt-oss-20b', region: 'eu-west-1' },
    { ...integration, name: 'claude', model_id: 'anthropic.claude-haiku-4-5' },
  ];
  assert.equal(asked('oss', { integrations }).url, 'https://bedrock-mantle.eu-west-1.api.aws/v1/chat/completions');
  assert.equal(
    asked('claude', { integrations, base_url: 'https://proxy.example/aws' }).url,
    'https://proxy.example/aws/anthropic/v1/messages',
  );
});

test('Mantle’s list of models is asked for at one path, whatever an account’s first model is', () => {
  for (const path of ['/v1', '/openai/v1', '/anthropic']) {
    assert.equal(
      plug.probe?.base?.(`https://bedrock-mantle.us-east-1.api.aws${path}`),
      'https://bedrock-mantle.us-east-1.api.aws/v1',
    );
  }
});

test('Mantle is signed for as a service of its own', () => {
  const auth_data = { type: 'access-key-based', access_key_id: 'AKID', secret_access_key: 's' };
  const target = open({ auth_data }).target('openai.gpt-oss-20b');
  const mount = target && mountFor(target, openAiChat);
  assert.ok(mount);
  const { origin } = mount.connection;
  const headers = mount.credential.sign({
    method: 'POST',
    origin,
    path: '/v1/x',
    headers: [],
    body: Buffer.from('{}'),
  });
  assert.ok(Array.isArray(headers));
  assert.match(headers.at(-1), /\/us-east-1\/bedrock-mantle\/aws4_request/);
});
