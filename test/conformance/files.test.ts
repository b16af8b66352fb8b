import assert from 'node:assert/strict';
import { it } from 'node:test';
import {
  deleteExpired,
  deleteFile,
  eraseFilesOf,
  expiredFiles,
  type FileFilter,
  fileExists,
  findFile,
  insertFile,
  pageOfFiles,
  type StoredFile,
} from '../../src/store/files.ts';
import { forEachEngine } from '../support/engines.ts';

const file = (id: string, more: Partial<StoredFile> = {}): StoredFile => ({
  id,
  owner: 'user:a',
  createdBy: 'user:a',
  filename: 'a.txt',
  purpose: 'batch',
  bytes: 5_000_000_000,
  sha256: 'ab',
  createdAt: 1_800_000_000_000,
  expiresAt: undefined,
  ...more,
});
const filter = (more: Partial<FileFilter> = {}): FileFilter => ({
  owners: ['user:a', 'team:t'],
  purpose: undefined,
  order: 'asc',
  after: undefined,
  limit: 10,
  ...more,
});
const NOW = 1_800_000_001_000;

forEachEngine('rows of files', (engine) => {
  it('a file is found by its owners alone, as it was written', async () => {
    const database = await engine.open();
    const written = file('f1', { filename: 'a\0é.txt' });
    await insertFile(database, written);
    const read = { ...written, filename: 'a\ufffdé.txt' };
    assert.deepEqual(await findFile(database, 'f1', ['team:x', 'user:a'], NOW), read);
    assert.equal(await findFile(database, 'f1', ['user:b'], NOW), undefined);
    assert.equal(await deleteFile(database, 'f1', ['user:b']), false);
    assert.equal(await deleteFile(database, 'f1', ['user:a']), true);
    assert.equal(await deleteFile(database, 'f1', ['user:a']), false);
    assert.equal(await fileExists(database, 'f1'), false);
  });

  it('pages go on behind their last file, although several came in the same moment', async () => {
    const database = await engine.open();
    for (const id of ['d', 'b', 'a']) await insertFile(database, file(id));
    await insertFile(database, file('c', { owner: 'team:t', purpose: 'vision', createdAt: 1_800_000_000_500 }));
    await insertFile(database, file('z', { owner: 'user:b' }));
    const ids = async (more: Partial<FileFilter>) =>
      (await pageOfFiles(database, filter(more), NOW))?.map(({ id }) => id);
    assert.deepEqual(await ids({}), ['a', 'b', 'd', 'c']);
    assert.deepEqual(await ids({ order: 'desc' }), ['c', 'd', 'b', 'a']);
    assert.deepEqual(await ids({ after: 'b', limit: 1 }), ['d']);
    assert.deepEqual(await ids({ after: 'b', order: 'desc' }), ['a']);
    assert.deepEqual(await ids({ purpose: 'vision' }), ['c']);
    assert.equal(await ids({ after: 'z' }), undefined);
  });

  it('the files of an erased subject end, and no row names it any more', async () => {
    const database = await engine.open();
    await insertFile(database, file('own'));
    await insertFile(database, file('shared', { owner: 'team:t' }));
    await database.write(({ query }) => eraseFilesOf(query, 'user:a', 'user:nobody', NOW));
    assert.equal(await findFile(database, 'own', ['user:a', 'user:nobody'], NOW), undefined);
    assert.deepEqual(await expiredFiles(database, NOW, 10), ['own']);
    assert.equal((await findFile(database, 'shared', ['team:t'], NOW))?.createdBy, 'user:nobody');
  });

  it('a file that has expired is seen by nobody, and is deleted only then', async () => {
    const database = await engine.open();
    await insertFile(database, file('old', { expiresAt: NOW }));
    await insertFile(database, file('new', { expiresAt: NOW + 1 }));
    assert.deepEqual(
      (await pageOfFiles(database, filter(), NOW))?.map(({ id }) => id),
      ['new'],
    );
    assert.equal(await findFile(database, 'old', ['user:a'], NOW), undefined);
    assert.deepEqual(await expiredFiles(database, NOW, 10), ['old']);
    for (const id of ['old', 'new']) await deleteExpired(database, id, NOW);
    assert.deepEqual([await fileExists(database, 'old'), await fileExists(database, 'new')], [false, true]);
  });
});
