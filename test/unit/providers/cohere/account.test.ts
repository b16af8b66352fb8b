import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plug } from '../../../../src/providers/cohere/index.ts';
import { catalogueHas } from '../../../../src/usage/price-catalogue.ts';

const auth_data = { type: 'api-key', api_key: 'co-key' };
const account = { type: plug.type, name: 'cohere', auth_data };
const request = { method: 'POST', origin: 'https://x', path: '/', headers: [], body: undefined } as const;

function mountOf(manifest: object) {
  const target = plug.open(plug.schema.parse({ ...account, ...manifest }), new Map()).target('command-a-03-2025');
  const mount = target?.mounts.get('chat')?.[0];
  assert.ok(target && mount);
  return { mount, path: mount.path(target, { stream: true }) };
}

test('a reference manifest of Cohere loads as it is, with and without integrations', () => {
  const integration = {
    type: 'integration/model/cohere',
    name: 'a',
    model_id: 'command-a-03-2025',
    model_types: ['chat'],
  };
  const { listed } = plug.open(plug.schema.parse({ ...account, integrations: [integration] }), new Map());
  assert.deepEqual(
    listed.map(({ id, modelId }) => [id, modelId]),
    [['cohere/a', 'command-a-03-2025']],
  );
  assert.ok(!plug.schema.safeParse({ type: plug.type, name: 'cohere' }).success);
});

test('Cohere is asked at its own address or the account’s, whether that was written with a version or not', () => {
  const { mount, path } = mountOf({});
  assert.deepEqual([mount.connection.origin, path], ['https://api.cohere.com', '/v2/chat']);
  assert.deepEqual(mount.credential.sign(request), ['authorization', 'Bearer co-key']);
  for (const base_url of ['https://proxy.example/co', 'https://proxy.example/co/v2', 'https://proxy.example/co/v1/']) {
    assert.equal(mountOf({ base_url }).path, '/co/v2/chat');
  }
});

test('models of Cohere are in the price library, and its list of models is read', () => {
  assert.ok(catalogueHas('cohere', 'command-a-03-2025'));
  const { probe } = plug;
  assert.deepEqual(probe?.modelIds?.({ models: [{ name: 'command-a-03-2025' }] }), ['command-a-03-2025']);
  assert.equal(probe?.modelPath?.('a/b'), '/v1/models/a%2Fb');
});

test('either variable that Cohere’s SDKs read makes an account', () => {
  assert.deepEqual([plug.wellKnown?.variable, plug.wellKnown?.otherVariables], ['COHERE_API_KEY', ['CO_API_KEY']]);
  assert.ok(plug.schema.safeParse(plug.wellKnown?.manifest('k')).success);
});
