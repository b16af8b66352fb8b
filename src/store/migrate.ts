import { type Kysely, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { MIGRATIONS } from './migrations.ts';

/**
 * Brings the tables to the form that this version knows. Throws what the engine throws, or an error for people. `schema`:
 * where PostgreSQL makes tables; without it kysely takes those of any schema, an other application's too, for ours.
 */
export async function migrateToLatest<T>(query: Kysely<T>, schema?: string): Promise<void> {
  const provider = { getMigrations: async () => MIGRATIONS };
  const { error } = await new Migrator({
    db: query,
    provider,
    ...(schema === undefined ? {} : { migrationTableSchema: schema }),
  }).migrateToLatest();
  if (error === undefined) return;
  const later = await laterMigrations(query);
  if (later.length === 0) throw error;
  throw new Error(`a newer version of Sluice made it (${later.join(', ')}): run that version or a later one`);
}

async function laterMigrations<T>(query: Kysely<T>): Promise<string[]> {
  try {
    const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(query);
    return rows.map((row) => row.name).filter((name) => !Object.hasOwn(MIGRATIONS, name));
  } catch {
    // There is no such table, or no database to ask: then the first error says more.
    return [];
  }
}
