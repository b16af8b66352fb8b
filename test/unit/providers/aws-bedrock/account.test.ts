import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import { plug as anthropic } from '../../../../src/providers/anthropic/index.ts';
import { plug } from '../../../../src/providers/aws-bedrock/index.ts';
import { bedrockModels } from '../../../../src/providers/aws-bedrock/models-probe.ts';
import type { Target } from '../../../../src/providers/provider.ts';
import { ModelRoutes } from '../../../../src/routing/model-routes.ts';
import { catalogueHas, catalogueModels } from '../../../../src/usage/price-catalogue.ts';
import { compilePrice } from '../../../../src/usage/price-table.ts';

const { type } = plug;
const account = { type, name: 'aws', region: 'eu-west-1' };
const integration = { type: 'integration/model/bedrock', name: 'm', model_id: 'm', model_types: ['chat'] };

function open(manifest: object) {
  return plug.open(plug.schema.parse({ ...account, ...manifest }), new Map());
}

function mountOf(target: Target | undefined) {
  const mount = target?.mounts.get('chat')?.[0];
  assert.ok(mount);
  return mount;
}

function faults(manifest: object): string {
  const { error } = plug.schema.safeParse({ ...account, ...manifest });
  return (error?.issues ?? []).map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('\n');
}

test('the address is that of the region, of the model’s own region, or the account’s own address', () => {
  const originOf = (manifest: object) => mountOf(open(manifest).target('m')).connection.origin;
  assert.equal(originOf({}), 'https://bedrock-runtime.eu-west-1.amazonaws.com');
  assert.equal(originOf({ region: 'cn-north-1' }), 'https://bedrock-runtime.cn-north-1.amazonaws.com.cn');
  assert.equal(originOf({ region: 'us-gov-west-1' }), 'https://bedrock-runtime.us-gov-west-1.amazonaws.com');
  const there = { integrations: [{ ...integration, region: 'us-west-2' }] };
  assert.equal(originOf(there), 'https://bedrock-runtime.us-west-2.amazonaws.com');
  assert.equal(originOf({ ...there, base_url: 'https://vpce.example/' }), 'https://vpce.example');
});

test('models of one region share their mounts, and an account lists each address once', () => {
  const { listed, connections } = open({
    integrations: ['a', 'b', 'c'].map((name) => ({
      ...integration,
      name,
      region: name === 'c' ? 'us-east-1' : undefined,
    })),
  });
  assert.equal(listed[0]?.mounts, listed[1]?.mounts);
  assert.deepEqual(
    connections.map(({ origin }) => origin),
    ['eu-west-1', 'us-east-1'].flatMap((region) =>
      ['bedrock-runtime', 'bedrock-agent-runtime'].map((service) => `https://${service}.${region}.amazonaws.com`),
    ),
  );
});

test('every form of credential of the reference manifests is taken, and a wrong one is a fault with its place', () => {
  for (const auth_data of [
    { type: 'access-key-based', access_key_id: 'AKID', secret_access_key: 's' },
    { type: 'assumed-role-based', assumed_role_arn: 'arn:aws:iam::123456789012:role/path/name' },
    { type: 'assumed-role-based', assumed_role_arn: 'arn:aws-cn:iam::123456789012:role/n', external_id: 'x' },
    { type: 'api-key', api_key: 'k' },
    undefined,
    null,
  ]) {
    assert.equal(faults({ auth_data }), '');
  }
  assert.match(
    faults({ auth_data: { type: 'assumed-role-based', assumed_role_arn: 'admin' } }),
    /assumed_role_arn: the ARN/,
  );
  assert.match(faults({ auth_data: { type: 'access-key-based', access_key_id: 'A' } }), /secret_access_key/);
  assert.match(faults({ region: 'Frankfurt' }), /region: a region of AWS, as `us-east-1`/);
  assert.match(faults({ region: 'us-east-1.evil.example/' }), /region/);
  assert.match(faults({ region: undefined }), /region/);
});

test('well-known variables make an account: an API key of Bedrock first, else a pair of access keys', () => {
  const made = (environment: Record<string, string>) => {
    const variable = ['AWS_BEARER_TOKEN_BEDROCK', 'AWS_ACCESS_KEY_ID'].find((name) => environment[name]) ?? '';
    return plug.wellKnown?.manifest(environment[variable] ?? '', environment);
  };
  const keys = { AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: 's' };
  assert.deepEqual(made({ ...keys, AWS_SESSION_TOKEN: 't', AWS_DEFAULT_REGION: 'eu-north-1' }), {
    type,
    name: 'aws-bedrock',
    region: 'eu-north-1',
    auth_data: { type: 'access-key-based', access_key_id: 'AKID', secret_access_key: 's', session_token: 't' },
  });
  assert.deepEqual(made({ ...keys, AWS_BEARER_TOKEN_BEDROCK: 'k' }), {
    type,
    name: 'aws-bedrock',
    region: 'us-east-1',
    auth_data: { type: 'api-key', api_key: 'k' },
  });
  assert.equal(made({ AWS_ACCESS_KEY_ID: 'AKID' }), undefined);
});

test('prices are those of the profile’s region prefix, also where the model is written as an ARN', () => {
  const costOf = (model: string) =>
    compilePrice(open({}).target(model)!.price).costNanoUsd({ inputTokens: 1000, outputTokens: 0 });
  const claude = 'anthropic.claude-sonnet-4-5-20250929-v1:0';
  assert.equal(costOf(`global.${claude}`), 3_000_000);
  for (const prefix of ['us.', 'eu.', 'apac.', 'jp.', 'au.', 'us-gov.', '']) {
    assert.equal(costOf(prefix + claude), 3_300_000, prefix);
  }
  assert.equal(costOf(`arn:aws:bedrock:us-east-1:123456789012:inference-profile/global.${claude}`), 3_000_000);
  assert.equal(costOf('arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0'), 800_000);
  assert.equal(costOf('arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2'), undefined);
});

test('cache writes for an hour cost twice the input of Claude, and five-minute ones what the list says', () => {
  const { price } = open({}).target('us.anthropic.claude-haiku-4-5-20251001-v1:0')!;
  const written = { inputTokens: 1000, outputTokens: 0, cacheCreationInputTokens: 1000 };
  assert.equal(compilePrice(price).costNanoUsd(written), 1_375_000);
  assert.equal(compilePrice(price).costNanoUsd({ ...written, cacheCreation1hInputTokens: 1000 }), 2_200_000);
  assert.equal(compilePrice(price).costNanoUsd({ ...written, cacheCreation1hInputTokens: 400 }), 1_705_000);
});

test('a bare name that only Anthropic takes is not taken for one of Bedrock’s', () => {
  const claude = anthropic.open(anthropic.schema.parse({ type: anthropic.type, name: 'claude' }), new Map());
  const routes = new ModelRoutes([claude, open({})], { models: catalogueModels, has: catalogueHas });
  const found = (name: string) => {
    const route = routes.resolve(name);
    return route instanceof GatewayError ? route.code : route.model;
  };
  assert.equal(found('claude-haiku-4-5-20251001'), 'claude/claude-haiku-4-5-20251001');
  assert.equal(found('us.anthropic.claude-haiku-4-5-20251001-v1:0'), 'aws/us.anthropic.claude-haiku-4-5-20251001-v1:0');
});

test('an answer of another tier or speed has a price that nobody publishes, so its cost is unknown and says why', () => {
  const price = compilePrice(open({}).target('amazon.nova-pro-v1:0')!.price);
  for (const servedAs of [{ serviceTier: 'flex' }, { serviceTier: 'priority' }, { speed: 'optimized' }]) {
    const used = { inputTokens: 1000, outputTokens: 1, servedAs };
    assert.equal(price.costNanoUsd(used), undefined);
    assert.match(JSON.stringify(price.unknownCost(used)), /service_tier|speed/);
  }
});

test('models are looked for in the control plane, in the collection that their id tells', () => {
  const { base, modelPath, mayNotList } = bedrockModels;
  assert.equal(base?.('https://bedrock-runtime.eu-west-1.amazonaws.com'), 'https://bedrock.eu-west-1.amazonaws.com');
  assert.equal(base?.('https://vpce.example'), 'https://vpce.example');
  assert.equal(modelPath?.('amazon.nova-pro-v1:0'), '/foundation-models/amazon.nova-pro-v1%3A0');
  assert.equal(modelPath?.('us.amazon.nova-pro-v1:0'), '/inference-profiles/us.amazon.nova-pro-v1%3A0');
  assert.match(modelPath?.('arn:aws:bedrock:us-east-1:1:imported-model/x') ?? '', /^\/imported-models\/arn%3A/);
  assert.ok(mayNotList?.('{"message":"User: x is not authorized to perform: bedrock:ListFoundationModels on …"}'));
  assert.ok(!mayNotList?.('{"message":"The security token included in the request is invalid."}'));
});
