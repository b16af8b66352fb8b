import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, idsIn, inAWhile, numbered, sdk, setting, started, until } from '../support/batches.ts';

test('a batch whose gateway is killed goes on: each line once in the output, and no more sent twice than were under way', async (t) => {
  const lines = 300;
  const concurrency = 8;
  const server = { threads: 2, batches: { max_concurrency: concurrency } };
  const { provider, gateway, client } = await setting(t, inAWhile, server);
  const id = await create(client, lines);
  const atKill = await until(client, id, ({ request_counts: counts }) => (counts?.completed ?? 0) >= 50);
  assert.equal(atKill.status, 'in_progress');
  gateway.process.kill('SIGKILL');
  await gateway.exited;
  const next = sdk(await started(t, provider, server, gateway.folder));
  const between = await next.batches.retrieve(id);
  assert.ok((between.request_counts?.completed ?? 0) >= (atKill.request_counts?.completed ?? 0));
  const batch = await until(next, id, ({ status }) => status === 'completed');
  assert.deepEqual({ ...batch.request_counts }, { total: lines, completed: lines, failed: 0 });
  assert.deepEqual(await idsIn(next, batch.output_file_id), numbered(lines));
  const twice = provider.requests.length - lines;
  t.diagnostic(`${twice} lines were sent twice`);
  assert.ok(twice <= concurrency, `${twice} lines were sent twice`);
});

test('a gateway that drains gives its lines back, ends in time and goes on after its next start', async (t) => {
  const server = { batches: { max_concurrency: 4 }, timeouts: { drain_ms: 5_000 } };
  const { provider, gateway, client } = await setting(t, inAWhile, server);
  const id = await create(client, 200);
  await until(client, id, ({ request_counts: counts }) => (counts?.completed ?? 0) >= 20);
  assert.equal(await gateway.stop(), 0);
  const next = sdk(await started(t, provider, server, gateway.folder));
  const batch = await until(next, id, ({ status }) => status === 'completed');
  assert.deepEqual(await idsIn(next, batch.output_file_id), numbered(200));
  // Those under way ended before it did.
  assert.equal(provider.requests.length, 200);
});

test('a batch that is cancelled keeps what was answered, and sends nothing more', async (t) => {
  const { client, provider } = await setting(t, inAWhile, { batches: { max_concurrency: 4 } });
  const id = await create(client, 1_000);
  await until(client, id, ({ request_counts: counts }) => (counts?.completed ?? 0) >= 20);
  assert.equal((await client.batches.cancel(id)).status, 'cancelling');
  const batch = await until(client, id, ({ status }) => status === 'cancelled');
  assert.ok(batch.cancelling_at && batch.cancelled_at);
  const completed = batch.request_counts?.completed ?? 0;
  assert.ok(completed < 1_000);
  const ids = await idsIn(client, batch.output_file_id);
  assert.equal(ids.length, completed);
  assert.equal(provider.requests.length, completed);
});
