import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** What was changed through the admin API, and who came into the console; each gateway hashes its own entries into a chain. */
export const audit: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('audit_entries')
      .addColumn('gateway', 'text', (column) => column.notNull())
      .addColumn('seq', 'bigint', (column) => column.notNull())
      .addColumn('id', 'text', (column) => column.notNull().unique())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('entry', 'text', (column) => column.notNull())
      .addColumn('hash', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('audit_entries_key', ['gateway', 'seq'])
      .execute();
    await database.schema
      .createTable('audit_chains')
      .addColumn('gateway', 'text', (column) => column.primaryKey())
      .addColumn('head_seq', 'bigint', (column) => column.notNull())
      .addColumn('head_hash', 'text', (column) => column.notNull())
      .addColumn('anchor_seq', 'bigint', (column) => column.notNull())
      .addColumn('anchor_hash', 'text', (column) => column.notNull())
      .execute();
  },
};
