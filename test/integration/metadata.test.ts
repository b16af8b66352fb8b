import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { ask, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';

let provider: FakeProvider;
let gateway: RunningGateway;

before(async () => {
  provider = await startProvider((_request, response) => sendJson(response, 200, completion('yes')));
  gateway = await startGateway({
    server: { metrics: { metadata_keys: ['env', 'cost-center', 'floor'] } },
    keys: [
      { name: 'ada', key: 'ada', subject: 'user:ada@example.com' },
      { name: 'eve', key: 'eve', subject: 'user:eve@example.com', metadata: { env: 'of the key' } },
    ],
    manifests: [
      openAccount('p', `${provider.origin}/v1`),
      {
        type: 'gateway-metadata-config',
        name: 'm',
        rules: [
          { id: 'all', when: {}, metadata_override: { env: 'of the configuration' } },
          { id: 'search', when: { subjects: ['team:search'] }, metadata_override: { 'cost-center': '4711' } },
        ],
      },
      { type: 'team', name: 'search', members: ['eve@example.com'], tags: { env: 'of the team', floor: 3 } },
    ],
  });
});
disposeAfter(() => [gateway, provider]);

async function counted(key: string, header: Record<string, string>, labels: Record<string, string>): Promise<void> {
  const count = () => gateway.metric('ai_gateway_requests_total', labels);
  const before = await count();
  const headers = { 'x-tfy-metadata': JSON.stringify(header) };
  assert.equal((await ask(gateway, { model: 'p/m', messages }, { key, headers })).status, 200);
  await eventually(`counted under ${JSON.stringify(labels)}`, async () => (await count()) === before + 1);
}

test('metadata of requests is a label of metrics where the configuration says so', async () => {
  await counted('ada', { floor: '7', secret: 'never shown' }, { metadata_floor: '7', metadata_cost_center: '' });
  assert.doesNotMatch(await gateway.metrics(), /never shown/);
});

test('metadata of the configuration stands over the header, of the team over the configuration, of the key over the team', async () => {
  await counted('ada', { env: 'of the header' }, { metadata_env: 'of the configuration', metadata_floor: '' });
  await counted(
    'eve',
    { env: 'of the header', floor: '9' },
    { metadata_env: 'of the key', metadata_floor: '3', metadata_cost_center: '4711' },
  );
});
