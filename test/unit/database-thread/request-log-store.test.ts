import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { openFiles } from '../../../src/database-thread/file-service.ts';
import { BODIES_OWNER, RequestLogStore } from '../../../src/database-thread/request-log-store.ts';
import { blobFolder } from '../../../src/files/blobs-of.ts';
import { DiskBlobs } from '../../../src/files/disk-blobs.ts';
import { erasePerson } from '../../../src/ledger/erase.ts';
import type { Database } from '../../../src/store/database.ts';
import { findBodies, insertBodyBlobs, type KeptBodies, packedBodies } from '../../../src/store/request-bodies.ts';
import { forEachEngine } from '../../support/engines.ts';

const DAY_MS = 86_400_000;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

const bodies = (text: string): KeptBodies => ({
  request: { content_type: 'application/json', bytes: 2, truncated: false, text: '{}' },
  response: { content_type: 'text/plain', bytes: text.length, truncated: false, text, status: 200 },
});

forEachEngine('bodies in the blob store', (engine) => {
  async function opened(where: 'database' | 'blobs' = 'blobs') {
    const place = await engine.newPlace();
    const database = await engine.open(place);
    const folder = blobFolder(place.dataDir);
    const requestLog = { store: where };
    const settings = () => ({ dataDir: place.dataDir, store: { blobs: 'disk' }, requestLog }) as never;
    const make = (gatewayId: string, into: Database = database) =>
      new RequestLogStore({
        database: into,
        gatewayId,
        blobs: new DiskBlobs(folder, BODIES_OWNER),
        settings,
        log: silent,
      });
    const store = make('gw-1');
    const blobs = async () =>
      (await readdir(folder, { recursive: true }).catch(() => [])).filter((name) => /bodies-\w+$/.test(name));
    return { database, store, make, blobs, requestLog, dataDir: place.dataDir };
  }
  const row = (id: string, subject: string, expiresAt = Date.now() + DAY_MS) => ({
    id,
    subject,
    project: undefined,
    expiresAt,
    data: packedBodies(bodies(`of ${id}`)),
  });
  async function textOf(database: Database, { read }: RequestLogStore, id: string): Promise<string | undefined> {
    const found = await findBodies(database, id, Date.now(), read);
    return (found?.shown as KeptBodies | undefined)?.response.text;
  }

  test('bodies of one subject share a blob, and each is read out of it', async () => {
    const { database, store, blobs } = await opened();
    const ann = store.keep([row('1', 'user:ann'), row('2', 'user:bob')]);
    await Promise.all([ann, store.keep([row('3', 'user:ann')])]);
    assert.equal((await blobs()).length, 2);
    for (const id of ['1', '2', '3']) assert.equal(await textOf(database, store, id), `of ${id}`);
    await store.close();
  });

  test('the blobs of a person go with an erasure, and nobody else loses a body', async () => {
    const { database, store, blobs } = await opened();
    await store.keep([row('1', 'user:ann'), row('2', 'user:bob')]);
    await erasePerson(database, { subject: 'user:ann', metadata: [] });
    assert.equal(await textOf(database, store, '1'), undefined);
    await store.expire();
    assert.equal((await blobs()).length, 1);
    assert.equal(await textOf(database, store, '2'), 'of 2');
    await store.close();
  });

  test('bodies whose time is over are shown no more, and their blobs go with them', async () => {
    const { database, store, blobs } = await opened();
    await store.keep([row('old', 'user:ann', Date.now() - 1), row('new', 'user:ann')]);
    assert.equal((await blobs()).length, 2);
    assert.equal(await textOf(database, store, 'old'), undefined);
    await store.expire();
    assert.equal((await blobs()).length, 1);
    assert.equal(await textOf(database, store, 'new'), 'of new');
    await store.close();
  });

  test('the same exchange twice is kept once, and what was kept in the database before stays readable', async () => {
    const { database, store, requestLog } = await opened('database');
    await store.keep([row('1', 'user:ann')]);
    requestLog.store = 'blobs';
    await store.keep([row('1', 'user:ann'), row('2', 'user:ann')]);
    assert.equal(await textOf(database, store, '1'), 'of 1');
    assert.equal(await textOf(database, store, '2'), 'of 2');
    await store.close();
  });

  test('bodies on the disk of another gateway are told as kept, and neither read nor taken away', async () => {
    const { database, store, make, blobs } = await opened();
    await store.keep([row('1', 'user:ann')]);
    await erasePerson(database, { subject: 'user:nobody', metadata: [] });
    const other = make('gw-2');
    const found = await findBodies(database, '1', Date.now(), other.read);
    assert.deepEqual(found, { project: null, shown: undefined });
    await erasePerson(database, { subject: 'user:ann', metadata: [] });
    await other.expire();
    assert.equal((await blobs()).length, 1);
    await store.expire();
    assert.equal((await blobs()).length, 0);
    await Promise.all([store.close(), other.close()]);
  });

  test('a blob whose gateway was killed behind its row is there after the next start, and one without a row is gone', async () => {
    const { database, store, blobs, dataDir } = await opened();
    const disk = new DiskBlobs(blobFolder(dataDir), BODIES_OWNER);
    for (const id of ['bodies-told', 'bodies-untold']) {
      const writer = disk.create(id);
      await writer.write(Buffer.from('x'));
      await writer.seal();
    }
    await insertBodyBlobs(database, [{ id: 'bodies-told', place: 'gw-1', expiresAt: Date.now() + DAY_MS }]);
    const server = { dataDir, store: { blobs: 'disk' } } as never;
    const files = await openFiles({ database, server, http: () => assert.fail('nobody is asked'), log: silent });
    assert.deepEqual(
      (await blobs()).map((name) => name.split('/').at(-1)),
      ['bodies-told'],
    );
    const blob = await disk.open('bodies-told');
    assert.equal(blob?.bytes, 1);
    await blob?.close();
    await Promise.all([files.close(), store.close()]);
  });

  test('bodies that the database does not take leave no blob', async () => {
    const { database, store, make, blobs } = await opened();
    const full = make('gw-1', { ...database, write: () => Promise.reject(new Error('the disk is full')) });
    await assert.rejects(full.keep([row('1', 'user:ann')]), /full/);
    assert.deepEqual(await blobs(), []);
    await Promise.all([store.close(), full.close()]);
  });
});
