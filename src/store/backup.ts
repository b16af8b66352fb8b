import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { DatabasePlace } from './database.ts';
import { openSqliteFile } from './sqlite-engine.ts';
import { DatabaseAbsent, reasonOf, StoreFault, systemCode } from './store-fault.ts';

/** What of a data folder cannot be made again. */
const FILES = ['signing-key.pem', 'gateway-id', 'default-key'];
const DATABASE = 'sluice.db';
/** Uploaded files; those that are on their way are no part of a backup. */
const BLOBS = 'blobs';
const BLOB_FOLDER = /^[0-9a-f]{2}$/;

/**
 * Copies a data folder into the new folder `target`, while its gateway runs or not: what the database held at one moment,
 * the secrets, and the files that were uploaded. The database is not migrated, so that a newer version backs up what an older one made. Gives the names
 * of the files in the copy. A database on PostgreSQL is not part of it. Throws a StoreFault.
 */
export async function backUp({ database, dataDir }: DatabasePlace, target: string): Promise<string[]> {
  const made: string[] = [];
  try {
    // SQLite would make one that is not there.
    if (database === 'sqlite' && !existsSync(join(dataDir, DATABASE)))
      throw new DatabaseAbsent(`at ${resolve(dataDir, DATABASE)}`);
    await mkdir(target, { recursive: true, mode: 0o700 });
    if ((await readdir(target)).length > 0)
      throw new StoreFault(`${resolve(target)} is not empty: a backup needs a folder of its own.`);
    if (database === 'sqlite') {
      await copyDatabase(join(dataDir, DATABASE), join(target, DATABASE));
      made.push(DATABASE);
    }
    for (const name of FILES) if (await copyIfThere(join(dataDir, name), join(target, name))) made.push(name);
    // Behind the database: a file that it names is there, unless it was deleted meanwhile.
    if (await copyBlobs(join(dataDir, BLOBS), join(target, BLOBS))) made.push(BLOBS);
    return made;
  } catch (error) {
    if (error instanceof StoreFault) throw error;
    throw new StoreFault(`The backup of ${resolve(dataDir)} in ${resolve(target)} failed: ${reasonOf(error)}.`, error);
  }
}

async function copyDatabase(path: string, target: string): Promise<void> {
  const file = openSqliteFile(path);
  try {
    // One read transaction, which keeps nobody from writing.
    file.prepare('vacuum into ?').run(target);
  } finally {
    file.close();
  }
  await chmod(target, 0o600);
}

async function copyBlobs(from: string, target: string): Promise<boolean> {
  const folders = existsSync(from) ? (await readdir(from)).filter((name) => BLOB_FOLDER.test(name)) : [];
  for (const folder of folders) {
    await mkdir(join(target, folder), { recursive: true, mode: 0o700 });
    for (const name of await readdir(join(from, folder)))
      await copyIfThere(join(from, folder, name), join(target, folder, name));
  }
  return folders.length > 0;
}

async function copyIfThere(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to);
    await chmod(to, 0o600);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}
