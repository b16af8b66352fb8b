import { sql } from 'kysely';
import type { Database } from './database-engine.ts';

/**
 * Runs work whose purpose is that old values are gone: on SQLite what it replaces is overwritten in the file, and the
 * write-ahead log, which may hold it, is emptied. PostgreSQL keeps old rows until its own vacuum.
 */
export async function withoutTraces<T>(database: Database, work: () => Promise<T>): Promise<T> {
  if (database.engine !== 'sqlite') return work();
  await sql`pragma secure_delete = on`.execute(database.query);
  const result = await work();
  await sql`pragma wal_checkpoint(truncate)`.execute(database.query);
  return result;
}
