import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ADMIN_KEY, startBudgetGateway } from '../support/budgets.ts';
import { ask, messages } from '../support/chat-client.ts';
import { eventually, type RunningGateway } from '../support/gateway.ts';
import { completion, sendJson, startProvider } from '../support/provider.ts';
import { s3Url, startS3 } from '../support/s3-server.ts';
import { openAccount } from '../support/scripted-provider.ts';

async function started(t: TestContext, store: object = {}) {
  const provider = await startProvider((_request, response) => sendJson(response, 200, completion('said')));
  t.after(() => provider.close());
  const gateway = await startBudgetGateway({
    server: { store, request_log: { store: 'blobs' } },
    manifests: [
      openAccount('p', `${provider.origin}/v1`),
      { type: 'gateway-global-settings', logging_settings: { type: 'always' } },
    ],
  });
  t.after(() => gateway[Symbol.asyncDispose]());
  return gateway;
}

async function exchange(gateway: RunningGateway): Promise<string> {
  const response = await ask(gateway, { model: 'p/m', messages });
  await response.text();
  return response.headers.get('x-sluice-exchange-id') ?? '';
}

async function logged(gateway: RunningGateway, id: string) {
  const answer = await fetch(`${gateway.operatorUrl}/admin/requests/${id}`, {
    headers: { authorization: `Bearer ${ADMIN_KEY}` },
  });
  const body = JSON.parse(await answer.text());
  return answer.status === 200 ? body : undefined;
}

async function isShown(gateway: RunningGateway, id: string): Promise<void> {
  const what = `the bodies of ${id}`;
  await eventually(what, async () => (await logged(gateway, id))?.bodies?.response.text.includes('said'), 15_000);
}

test('bodies lie as blobs on the disk where the configuration says so', async (t) => {
  const gateway = await started(t);
  await isShown(gateway, await exchange(gateway));
  const names = await readdir(join(gateway.folder, 'data', 'blobs'), { recursive: true });
  assert.equal(names.filter((name) => /bodies-\w+$/.test(name)).length, 1);
});

test('bodies lie in a bucket, and one that is away loses none that come back in time and says so of the others', async (t) => {
  const bucket = await startS3();
  t.after(() => bucket[Symbol.asyncDispose]());
  const gateway = await started(t, { blobs: s3Url(bucket) });
  const first = await exchange(gateway);
  await isShown(gateway, first);
  assert.equal([...bucket.objects.keys()].filter((key) => key.includes('bodies-')).length, 1);
  bucket.failWith = 503;
  const shown = await logged(gateway, first);
  assert.deepEqual([shown.bodies, shown.bodies_unavailable], [null, true]);
  const second = await exchange(gateway);
  await eventually('the bucket is asked', () => bucket.requests.filter((each) => each.startsWith('PUT')).length > 1);
  bucket.failWith = undefined;
  await isShown(gateway, second);
});
