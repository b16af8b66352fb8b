import { type Kysely, SqliteAdapter, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Kept bodies: tables/request-log-tables.ts describes the columns. */
export const requestLog: Migration = {
  async up(database: Kysely<unknown>) {
    const isSqlite = database.getExecutor().adapter instanceof SqliteAdapter;
    const bytes = isSqlite ? sql`blob` : sql`bytea`;
    await database.schema
      .createTable('request_bodies')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('subject', 'text')
      .addColumn('project', 'text')
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .addColumn('data', bytes, (column) => column.notNull())
      .execute();
    await database.schema.createIndex('request_bodies_expiry').on('request_bodies').column('expires_at').execute();
    await database.schema.createIndex('request_bodies_subject').on('request_bodies').column('subject').execute();
  },
};
