import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, idsIn, inAWhile, setting, until } from '../support/batches.ts';
import { sendJson } from '../support/provider.ts';

test('a provider that is too busy gets the lines at the pace that it says, and each is answered in the end', async (t) => {
  const waitMs = 1_000;
  let openAt = 0;
  let early = 0;
  let refused = 0;
  const { client } = await setting(
    t,
    (request, response, incoming) => {
      const now = performance.now();
      if (openAt === 0) openAt = now + waitMs;
      if (now >= openAt) {
        inAWhile(request, response, incoming);
        return;
      }
      refused += 1;
      // What was under way with the first refusal may still come; nothing later.
      if (now > openAt - waitMs / 2) early += 1;
      response.setHeader('retry-after', '1');
      sendJson(response, 429, { error: { message: 'slow down', type: 'rate_limit_error' } });
    },
    { batches: { max_concurrency: 8, max_attempts: 1 } },
  );
  const id = await create(client, 40);
  const batch = await until(client, id, ({ status }) => status === 'completed');
  assert.deepEqual({ ...batch.request_counts }, { total: 40, completed: 40, failed: 0 });
  assert.ok(refused > 0 && refused <= 8, `${refused} refused`);
  assert.equal(early, 0);
});

test('a model that is too busy keeps its own lines waiting, and no line that asks another one', async (t) => {
  let isBusy = true;
  let refused = 0;
  const { client } = await setting(
    t,
    (request, response, incoming) => {
      const { model } = JSON.parse(request.body.toString()) as { model: string };
      if (model !== 'busy' || !isBusy) {
        inAWhile(request, response, incoming);
        return;
      }
      refused += 1;
      response.setHeader('retry-after', '1');
      sendJson(response, 429, { error: { message: 'slow down', type: 'rate_limit_error' } });
    },
    { batches: { max_concurrency: 8, max_attempts: 1 } },
  );
  // The lines of the busy one fill more pieces than are begun at once.
  const lines = 200;
  const isFree = (line: number): boolean => line % 8 === 7;
  const free = Array.from({ length: lines }, (_, line) => line).filter(isFree).length;
  const id = await create(client, lines, (line) => (isFree(line) ? 'mock/free' : 'mock/busy'));
  const between = await until(client, id, ({ request_counts: counts }) => counts?.completed === free);
  assert.equal(between.status, 'in_progress');
  assert.ok(refused > 0 && refused < lines / 4, `${refused} refused`);
  isBusy = false;
  const batch = await until(client, id, ({ status }) => status === 'completed');
  assert.deepEqual({ ...batch.request_counts }, { total: lines, completed: lines, failed: 0 });
});

test('a line is tried again where it fails for a moment, and not for ever', async (t) => {
  const seen = new Map<string, number>();
  const { client, provider } = await setting(
    t,
    (request, response, incoming) => {
      const { messages } = JSON.parse(request.body.toString()) as { messages: { content: string }[] };
      const name = messages[0]?.content ?? '';
      const count = (seen.get(name) ?? 0) + 1;
      seen.set(name, count);
      if (name === 'line-1' || (name === 'line-0' && count === 1)) {
        sendJson(response, 500, { error: { message: 'oops' } });
      } else inAWhile(request, response, incoming);
    },
    { batches: { max_attempts: 2 } },
  );
  const id = await create(client, 3);
  const batch = await until(client, id, ({ status }) => status === 'completed');
  assert.deepEqual({ ...batch.request_counts }, { total: 3, completed: 2, failed: 1 });
  assert.deepEqual(await idsIn(client, batch.output_file_id), ['line-0', 'line-2']);
  assert.deepEqual(await idsIn(client, batch.error_file_id), ['line-1']);
  assert.equal(provider.requests.length, 5);
});

test('the input of a batch that runs cannot be deleted', async (t) => {
  const { client } = await setting(t, inAWhile, { batches: { max_concurrency: 1 } });
  const id = await create(client, 100);
  const { input_file_id } = await client.batches.retrieve(id);
  await assert.rejects(client.files.delete(input_file_id), { status: 409 });
  assert.equal((await client.files.retrieve(input_file_id)).id, input_file_id);
  await client.batches.cancel(id);
  await until(client, id, ({ status }) => status === 'cancelled');
  assert.equal((await client.files.delete(input_file_id)).deleted, true);
});
