import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Bodies may lie in the blob store: the columns are said in tables/request-log-tables.ts. */
export const requestLogBlobs: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema.alterTable('request_bodies').addColumn('blob', 'text').execute();
    await database.schema.alterTable('request_bodies').addColumn('blob_at', 'bigint').execute();
    await database.schema.alterTable('request_bodies').addColumn('blob_bytes', 'bigint').execute();
    await database.schema
      .createTable('request_body_blobs')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('place', 'text', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .execute();
    await database.schema
      .createIndex('request_body_blobs_expiry')
      .on('request_body_blobs')
      .columns(['place', 'expires_at'])
      .execute();
  },
};
