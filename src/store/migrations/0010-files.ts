import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Files that callers uploaded; their bytes are in the blob store, under the same id. */
export const files: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('files')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('owner', 'text', (column) => column.notNull())
      .addColumn('created_by', 'text', (column) => column.notNull())
      .addColumn('filename', 'text', (column) => column.notNull())
      .addColumn('purpose', 'text', (column) => column.notNull())
      .addColumn('bytes', 'bigint', (column) => column.notNull())
      .addColumn('sha256', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('expires_at', 'bigint')
      .execute();
    await database.schema.createIndex('files_by_owner').on('files').columns(['owner', 'created_at', 'id']).execute();
    await database.schema.createIndex('files_by_end').on('files').columns(['expires_at']).execute();
  },
};
