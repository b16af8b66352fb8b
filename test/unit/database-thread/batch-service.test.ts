import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ServerSettings } from '../../../src/config/server/server-settings.ts';
import { BatchService } from '../../../src/database-thread/batch-service.ts';
import type { BlobReader, BlobStore } from '../../../src/files/blob-store.ts';
import { DiskBlobs } from '../../../src/files/disk-blobs.ts';
import type { PieceProgress } from '../../../src/store/batch-pieces.ts';
import { insertBatch, type StoredBatch } from '../../../src/store/batches.ts';
import { openDatabase } from '../../../src/store/database.ts';
import { insertFile } from '../../../src/store/files.ts';
import { resultBlock } from '../../../src/store/result-block.ts';
import { eventually } from '../../support/gateway.ts';

const CREATED_AT = 1_800_000_000_000;
const WINDOW_MS = 86_400_000;
const OWNERS = ['user:a'];
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

async function service(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-batches-'));
  const database = await openDatabase(folder);
  const blobs = new DiskBlobs(join(folder, 'blobs'), 'test');
  const clock = { now: CREATED_AT };
  const settings = { store: { blobs: 'disk' }, limits: { maxBodyBytes: 1_000_000 } } as ServerSettings;
  const made = new BatchService({
    database,
    gatewayId: 'g1',
    blobs,
    settings: () => settings,
    onWork() {},
    log: quiet,
    now: () => clock.now,
  });
  await made.start();
  t.after(async () => {
    await made.close();
    await database.close();
    await rm(folder, { recursive: true });
  });
  return { database, blobs, clock, batches: made };
}

async function put(blobs: BlobStore, id: string, text: string): Promise<void> {
  const writer = blobs.create(id);
  await writer.write(Buffer.from(text));
  await writer.seal();
  await writer.publish();
}

async function read(blob: BlobReader | undefined): Promise<{ custom_id: string; error: { code: string } | null }[]> {
  assert.ok(blob);
  const bytes = Buffer.alloc(blob.bytes);
  await blob.read(bytes, 0);
  await blob.close();
  return bytes
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const inputOf = (count: number): string =>
  Array.from({ length: count }, (_, index) =>
    JSON.stringify({ custom_id: `l${index}`, method: 'POST', url: '/v1/embeddings', body: {} }),
  ).join('\n\n');

async function begun(parts: Awaited<ReturnType<typeof service>>, count: number): Promise<StoredBatch> {
  const { database, blobs, batches } = parts;
  const input = inputOf(count);
  await put(blobs, 'file-in', input);
  const file = { id: 'file-in', owner: 'user:a', createdBy: 'user:a', filename: 'in', purpose: 'batch', sha256: '' };
  await insertFile(database, { ...file, bytes: input.length, createdAt: CREATED_AT, expiresAt: undefined });
  const batch: Omit<StoredBatch, 'place'> = {
    id: 'b',
    owner: 'user:a',
    createdBy: 'user:a',
    principalJson: '{}',
    endpoint: '/embeddings',
    inputFileId: 'file-in',
    completionWindow: '24h',
    metadataJson: undefined,
    outputExpiresAfterMs: undefined,
    status: 'validating',
    endsAs: undefined,
    createdAt: CREATED_AT,
    expiresAt: CREATED_AT + WINDOW_MS,
    inProgressAt: undefined,
    cancellingAt: undefined,
    finalizingAt: undefined,
    endedAt: undefined,
    total: 0,
    completed: 0,
    failed: 0,
    outputFileId: undefined,
    errorFileId: undefined,
    faults: [],
  };
  assert.equal((await batches.answer(0, { kind: 'create', batch, owners: OWNERS })).kind, 'batches');
  return until(parts, ({ status }) => status !== 'validating');
}

async function until(
  { batches }: Awaited<ReturnType<typeof service>>,
  holds: (batch: StoredBatch) => boolean,
): Promise<StoredBatch> {
  let found: StoredBatch | undefined;
  await eventually('the batch is as awaited', async () => {
    const answer = await batches.answer(0, { kind: 'find', id: 'b', owners: OWNERS });
    found = answer.kind === 'batches' ? answer.batches[0] : undefined;
    return found !== undefined && holds(found);
  });
  return found!;
}

const resultOf = (line: number) => ({
  line,
  failed: false,
  result: Buffer.from(JSON.stringify({ custom_id: `l${line}`, error: null })),
});

test('a batch that expires ends with what was answered, and names each line that was not', async (t) => {
  const parts = await service(t);
  const { batches, clock, blobs } = parts;
  assert.equal((await begun(parts, 100)).total, 100);
  const claim = () => batches.answer(0, { kind: 'advance', progresses: [], claims: true });
  const advance = (progress: PieceProgress) =>
    batches.answer(0, { kind: 'advance', progresses: [progress], claims: false });
  const advanced = (goOn: boolean) => ({ kind: 'advanced', advanced: { goOn: [goOn], claimed: undefined } });
  const claimed = await claim();
  assert.ok(claimed.kind === 'advanced' && claimed.advanced.claimed?.lines === 16);
  const results = resultBlock([resultOf(0), resultOf(2)]);
  const progress = { batchId: 'b', piece: 0, results, state: 'runs' as const };
  assert.deepEqual(await advance(progress), advanced(true));
  clock.now = CREATED_AT + WINDOW_MS;
  // What runs is waited for, and nothing more is begun.
  const late = { ...progress, results: resultBlock([resultOf(4)]), state: 'left' as const };
  assert.deepEqual(await claim(), { kind: 'advanced', advanced: { goOn: [], claimed: undefined } });
  assert.deepEqual(await advance(late), advanced(false));
  const ended = await until(parts, ({ endedAt }) => endedAt !== undefined);
  assert.equal(ended.status, 'expired');
  assert.deepEqual([ended.total, ended.completed, ended.failed], [100, 3, 97]);
  const output = await read(await blobs.open(ended.outputFileId ?? ''));
  assert.deepEqual(
    output.map(({ custom_id }) => custom_id),
    ['l0', 'l2', 'l4'],
  );
  const errors = await read(await blobs.open(ended.errorFileId ?? ''));
  assert.equal(errors.length, 97);
  assert.deepEqual([errors[0]?.custom_id, errors[0]?.error?.code], ['l1', 'batch_expired']);
  assert.equal(errors.at(-1)?.custom_id, 'l99');
});

test('files that were made before a crash are those of the batch after it', async (t) => {
  const parts = await service(t);
  const { batches, database, blobs } = parts;
  await put(blobs, 'file-out', '{"custom_id":"l0"}\n');
  await insertBatch(database, {
    id: 'b',
    owner: 'user:a',
    createdBy: 'user:a',
    principalJson: '{}',
    place: 'g1',
    endpoint: '/embeddings',
    inputFileId: 'file-in',
    completionWindow: '24h',
    metadataJson: undefined,
    outputExpiresAfterMs: undefined,
    status: 'finalizing',
    endsAs: undefined,
    createdAt: CREATED_AT,
    expiresAt: CREATED_AT + WINDOW_MS,
    inProgressAt: CREATED_AT,
    cancellingAt: undefined,
    finalizingAt: CREATED_AT,
    endedAt: undefined,
    total: 1,
    completed: 1,
    failed: 0,
    outputFileId: undefined,
    errorFileId: undefined,
    faults: [],
  });
  await database.query.updateTable('batches').set({ output_file_id: 'file-out' }).execute();
  await batches.start();
  const ended = await until(parts, ({ endedAt }) => endedAt !== undefined);
  assert.deepEqual([ended.status, ended.outputFileId], ['completed', 'file-out']);
});
