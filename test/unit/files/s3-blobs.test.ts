import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BlobFault, type BlobReader } from '../../../src/files/blob-store.ts';
import { blobsOf } from '../../../src/files/blobs-of.ts';
import { sideRequests } from '../../../src/upstream/side-requests.ts';
import { eventually } from '../../support/gateway.ts';
import { S3_KEYS, s3Url, startS3 } from '../../support/s3-server.ts';

async function stores(t: TestContext) {
  const server = await startS3();
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-s3-'));
  t.after(async () => {
    await server[Symbol.asyncDispose]();
    await rm(dataDir, { recursive: true });
  });
  const http = sideRequests(() => ({ proxies: {}, noProxy: [] }));
  const of = (blobs: string) => blobsOf({ dataDir, store: { blobs } }, 'test', http);
  return { server, of, blobs: of(s3Url(server)), folder: dataDir };
}

async function whole(blob: BlobReader | undefined): Promise<Buffer> {
  assert.ok(blob);
  const bytes = Buffer.alloc(blob.bytes);
  for (let at = 0; at < bytes.length; ) {
    const read = await blob.read(bytes.subarray(at, at + 65_536), at);
    assert.ok(read > 0);
    at += read;
  }
  await blob.close();
  return bytes;
}

test('a blob in a bucket is read as it was written, in one part or in several, and is gone when it is removed', async (t) => {
  const { server, blobs } = await stores(t);
  for (const size of [0, 5, 20_000_000]) {
    const bytes = randomBytes(size);
    const id = `file-${size}`;
    const writer = blobs.create(id);
    await writer.write(bytes.subarray(0, 3));
    writer.writeNow(bytes.subarray(3));
    await writer.seal();
    await writer.publish();
    const asked = server.requests.length;
    assert.ok((await whole(await blobs.open(id))).equals(bytes), String(size));
    const reads = server.requests.slice(asked).filter((request) => request.startsWith('GET'));
    assert.equal(reads.length, Math.ceil(size / 1_048_576), 'each MiB is asked for once');
    await blobs.withdraw(id);
    await blobs.remove(id);
    assert.equal(await blobs.open(id), undefined);
  }
  assert.equal(server.uploads.size, 0);
  assert.deepEqual(await blobs.settle(async () => false), 0);
});

test('a blob that broke off goes at the next start without its row, and stays with it', async (t) => {
  const { server, blobs } = await stores(t);
  for (const id of ['file-row', 'file-none']) {
    const writer = blobs.create(id);
    await writer.write(Buffer.from(id));
    await writer.seal();
  }
  assert.equal(server.objects.size, 2);
  assert.equal(await blobs.settle(async (id) => id === 'file-row'), 2);
  assert.deepEqual([...server.objects.keys()], ['bucket/some/prefix/file-row']);
  assert.equal(await blobs.settle(async () => true), 0);
});

test('a blob that is discarded leaves neither object nor file', async (t) => {
  const { server, blobs } = await stores(t);
  const writer = blobs.create('file-1');
  await writer.write(Buffer.from('x'));
  await writer.seal();
  await writer.discard();
  assert.equal(server.objects.size, 0);
  assert.equal(await blobs.settle(async () => true), 0);
});

test('a bucket that refuses or is away is a fault that names its code and no secret', async (t) => {
  const { server, of, blobs } = await stores(t);
  const secret = encodeURIComponent(S3_KEYS.secretAccessKey);
  const writer = of(s3Url(server).replace(secret, 'wrong')).create('file-1');
  await writer.write(Buffer.from('x'));
  await assert.rejects(writer.seal(), (fault) => {
    assert.ok(fault instanceof BlobFault);
    assert.match(fault.message, /^S3 answered 403 SignatureDoesNotMatch\.$/);
    return true;
  });
  server.failWith = 503;
  await assert.rejects(blobs.open('file-1'), { message: 'S3 answered 503.' });
  server.failWith = undefined;
  assert.equal(await blobs.open('file-1'), undefined);
});

test('an upload that failed with the bucket keeps no bytes on the disk, and its object goes when the bucket is back', async (t) => {
  const { server, blobs, folder } = await stores(t);
  const lost = blobs.create('file-lost');
  await lost.write(Buffer.from('lost'));
  await lost.seal();
  server.failWith = 503;
  await lost.discard();
  assert.equal((await stat(join(folder, 'blobs/incoming-test/file-lost'))).size, 0);
  server.failWith = undefined;
  assert.equal(server.objects.size, 1);
  const kept = blobs.create('file-kept');
  await kept.write(Buffer.from('kept'));
  await kept.seal();
  await kept.publish();
  await eventually('it is gone', () => !server.objects.has('bucket/some/prefix/file-lost'));
  await eventually('its name as well', async () => (await readdir(join(folder, 'blobs/incoming-test'))).length === 0);
  assert.deepEqual([...server.objects.keys()], ['bucket/some/prefix/file-kept']);
});
