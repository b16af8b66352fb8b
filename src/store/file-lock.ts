import { openSqliteFile } from './sqlite-engine.ts';
import { reasonOf, StoreFault, sqliteCode } from './store-fault.ts';

const SQLITE_BUSY = 5;

export interface FileLock {
  release(): void;
}

/**
 * Holds `path` (made if need be) against all other processes until it is released or this process ends, however it ends:
 * the kernel lets go, so nothing stale is left behind, as a file with a process id would be. Undefined: another holds it.
 * Node has no lock on files of its own; SQLite's is one. Not to be asked for twice in one process.
 */
export function lockFile(path: string): FileLock | undefined {
  const file = openSqliteFile(path);
  try {
    file.exec(
      'pragma busy_timeout = 0; pragma locking_mode = exclusive; pragma journal_mode = memory; begin exclusive',
    );
    return { release: () => file.close() };
  } catch (error) {
    file.close();
    if (((sqliteCode(error) ?? 0) & 0xff) === SQLITE_BUSY) return undefined;
    throw new StoreFault(`${path} cannot be locked: ${reasonOf(error)}.`, error);
  }
}
