/** Something that is kept in the data folder or the database and cannot be used. The message names it, what is wrong and what to do. */
export class StoreFault extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'StoreFault';
  }
}

/** Where a database was looked for there is none, and none was made. */
export class DatabaseAbsent extends StoreFault {
  constructor(where: string) {
    super(`There is no database of Sluice ${where}: nothing was made. Check store.database and data_dir.`);
  }
}

/** The database server does not answer. It may come back by itself, and everything is as it was. */
export class DatabaseAway extends StoreFault {}

/** SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_RANGE. */
const SQLITE_ROW_FAULTS = new Set([18, 19, 20, 25]);

/**
 * Whether a write failed because of what was to be written: trying again will not help, others may be written without it.
 * Any other failure (away, busy, full, damaged, deadlocked) says nothing about the rows: keep them, and try again later.
 */
export function isRowFault(thrown: unknown): boolean {
  if (thrown instanceof TypeError || thrown instanceof RangeError) return true;
  const code = systemCode(thrown);
  if (code === 'ERR_SQLITE_ERROR') return SQLITE_ROW_FAULTS.has((sqliteCode(thrown) ?? 0) & 0xff);
  // PostgreSQL: data exceptions, and constraints that were violated.
  return code !== undefined && /^2[23][0-9A-Z]{3}$/.test(code);
}

/** The words of whatever was thrown, for a message. */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  // A name with several addresses, of which none answered, gives an error without words around those of each address.
  if (thrown.message === '' && thrown instanceof AggregateError) return thrown.errors.map(reasonOf).join('; ');
  return thrown.message || systemCode(thrown) || thrown.name;
}

/** A system error's code (`ENOENT`), or that of a database, where it has one. */
export function systemCode(thrown: unknown): string | undefined {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** SQLite's extended result code: the low byte is the kind, the rest says why. */
export function sqliteCode(thrown: unknown): number | undefined {
  const code = thrown instanceof Error && 'errcode' in thrown ? thrown.errcode : undefined;
  return typeof code === 'number' ? code : undefined;
}
