import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { insertKey, revokeKey } from '../../../src/store/api-keys.ts';
import { type Database, openDatabase } from '../../../src/store/database.ts';
import { watchRevokedKeys } from '../../../src/store/key-watch.ts';

let folder: string;
let gateway: Database;
let command: Database;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-watch-'));
  gateway = await openDatabase(folder);
  command = await openDatabase(folder);
  for (const id of ['key_1', 'key_2'])
    await insertKey(command, { id, subject: 'user:a@b.c', teams: [], metadata: {}, createdAt: new Date() });
});
afterEach(async () => {
  await Promise.all([gateway.close(), command.close()]);
  await rm(folder, { recursive: true });
});

/** The watch does not keep the process alive, so this does; and it fails where the event is late. */
function within<T>(limitMs: number, start: (resolve: (value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`nothing within ${limitMs} ms`)), limitMs);
    start((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}
const unexpected = (error: unknown) => assert.fail(String(error));

describe('the watch over revoked keys', () => {
  it('tells of a key that another process revoked within a second', async () => {
    let heard: (ids: readonly string[]) => void = () => assert.fail('told before anything happened');
    const watch = watchRevokedKeys(gateway, { initial: [], onChange: (ids) => heard(ids), onFault: unexpected });
    const ids = await within<readonly string[]>(1000, (resolve) => {
      heard = resolve;
      void revokeKey(command, 'key_1', new Date());
    });
    assert.deepEqual(ids, ['key_1']);
    watch.stop();
  });

  it('tells of a key that this process revoked itself, with all those before it', async () => {
    await revokeKey(command, 'key_1', new Date());
    let heard: (ids: readonly string[]) => void = () => assert.fail('told of what was known');
    const watch = watchRevokedKeys(gateway, { initial: ['key_1'], onChange: (ids) => heard(ids), onFault: unexpected });
    const ids = await within<readonly string[]>(1000, (resolve) => {
      heard = resolve;
      void revokeKey(gateway, 'key_2', new Date());
    });
    assert.deepEqual(ids, ['key_1', 'key_2']);
    watch.stop();
  });

  it('tells of a key that was revoked between the first reading and its start', async () => {
    await revokeKey(command, 'key_1', new Date());
    const ids = await within<readonly string[]>(1000, (resolve) => {
      const watch = watchRevokedKeys(gateway, {
        initial: [],
        onChange: (changed) => {
          watch.stop();
          resolve(changed);
        },
        onFault: unexpected,
      });
    });
    assert.deepEqual(ids, ['key_1']);
  });

  it('says once that the database cannot be read', async () => {
    const broken = await openDatabase(folder);
    await broken.close();
    let faults = 0;
    const watch = watchRevokedKeys(broken, {
      initial: [],
      onChange: () => assert.fail(),
      onFault: () => (faults += 1),
    });
    await within<void>(3000, (resolve) => setTimeout(resolve, 1700));
    watch.stop();
    assert.equal(faults, 1);
  });
});
