import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, idsIn, inAWhile, numbered, sdk, setting, started, until } from '../support/batches.ts';
import { type Answer, completion, sendJson } from '../support/provider.ts';

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

test('a batch of 10,000 lines whose gateway is killed in the middle has 10,000 results, each of another line', {
  timeout: 120_000,
}, async (t) => {
  const lines = 10_000;
  const concurrency = 64;
  const server = { threads: 2, log: { access: 'off' }, batches: { max_concurrency: concurrency } };
  const sent = new Map<string, number>();
  let kill = (): void => {};
  const answer: Answer = (request, response) => {
    const { messages } = JSON.parse(request.body.toString()) as { messages: { content: string }[] };
    const name = messages[0]?.content ?? '';
    sent.set(name, (sent.get(name) ?? 0) + 1);
    // Here, since whoever asks how far it is may come too late.
    if (sent.size === lines / 2) kill();
    sendJson(response, 200, completion(name));
  };
  const { provider, gateway, client } = await setting(t, answer, server);
  kill = () => gateway.process.kill('SIGKILL');
  const id = await create(client, lines);
  await gateway.exited;
  const atKill = sent.size;
  assert.ok(atKill < lines, 'it was killed in the middle');
  const next = sdk(await started(t, provider, server, gateway.folder));
  const batch = await until(next, id, ({ status }) => status === 'completed', 60_000);
  assert.deepEqual({ ...batch.request_counts }, { total: lines, completed: lines, failed: 0 });
  assert.deepEqual(await idsIn(next, batch.output_file_id), numbered(lines));
  const twice = [...sent.values()].filter((times) => times > 1);
  t.diagnostic(`killed after ${atKill} lines; ${twice.length} were sent twice`);
  assert.ok(twice.length <= concurrency && Math.max(...twice, 1) <= 2, `${twice.length} lines were sent twice`);
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
