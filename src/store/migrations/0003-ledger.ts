import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Rows, rollups, price tables, chains: what the columns mean is said in tables/ledger-tables.ts. */
export const ledger: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('ledger_rows')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('position', 'bigint', (column) => column.notNull())
      .addColumn('series', 'text', (column) => column.notNull())
      .addColumn('started_at', 'bigint', (column) => column.notNull())
      .addColumn('ended_at', 'bigint', (column) => column.notNull())
      .addColumn('status', 'bigint', (column) => column.notNull())
      .addColumn('outcome', 'text', (column) => column.notNull())
      .addColumn('error_code', 'text')
      .addColumn('input_tokens', 'bigint')
      .addColumn('output_tokens', 'bigint')
      .addColumn('cost_nano_usd', 'bigint')
      .addColumn('price_table', 'text')
      .addColumn('details', 'text', (column) => column.notNull())
      .addColumn('hash', 'text', (column) => column.notNull())
      .execute();
    // Two rows at one place of a chain would be a fork of it.
    await database.schema.createIndex('ledger_rows_position').unique().on('ledger_rows').column('position').execute();
    await database.schema
      .createTable('ledger_series')
      .addColumn('series', 'text', (column) => column.primaryKey().notNull())
      .addColumn('subject', 'text')
      .addColumn('key_id', 'text')
      .addColumn('teams', 'text')
      .addColumn('model', 'text')
      .addColumn('target', 'text')
      .addColumn('provider', 'text')
      .addColumn('metadata', 'text')
      .execute();
    await database.schema
      .createTable('ledger_chains')
      .addColumn('gateway', 'text', (column) => column.primaryKey().notNull())
      .addColumn('chain', 'bigint', (column) => column.notNull().unique())
      .addColumn('head_seq', 'bigint', (column) => column.notNull())
      .addColumn('head_hash', 'text', (column) => column.notNull())
      .addColumn('anchor_seq', 'bigint', (column) => column.notNull())
      .addColumn('anchor_hash', 'text', (column) => column.notNull())
      .execute();
    await database.schema
      .createTable('price_tables')
      .addColumn('hash', 'text', (column) => column.primaryKey().notNull())
      .addColumn('rates', 'text', (column) => column.notNull())
      .addColumn('version', 'text', (column) => column.notNull())
      .execute();
    for (const table of ['usage_hourly', 'usage_daily']) {
      let sums = database.schema
        .createTable(table)
        .addColumn('series', 'text', (column) => column.notNull())
        .addColumn('starts_at', 'bigint', (column) => column.notNull());
      for (const sum of SUMS) sums = sums.addColumn(sum, 'bigint', (column) => column.notNull());
      await sums.addPrimaryKeyConstraint(`${table}_key`, ['series', 'starts_at']).execute();
      await database.schema.createIndex(`${table}_starts_at`).on(table).column('starts_at').execute();
    }
  },
};

const SUMS = [
  'requests',
  'errors',
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_creation_tokens',
  'reasoning_tokens',
  'estimated_requests',
  'unknown_usage_requests',
  'cost_nano_usd',
  'unknown_cost_requests',
  'duration_ms',
  'overhead_us',
] as const;
