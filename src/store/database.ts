import type { Database } from './database-engine.ts';
import { openExistingSqlite, openSqlite } from './sqlite-database.ts';

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
export async function openDatabase(place: DatabasePlace | string, waitMs = START_MS): Promise<Database> {
  if (typeof place === 'string') return openSqlite(place);
  if (place.database === 'sqlite') return openSqlite(place.dataDir);
  const { openPostgres } = await postgres();
  return openPostgres(place.database, waitMs);
}

/** Only where there is one, for whoever merely looks: a mistyped folder would be found in good order, and empty. */
export async function openExistingDatabase(place: DatabasePlace, waitMs = START_MS): Promise<Database> {
  if (place.database === 'sqlite') return openExistingSqlite(place.dataDir);
  const { openExistingPostgres } = await postgres();
  return openExistingPostgres(place.database, waitMs);
}

/** Its driver is loaded only where it is used: a start waits for every module. */
function postgres() {
  return import('./postgres-database.ts');
}

export function databasePlace(settings: { dataDir: string; store: { database: string } }): DatabasePlace {
  return { database: settings.store.database, dataDir: settings.dataDir };
}
