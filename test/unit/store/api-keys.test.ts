import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import {
  type ApiKey,
  hasIssuedKeys,
  insertKey,
  listKeys,
  revokedKeyIds,
  revokeKey,
} from '../../../src/store/api-keys.ts';
import { type Database, openDatabase } from '../../../src/store/database.ts';

let folder: string;
let database: Database;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-keys-'));
  database = await openDatabase(folder);
});
afterEach(() => database.query.deleteFrom('api_keys').execute());
after(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

const now = new Date('2030-01-01T00:00:00Z');
const key = (id: string, more: Partial<ApiKey> = {}): ApiKey => ({
  id,
  subject: 'user:a@b.c',
  teams: [],
  metadata: {},
  createdAt: now,
  ...more,
});
const days = (count: number) => new Date(now.getTime() + count * 86_400_000);

describe('issued keys', () => {
  it('come back as they were stored', async () => {
    const full = key('key_1', {
      name: "o'hara",
      teams: ['a', 'b,c'],
      models: ['x/*'],
      metadata: { env: 'dev', __proto__x: 'y' },
      expiresAt: days(1),
    });
    await insertKey(database, full);
    await insertKey(database, key('key_2', { createdAt: days(1), models: [] }));
    const [first, second] = await listKeys(database);
    assert.deepEqual(first, { ...full, revokedAt: undefined });
    assert.deepEqual([second?.models, second?.name, second?.expiresAt], [[], undefined, undefined]);
  });

  it('have an id each', async () => {
    await insertKey(database, key('key_1'));
    await assert.rejects(insertKey(database, key('key_1')), /UNIQUE/);
  });

  it('are revoked once: the second time changes nothing, an unknown id is told', async () => {
    await insertKey(database, key('key_1'));
    assert.equal(await revokeKey(database, 'key_1', days(1)), 'revoked');
    assert.equal(await revokeKey(database, 'key_1', days(2)), 'already');
    assert.equal(await revokeKey(database, 'key_2', days(1)), 'unknown');
    assert.deepEqual((await listKeys(database))[0]?.revokedAt, days(1));
  });

  it('that are revoked are listed until a day after they expired', async () => {
    for (const [id, expiresAt] of [
      ['d', undefined],
      ['c', days(1)],
      ['b', days(-0.9)],
      ['a', days(-1.1)],
    ] as const) {
      await insertKey(database, key(id, { expiresAt }));
      await revokeKey(database, id, now);
    }
    await insertKey(database, key('e'));
    assert.deepEqual(await revokedKeyIds(database, now), ['b', 'c', 'd']);
  });

  it('are there from the first one until the last one is revoked', async () => {
    assert.equal(await hasIssuedKeys(database), false);
    await insertKey(database, key('key_1'));
    await insertKey(database, key('key_2'));
    await revokeKey(database, 'key_1', now);
    assert.equal(await hasIssuedKeys(database), true);
    await revokeKey(database, 'key_2', now);
    assert.equal(await hasIssuedKeys(database), false);
  });
});
