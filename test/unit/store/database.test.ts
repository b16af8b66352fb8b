import assert from 'node:assert/strict';
import { mkdir, mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Kysely, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { insertKey } from '../../../src/store/api-keys.ts';
import { openDatabase } from '../../../src/store/database.ts';
import { MIGRATIONS } from '../../../src/store/migrations.ts';
import { packageVersion } from '../../../src/store/package-version.ts';
import { SqliteFileDialect } from '../../../src/store/sqlite-dialect.ts';
import { openSqliteFile } from '../../../src/store/sqlite-engine.ts';
import { StoreFault } from '../../../src/store/store-fault.ts';
import type { Tables } from '../../../src/store/tables.ts';
import { storedKeys } from '../../support/stored-keys.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-database-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const key = (id: string) => ({ id, subject: 'user:a@b.c', teams: [], metadata: {}, createdAt: new Date() });

describe('the database', () => {
  it('a database makes its folder and file for this user alone', async () => {
    const dataDir = join(folder, 'deep', 'data');
    await (await openDatabase(dataDir)).close();
    assert.equal((await stat(dataDir)).mode & 0o777, 0o700);
    assert.equal((await stat(join(dataDir, 'sluice.db'))).mode & 0o777, 0o600);
  });

  it('a database leaves the mode of a folder that exists', async () => {
    await mkdir(join(folder, 'shared'), { mode: 0o750 });
    await (await openDatabase(join(folder, 'shared'))).close();
    assert.equal((await stat(join(folder, 'shared'))).mode & 0o777, 0o750);
  });

  it('a SQLite database is read while it is written, and a write waits for that of another process without blocking', async () => {
    const database = await openDatabase(folder);
    const other = openSqliteFile(join(folder, 'sluice.db'));
    other.exec('begin immediate');
    let written = false;
    const write = insertKey(database, key('key_late')).then(() => {
      written = true;
    });
    assert.deepEqual(await storedKeys(database), []);
    assert.equal(written, false);
    other.exec('commit');
    await write;
    other.close();
    await database.write(async ({ query }) => {
      await query.deleteFrom('api_keys').execute();
      assert.equal((await storedKeys(database)).length, 1, 'beside a transaction');
    });
    assert.deepEqual(await storedKeys(database), []);
    await database.close();
  });

  it('a SQLite database writes ahead and through to the disk', async () => {
    const database = await openDatabase(folder);
    const one = async (pragma: string) =>
      Object.values((await sql<object>`pragma ${sql.raw(pragma)}`.execute(database.query)).rows[0] ?? {})[0];
    assert.deepEqual([await one('journal_mode'), await one('synchronous')], ['wal', 2]);
    assert.equal(await one('busy_timeout'), 0, 'it would block the thread');
    await database.close();
  });

  it('a database of every earlier form is brought to the newest one, with the keys that are in it', async () => {
    const names = Object.keys(MIGRATIONS);
    for (const [at, last] of names.slice(0, -1).entries()) {
      const dataDir = join(folder, last);
      await mkdir(dataDir);
      const file = openSqliteFile(join(dataDir, 'sluice.db'));
      const query = new Kysely<Tables>({
        dialect: new SqliteFileDialect({ files: () => ({ writer: file, reader: undefined }), path: '', busyMs: 0 }),
      });
      const known = Object.fromEntries(Object.entries(MIGRATIONS).slice(0, at + 1));
      const { error } = await new Migrator({
        db: query,
        provider: { getMigrations: async () => known },
      }).migrateToLatest();
      assert.equal(error, undefined);
      await sql`
        insert into api_keys (id, subject, teams, metadata, created_at)
        values ('key_old', 'user:bob@example.com', '[]', '{}', '2026-01-01T00:00:00.000Z')
      `.execute(query);
      await query.destroy();
      const database = await openDatabase(dataDir);
      assert.deepEqual(
        (await storedKeys(database)).map(({ id }) => id),
        ['key_old'],
        last,
      );
      const { rows } = await sql<{ version: string }>`select version from sluice_versions`.execute(database.query);
      assert.deepEqual(
        rows.map(({ version }) => version),
        [packageVersion()],
      );
      await database.close();
    }
  });

  it('a released migration is never changed', () => {
    assert.deepEqual(Object.keys(MIGRATIONS), [...Object.keys(MIGRATIONS)].sort());
    assert.equal(Object.keys(MIGRATIONS)[0], '0001-api-keys');
  });
});

describe('a database that cannot be used', () => {
  const refused = (dataDir: string) =>
    assert.rejects(openDatabase(dataDir), (error) => {
      assert.ok(error instanceof StoreFault, String(error));
      assert.ok(error.message.includes(dataDir), error.message);
      return true;
    });

  it('a file that is no database is refused with its path and a remedy', async () => {
    await writeFile(join(folder, 'sluice.db'), 'this is a text that somebody put here by mistake. '.repeat(100));
    await refused(folder);
  });

  it('a database whose pages are damaged is refused with its path and a remedy', async () => {
    const database = await openDatabase(folder);
    await insertKey(database, key('key_1'));
    await database.close();
    const file = await open(join(folder, 'sluice.db'), 'r+');
    await file.write(Buffer.alloc(4096 - 100, 0xee), 0, 4096 - 100, 100);
    await file.close();
    await refused(folder);
  });

  it('a folder in place of a database is refused with its path and a remedy', async () => {
    await mkdir(join(folder, 'sluice.db'));
    await refused(folder);
  });

  it('a file in place of the data folder is refused with its path and a remedy', async () => {
    await writeFile(join(folder, 'data'), '');
    await refused(join(folder, 'data'));
  });
});
