import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Answers that callers may go on from. */
export const responses: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('responses')
      .addColumn('owner', 'text', (column) => column.notNull())
      .addColumn('id', 'text', (column) => column.notNull())
      .addColumn('target', 'text', (column) => column.notNull())
      .addColumn('at_provider', 'integer', (column) => column.notNull())
      .addColumn('previous_id', 'text')
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .addColumn('input', 'text', (column) => column.notNull())
      .addColumn('response', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('responses_pk', ['owner', 'id'])
      .execute();
    await database.schema.createIndex('responses_by_end').on('responses').columns(['expires_at']).execute();
  },
};
