import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { leastOf } from '../support/least-of.ts';
import { RawClient } from '../support/raw-client.ts';
import { noProc, residentMib } from '../support/resident-memory.ts';
import { smallDisk, smallDiskSkip } from '../support/small-disk.ts';

const PURPOSE = '--B\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n';
const FILE = '--B\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\n';
const END = '\r\n--B--\r\n';

/** In the folder of the gateway: all blobs, whole or not. */
async function blobs(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, 'data/blobs'), { recursive: true });
  return names.filter((name) => /file-\w+$/.test(name));
}

/** A file of so many bytes, in pieces, whose size is told or not. */
async function upload({ url }: RunningGateway, bytes: number) {
  const piece = Buffer.alloc(1_000_000, 'w');
  let left = bytes;
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(Buffer.from(PURPOSE + FILE)),
    pull(controller) {
      if (left > 0) {
        const next = piece.subarray(0, Math.min(left, piece.length));
        left -= next.length;
        controller.enqueue(next);
        return;
      }
      controller.enqueue(Buffer.from(END));
      controller.close();
    },
  });
  const response = await fetch(`${url}/v1/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'multipart/form-data; boundary=B' },
    body,
    duplex: 'half',
  });
  const answer = (await response.json()) as { id: string; bytes: number; error?: { code: string; message: string } };
  return { ...answer, status: response.status };
}

/** Begins an upload that does not end. */
async function begin(gateway: RunningGateway): Promise<RawClient> {
  const raw = await RawClient.open(gateway);
  const head = ['POST /v1/files HTTP/1.1', 'host: g', `authorization: Bearer ${KEY}`, 'content-length: 9000000'];
  head.push('content-type: multipart/form-data; boundary=B');
  raw.send(`${head.join('\r\n')}\r\n\r\n${PURPOSE}${FILE}`);
  raw.send(Buffer.alloc(500_000));
  return raw;
}

async function started(t: TestContext, options: Parameters<typeof startGateway>[0] = {}): Promise<RunningGateway> {
  const gateway = await startGateway(options);
  t.after(() => gateway[Symbol.asyncDispose]());
  return gateway;
}

/** In one piece, as fast as the kernel takes it. */
async function uploadAtOnce(gateway: RunningGateway, bytes: number): Promise<string> {
  const raw = await RawClient.open(gateway);
  const form = [Buffer.from(PURPOSE + FILE), Buffer.alloc(bytes), Buffer.from(END)];
  const length = form.reduce((sum, piece) => sum + piece.length, 0);
  const head = ['POST /v1/files HTTP/1.1', 'host: g', `authorization: Bearer ${KEY}`, `content-length: ${length}`];
  head.push('content-type: multipart/form-data; boundary=B', 'connection: close');
  raw.send(`${head.join('\r\n')}\r\n\r\n`);
  for (const piece of form) raw.send(piece);
  return raw.until((text) => text.includes('}'));
}

const ALLOWED_MIB = 16;

/** MiB by which the highest residence of a fresh gateway grows with what `send` uploads. */
async function growthOf(
  t: TestContext,
  send: (gateway: RunningGateway, bytes: number) => Promise<void>,
  bytes: number,
): Promise<number> {
  const gateway = await startGateway();
  try {
    // What the process grows by for good with the first upload is no file's.
    for (let turn = 0; turn < 2; turn += 1) await send(gateway, 3_000_000);
    const before = await residentMib(gateway, 'ever');
    await send(gateway, bytes);
    const grown = (await residentMib(gateway, 'ever')) - before;
    t.diagnostic(`${grown.toFixed(1)} MiB`);
    return grown;
  } finally {
    await gateway[Symbol.asyncDispose]();
  }
}

test(`an upload of 200 MB from a client that is faster than the disk raises the peak by at most ${ALLOWED_MIB} MiB`, {
  skip: noProc,
  timeout: 170_000,
}, async (t) => {
  const send = async (gateway: RunningGateway, bytes: number): Promise<void> => {
    const answer = await uploadAtOnce(gateway, bytes);
    assert.match(answer, /^HTTP\/1.1 200 /);
    assert.ok(answer.includes(`"bytes":${bytes}`), answer);
  };
  const grown = await leastOf(ALLOWED_MIB, () => growthOf(t, send, 200_000_000));
  assert.ok(grown <= ALLOWED_MIB, `${grown} MiB`);
});

test(`an upload of 60 MB raises the peak of the process by at most ${ALLOWED_MIB} MiB`, {
  skip: noProc,
  timeout: 170_000,
}, async (t) => {
  const send = async (gateway: RunningGateway, bytes: number): Promise<void> => {
    const answer = await upload(gateway, bytes);
    assert.deepEqual([answer.status, answer.bytes], [200, bytes]);
  };
  const grown = await leastOf(ALLOWED_MIB, () => growthOf(t, send, 60_000_000));
  assert.ok(grown <= ALLOWED_MIB, `${grown} MiB`);
});

test('a gateway that is killed in the middle of an upload has no half file after its restart', async (t) => {
  const gateway = await started(t);
  const kept = await upload(gateway, 100_000);
  const raw = await begin(gateway);
  await eventually('the upload has begun', async () => (await blobs(gateway.folder)).length === 2);
  gateway.process.kill('SIGKILL');
  await gateway.exited;
  raw.leave();
  assert.equal((await blobs(gateway.folder)).length, 2);
  const next = await started(t, { folder: gateway.folder });
  assert.deepEqual(
    (await blobs(gateway.folder)).map((name) => name.slice(3)),
    [kept.id],
  );
  const headers = { authorization: `Bearer ${KEY}` };
  const content = await fetch(`${next.url}/v1/files/${kept.id}/content`, { headers });
  assert.equal((await content.arrayBuffer()).byteLength, 100_000);
});

test('an upload that stands still ends with 408, and one that the drain cuts with 503; nothing stays of them', async (t) => {
  const gateway = await started(t, { server: { timeouts: { body_ms: 300, drain_ms: 200 } } });
  const silent = await begin(gateway);
  assert.match(await silent.until((text) => text.includes('body_timeout')), /^HTTP\/1.1 408 /);
  await eventually('nothing is left', async () => (await blobs(gateway.folder)).length === 0);
  const open = await begin(gateway);
  await eventually('the upload has begun', async () => (await blobs(gateway.folder)).length === 1);
  const talk = setInterval(() => open.send(Buffer.alloc(1000)), 50);
  t.after(() => clearInterval(talk));
  assert.equal(await gateway.stop(), 0);
  assert.match(open.text(), /^HTTP\/1.1 503 .*draining/s);
  assert.deepEqual(await blobs(gateway.folder), []);
});

test('a full disk is 503, leaves nothing behind, and the next file that fits is taken', {
  skip: smallDiskSkip(),
}, async (t) => {
  const disk = smallDisk(4 * 1024 * 1024);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  let gateway: RunningGateway | undefined;
  t.after(async () => {
    await gateway?.[Symbol.asyncDispose]();
    disk.unmount();
    await rm(folder, { recursive: true, force: true });
  });
  await mkdir(join(folder, 'data'));
  await symlink(disk.folder, join(folder, 'data/blobs'));
  gateway = await startGateway({ folder });
  const full = await upload(gateway, 8_000_000);
  assert.deepEqual([full.status, full.error?.code], [503, 'blobs_unavailable']);
  assert.match(full.error?.message ?? '', /disk is full/);
  await eventually('nothing is left', async () => (await blobs(folder)).length === 0);
  assert.equal((await upload(gateway, 1_000_000)).status, 200);
});
