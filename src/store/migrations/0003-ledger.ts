import { type Kysely, SqliteAdapter, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Rows, rollups, price tables, chains: what the columns mean is said in tables/ledger-tables.ts. */
export const ledger: Migration = {
  async up(database: Kysely<unknown>) {
    // On SQLite this very type makes it the table's own key; any other would cost an index more.
    const key = database.getExecutor().adapter instanceof SqliteAdapter ? 'integer' : 'bigint';
    await database.schema
      .createTable('ledger_rows')
      .addColumn('position', key, (column) => column.primaryKey().notNull())
      .addColumn('id', 'text', (column) => column.notNull().unique())
      .addColumn('labels', 'text', (column) => column.notNull())
      .addColumn('started_at', 'bigint', (column) => column.notNull())
      .addColumn('ended_at', 'bigint', (column) => column.notNull())
      .addColumn('status', 'bigint', (column) => column.notNull())
      .addColumn('input_tokens', 'bigint')
      .addColumn('output_tokens', 'bigint')
      .addColumn('cost_nano_usd', 'bigint')
      .addColumn('numbers', 'text', (column) => column.notNull())
      .addColumn('detail', 'text')
      .addColumn('hash', 'text', (column) => column.notNull())
      .execute();
    await database.schema
      .createTable('ledger_labels')
      .addColumn('labels', 'text', (column) => column.primaryKey().notNull())
      .addColumn('series', 'text', (column) => column.notNull())
      .addColumn('method', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('stream', 'bigint', (column) => column.notNull())
      .addColumn('outcome', 'text', (column) => column.notNull())
      .addColumn('error_code', 'text')
      .addColumn('usage_source', 'text')
      .addColumn('price_table', 'text')
      .addColumn('price_version', 'text')
      .addColumn('rules', 'text')
      .addColumn('charges', 'text')
      .execute();
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
    // People and their tools read it; nothing of ours does.
    await sql`
      create view ledger as
      select ledger_rows.id, started_at, ended_at, subject, key_id, teams, model, target, provider, metadata,
        method, path, stream, status, outcome, error_code, input_tokens, output_tokens, usage_source, cost_nano_usd,
        price_table, price_version, rules, charges, numbers, detail, position, hash
      from ledger_rows
      join ledger_labels on ledger_labels.labels = ledger_rows.labels
      join ledger_series on ledger_series.series = ledger_labels.series`.execute(database);
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
