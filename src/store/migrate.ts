import { type Kysely, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { MIGRATIONS } from './migrations.ts';
import { packageVersion } from './package-version.ts';

/** Nothing of it was changed. The message goes on from the name of the database. */
export class NewerDatabase extends Error {
  override readonly name = 'NewerDatabase';
}

/**
 * Brings the tables to the form that this version knows. Throws what the engine throws, or a NewerDatabase. `schema`:
 * where PostgreSQL makes tables; without it kysely takes those of any schema, an other application's too, for ours.
 */
export async function migrateToLatest<T>(query: Kysely<T>, schema?: string): Promise<void> {
  const provider = { getMigrations: async () => MIGRATIONS };
  const { error, results = [] } = await new Migrator({
    db: query,
    provider,
    ...(schema === undefined ? {} : { migrationTableSchema: schema }),
  }).migrateToLatest();
  if (error === undefined) {
    if (results.length > 0) await keepVersion(query);
    return;
  }
  const later = await laterMigrations(query);
  if (later.length === 0) throw error;
  const known = Object.keys(MIGRATIONS).at(-1);
  throw new NewerDatabase(
    `was made by a newer version of Sluice: ${await newestVersion(query)}, which brought it to the form ${later.at(-1)}. ` +
      `This is Sluice ${packageVersion()}, which knows forms up to ${known}. ` +
      'Run that version or a later one, or restore a backup from before the upgrade.',
  );
}

async function keepVersion<T>(query: Kysely<T>): Promise<void> {
  const at = new Date().toISOString();
  await sql`
    insert into sluice_versions (version, migrated_at) values (${packageVersion()}, ${at})
    on conflict (version) do update set migrated_at = excluded.migrated_at
  `.execute(query);
}

async function newestVersion<T>(query: Kysely<T>): Promise<string> {
  try {
    const { rows } = await sql<{ version: string }>`
      select version from sluice_versions order by migrated_at desc limit 1
    `.execute(query);
    return rows[0]?.version ?? 'an unknown one';
  } catch {
    // A form in which nobody kept it.
    return 'an unknown one';
  }
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
