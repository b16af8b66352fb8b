import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import OpenAI, { APIError, toFile } from 'openai';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { realS3Skip, startRealS3 } from '../support/real-s3.ts';
import { s3Url, startS3 } from '../support/s3-server.ts';

async function withBucket(t: TestContext, server: { readonly origin: string }) {
  const gateway = await startGateway({ server: { store: { blobs: s3Url(server) } } });
  t.after(() => gateway[Symbol.asyncDispose]());
  const client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
  return { gateway, client };
}

const sent = (client: OpenAI, bytes: Buffer) =>
  toFile(bytes, 'a.bin').then((file) => client.files.create({ file, purpose: 'user_data' }));

/** What waits for the bucket on the disk of the gateway. */
async function waiting({ folder }: RunningGateway): Promise<string[]> {
  const names = await readdir(join(folder, 'data'), { recursive: true });
  return names.filter((name) => /file-\w+$/.test(name));
}

async function isUnavailable(work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof APIError);
    assert.deepEqual([error.status, error.code], [503, 'blobs_unavailable']);
    return true;
  });
}

/** Sizes of one part, and of several. */
const SIZES = [0, 70_000, 20_000_000];

async function keepsFiles(client: OpenAI): Promise<void> {
  for (const size of SIZES) {
    const bytes = randomBytes(size);
    const { id } = await sent(client, bytes);
    const content = await client.files.content(id);
    assert.ok(bytes.equals(Buffer.from(await content.arrayBuffer())), String(size));
    if (size > 0) {
      const part = await client.files.content(id, { headers: { range: 'bytes=10-69' } });
      assert.equal(part.status, 206);
      assert.ok(bytes.subarray(10, 70).equals(Buffer.from(await part.arrayBuffer())));
    }
    await client.files.delete(id);
    await assert.rejects(client.files.content(id), OpenAI.NotFoundError);
  }
}

test('a bucket that is away is 503 for who sends, reads or deletes a file, and nothing is left behind', async (t) => {
  const server = await startS3();
  t.after(() => server[Symbol.asyncDispose]());
  const { gateway, client } = await withBucket(t, server);
  const kept = await sent(client, Buffer.from('kept'));
  server.failWith = 503;
  await isUnavailable(sent(client, Buffer.from('lost')));
  await isUnavailable(client.files.content(kept.id));
  server.failWith = undefined;
  assert.deepEqual(
    (await client.files.list()).data.map(({ id }) => id),
    [kept.id],
  );
  assert.equal(await (await client.files.content(kept.id)).text(), 'kept');
  await client.files.delete(kept.id);
  assert.equal((await sent(client, Buffer.from('again'))).bytes, 5);
  await eventually('nothing else is in the bucket', () => server.objects.size === 1);
  await eventually('nothing waits', async () => (await waiting(gateway)).length === 0);
});

test('files in a bucket of a program of others are sent, read in parts and deleted', {
  skip: realS3Skip,
}, async (t) => {
  const server = await startRealS3();
  t.after(() => server[Symbol.asyncDispose]());
  const { gateway, client } = await withBucket(t, server);
  await keepsFiles(client);
  const kept = await sent(client, Buffer.from('kept'));
  await server.stop();
  await isUnavailable(sent(client, Buffer.from('lost')));
  await isUnavailable(client.files.content(kept.id));
  await server.start();
  assert.equal(await (await client.files.content(kept.id)).text(), 'kept');
  assert.equal((await sent(client, Buffer.from('again'))).bytes, 5);
  assert.equal((await client.files.list()).data.length, 2);
  await eventually('nothing waits', async () => (await waiting(gateway)).length === 0);
});
