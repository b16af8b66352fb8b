import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { Kysely, SqliteDialect, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { makeDataFolder } from './data-folder.ts';
import { MIGRATIONS } from './migrations.ts';
import { asKyselyDatabase, openSqliteFile } from './sqlite-engine.ts';
import { reasonOf, StoreFault } from './store-fault.ts';
import type { Tables } from './tables.ts';

const SQLITE_BUSY = 5;
/** How long a write waits for another process's to end. It blocks the thread meanwhile, and they last milliseconds. */
const BUSY_TIMEOUT_MS = 5000;

/** What lasts. Asked by the main thread and by commands only, never on the way of an exchange. One per process. */
export interface Database {
  readonly query: Kysely<Tables>;
  /** Differs from the last one if anything was written since, by this process or another; costs no table access. */
  changeMark(): Promise<string>;
  /** Nothing may be asked afterwards. */
  close(): Promise<void>;
}

/** `sluice.db` in the data folder, made and brought to the newest form if need be. Throws a StoreFault. */
export async function openDatabase(dataDir: string): Promise<Database> {
  await makeDataFolder(dataDir);
  const path = join(dataDir, 'sluice.db');
  let file: DatabaseSync | undefined;
  try {
    // SQLite would make it readable for all.
    await (await open(path, 'a', 0o600)).close();
    file = openSqliteFile(path);
    await prepareFile(file);
    const query = new Kysely<Tables>({ dialect: new SqliteDialect({ database: asKyselyDatabase(file) }) });
    await migrate(file, query);
    return { query, changeMark: () => changeMark(query), close: () => query.destroy() };
  } catch (error) {
    if (file?.isOpen) file.close();
    throw new StoreFault(
      `The database ${path} cannot be used: ${reasonOf(error)}. ` +
        'Check that it is ours to read and write; if it is damaged, restore it from a backup, or move it away to start anew.',
      error,
    );
  }
}

/** While the file is prepared, busy is waited for without blocking: a second opening in this process must let the first go on. */
async function prepareFile(file: DatabaseSync): Promise<void> {
  file.exec('pragma busy_timeout = 0');
  // Write-ahead: commands and the gateway use the file at once, and readers never wait. FULL: a revocation that was
  // reported done has reached the disk.
  await whileBusy(() => file.exec('pragma journal_mode = wal'));
  file.exec('pragma synchronous = full; pragma foreign_keys = on');
}

/** One process at a time: kysely takes no lock on SQLite, and two that start at once would both create the tables. */
async function migrate(file: DatabaseSync, query: Kysely<Tables>): Promise<void> {
  await whileBusy(() => file.exec('begin immediate'));
  const provider = { getMigrations: async () => MIGRATIONS };
  const { error } = await new Migrator({ db: query, provider }).migrateToLatest();
  file.exec(error === undefined ? 'commit' : 'rollback');
  if (error !== undefined) throw error;
  file.exec(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}`);
}

async function whileBusy(step: () => void): Promise<void> {
  const giveUpAt = performance.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    try {
      step();
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() > giveUpAt) throw error;
      await delay(10);
    }
  }
}

/** The low byte: the rest says why it is busy, as SQLITE_BUSY_RECOVERY while another process reads the log after a crash. */
function isBusy(error: unknown): boolean {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' && (code & 0xff) === SQLITE_BUSY;
}

/** `data_version` moves with the writes of other connections, `total_changes` with our own. */
async function changeMark(query: Kysely<Tables>): Promise<string> {
  const others = await sql<{ data_version: number }>`pragma data_version`.execute(query);
  const ours = await sql<{ changes: number }>`select total_changes() as changes`.execute(query);
  return `${others.rows[0]?.data_version}:${ours.rows[0]?.changes}`;
}
