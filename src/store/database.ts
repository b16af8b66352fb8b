import type { Database } from './database-engine.ts';
import { openPostgres } from './postgres-database.ts';
import { openSqlite } from './sqlite-database.ts';

export type { Database, DatabaseTransaction } from './database-engine.ts';

/** The settings that say where it is. */
export interface DatabasePlace {
  /** `sqlite`: a file in the data folder; or a `postgres://` URL. */
  readonly database: string;
  readonly dataDir: string;
}

/** A server that starts at the same moment as the gateway is waited for so long. */
const START_MS = 10_000;

/**
 * Made and brought to the newest form if need be. A data folder alone: SQLite in it. Throws a StoreFault; where a server
 * does not answer, after `waitMs`.
 */
export function openDatabase(place: DatabasePlace | string, waitMs = START_MS): Promise<Database> {
  if (typeof place === 'string') return openSqlite(place);
  return place.database === 'sqlite' ? openSqlite(place.dataDir) : openPostgres(place.database, waitMs);
}

export function databasePlace(settings: { dataDir: string; store: { database: string } }): DatabasePlace {
  return { database: settings.store.database, dataDir: settings.dataDir };
}
