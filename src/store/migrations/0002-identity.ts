import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Opaque keys, rotation, signing keys of the gateways of a cluster. */
export const identity: Migration = {
  async up(database: Kysely<unknown>) {
    // One column a statement: SQLite adds no more at once.
    const table = () => database.schema.alterTable('api_keys');
    await table()
      .addColumn('token_type', 'text', (column) => column.notNull().defaultTo('jwt'))
      .execute();
    await table().addColumn('token_hash', 'text').execute();
    await table().addColumn('replaced_by', 'text').execute();
    await table()
      .addColumn('version', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute();
    await database.schema.createIndex('api_keys_token_hash').unique().on('api_keys').column('token_hash').execute();
    await database.schema.createIndex('api_keys_version').on('api_keys').column('version').execute();
    await database.schema.createIndex('api_keys_created_at').on('api_keys').columns(['created_at', 'id']).execute();
    await database.schema
      .createTable('signing_keys')
      .addColumn('kid', 'text', (column) => column.primaryKey().notNull())
      .addColumn('public_key_pem', 'text', (column) => column.notNull())
      .addColumn('gateway', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .execute();
    await database.schema
      .createTable('key_version')
      .addColumn('id', 'bigint', (column) => column.primaryKey().notNull())
      .addColumn('n', 'bigint', (column) => column.notNull())
      .execute();
    // The tables of this moment, not those that queries know.
    const rows = database as Kysely<{ key_version: { id: number; n: number } }>;
    await rows.insertInto('key_version').values({ id: 1, n: 1 }).execute();
  },
};
