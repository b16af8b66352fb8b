import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, idsIn, inAWhile, numbered, sdk, started, until } from '../support/batches.ts';
import { postgresSkip, startPostgres } from '../support/postgres-server.ts';
import { startProvider } from '../support/provider.ts';
import { s3Url, startS3 } from '../support/s3-server.ts';

test('two gateways on one PostgreSQL and bucket share a batch, and the death of one loses no line and doubles none', {
  skip: postgresSkip,
  timeout: 150_000,
}, async (t) => {
  const [postgres, s3, provider] = await Promise.all([startPostgres(), startS3(), startProvider(inAWhile)]);
  t.after(async () => {
    await provider.close();
    await s3[Symbol.asyncDispose]();
    await postgres[Symbol.asyncDispose]();
  });
  const concurrency = 4;
  const server = {
    store: { database: await postgres.newDatabase(), blobs: s3Url(s3) },
    batches: { max_concurrency: concurrency },
  };
  const one = await started(t, provider, server);
  const other = await started(t, provider, server);
  const client = sdk(other);
  const lines = 400;
  const id = await create(sdk(one), lines);
  await until(client, id, ({ request_counts: counts }) => (counts?.completed ?? 0) >= 100);
  one.process.kill('SIGKILL');
  await one.exited;
  // What it ran is taken over when its leases end.
  const batch = await until(client, id, ({ status }) => status === 'completed', 90_000);
  assert.deepEqual({ ...batch.request_counts }, { total: lines, completed: lines, failed: 0 });
  assert.deepEqual(await idsIn(client, batch.output_file_id), numbered(lines));
  const twice = provider.requests.length - lines;
  t.diagnostic(`${twice} lines were sent twice`);
  assert.ok(twice <= concurrency, `${twice} lines were sent twice`);
  assert.equal((await client.files.delete(batch.output_file_id ?? '')).deleted, true);
  assert.equal(s3.objects.size, 1, 'the input is the only object that is left');
});
