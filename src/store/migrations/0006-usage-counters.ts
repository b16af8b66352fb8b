import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Sums of counters that have no column of their own: rows, so that a further counter needs no migration. */
export const usageCounters: Migration = {
  async up(database: Kysely<unknown>) {
    for (const table of ['usage_counters_hourly', 'usage_counters_daily']) {
      await database.schema
        .createTable(table)
        .addColumn('series', 'text', (column) => column.notNull())
        .addColumn('starts_at', 'bigint', (column) => column.notNull())
        .addColumn('counter', 'text', (column) => column.notNull())
        .addColumn('amount', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint(`${table}_key`, ['series', 'starts_at', 'counter'])
        .execute();
      await database.schema.createIndex(`${table}_starts_at`).on(table).column('starts_at').execute();
    }
  },
};
