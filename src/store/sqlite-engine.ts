import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { SqliteDatabase } from 'kysely';

/** The one place that loads node:sqlite. */
export function openSqliteFile(path: string): DatabaseSync {
  const { DatabaseSync } = loadQuietly();
  return new DatabaseSync(path);
}

/**
 * Node 22 calls the module experimental on stderr when it is loaded: nothing that a user of the command can act on.
 * Loading is synchronous, so no other warning can be lost meanwhile.
 */
function loadQuietly(): typeof import('node:sqlite') {
  const emitWarning = process.emitWarning;
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule('node:sqlite');
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** node:sqlite in the shape that kysely's SQLite dialect asks for. */
export function asKyselyDatabase(file: DatabaseSync): SqliteDatabase {
  return {
    close: () => file.close(),
    prepare(sql) {
      // A transaction that begins as a reader and then writes fails at once, without the busy wait, when another
      // process wrote in between. All of ours write.
      const statement = file.prepare(sql === 'begin' ? 'begin immediate' : sql);
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...parameters.map(asSqlValue)),
        run: (parameters) => statement.run(...parameters.map(asSqlValue)),
        iterate: (parameters) => statement.iterate(...parameters.map(asSqlValue)),
      };
    },
  };
}

function asSqlValue(value: unknown): SQLInputValue {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint')
    return value;
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`SQLite has no value for ${typeof value}`);
}
