import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Which version of Sluice brought the database to a new form, and when: for the words of an older one that cannot use it. */
export const sluiceVersions: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('sluice_versions')
      .addColumn('version', 'text', (column) => column.primaryKey().notNull())
      .addColumn('migrated_at', 'text', (column) => column.notNull())
      .execute();
  },
};
