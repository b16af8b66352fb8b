import { access, open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { Kysely } from 'kysely';
import { makeDataFolder } from './data-folder.ts';
import type { Database } from './database-engine.ts';
import { migrateToLatest, NewerDatabase } from './migrate.ts';
import { SQLITE_BUSY, SqliteFileDialect } from './sqlite-dialect.ts';
import { openSqliteFile } from './sqlite-engine.ts';
import { sqliteRowWriter } from './sqlite-rows.ts';
import { DatabaseAbsent, reasonOf, StoreFault, sqliteCode } from './store-fault.ts';
import type { Tables } from './tables.ts';

/** How long a write waits for another process's to end. They last milliseconds. */
const BUSY_TIMEOUT_MS = 5000;
/** The log grows over this only while a reader holds it back, and is cut to it afterwards. */
const MAX_IDLE_LOG_BYTES = 64 * 1024 * 1024;

const FILE_NAME = 'sluice.db';

export async function openExistingSqlite(dataDir: string): Promise<Database> {
  try {
    await access(join(dataDir, FILE_NAME));
  } catch {
    // Whatever the reason: it cannot be opened as it is, and must not be made.
    throw new DatabaseAbsent(`at ${resolve(dataDir, FILE_NAME)}`);
  }
  return openSqlite(dataDir);
}

/** `sluice.db` in the data folder. */
export async function openSqlite(dataDir: string): Promise<Database> {
  await makeDataFolder(dataDir);
  const path = join(dataDir, FILE_NAME);
  let file: DatabaseSync | undefined;
  let reader: DatabaseSync | undefined;
  try {
    // SQLite would make it readable for all.
    await (await open(path, 'a', 0o600)).close();
    file = openSqliteFile(path);
    const writer = file;
    await prepareFile(file);
    const files = () => ({ writer, reader });
    const dialect = new SqliteFileDialect({ files, path, busyMs: BUSY_TIMEOUT_MS });
    const query = new Kysely<Tables>({ dialect });
    await migrate(file, query);
    // Behind the migration, of which nobody else sees anything before it is over.
    reader = openSqliteFile(path);
    reader.exec('pragma busy_timeout = 0; pragma query_only = on');
    const rows = sqliteRowWriter(file);
    return {
      engine: 'sqlite',
      query,
      write: (work) => query.transaction().execute((transaction) => work({ ...rows, query: transaction })),
      writeSoon: (work) => dialect.writeSoon(work),
      close: () => query.destroy(),
    };
  } catch (error) {
    for (const opened of [reader, file]) if (opened?.isOpen) opened.close();
    if (error instanceof NewerDatabase) throw new StoreFault(`The database ${path} ${error.message}`, error);
    throw new StoreFault(
      `The database ${path} cannot be used: ${reasonOf(error)}. ` +
        'Check that it is ours to read and write; if it is damaged, restore it from a backup, or move it away to start anew.',
      error,
    );
  }
}

/** While the file is prepared, busy is waited for without blocking: a second opening in this process must let the first go on. */
async function prepareFile(file: DatabaseSync): Promise<void> {
  // Larger pages than usual, of a file that is made now: rows of the ledger cost a tenth less (bench: ledger-cost).
  file.exec('pragma page_size = 16384; pragma busy_timeout = 0');
  // Write-ahead: commands and the gateway use the file at once, and readers never wait.
  await whileBusy(() => file.exec('pragma journal_mode = wal'));
  // FULL: a revocation that was reported done has reached the disk, and so have rows whose journal is dropped.
  file.exec(`
    pragma synchronous = full;
    pragma foreign_keys = on;
    pragma journal_size_limit = ${MAX_IDLE_LOG_BYTES};
  `);
}

/** One process at a time: kysely takes no lock on SQLite, and two that start at once would both create the tables. */
async function migrate(file: DatabaseSync, query: Kysely<Tables>): Promise<void> {
  await whileBusy(() => file.exec('begin immediate'));
  try {
    await migrateToLatest(query);
    file.exec('commit');
  } catch (error) {
    file.exec('rollback');
    throw error;
  }
}

async function whileBusy(step: () => void): Promise<void> {
  const giveUpAt = performance.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    try {
      step();
      return;
    } catch (error) {
      // The low byte: another process that reads the log after a crash is SQLITE_BUSY_RECOVERY.
      if (((sqliteCode(error) ?? 0) & 0xff) !== SQLITE_BUSY || performance.now() > giveUpAt) throw error;
      await delay(10);
    }
  }
}
