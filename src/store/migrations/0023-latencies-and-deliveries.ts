import { type Kysely, SqliteAdapter, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

const FIRST_CONTENT_BUCKETS = 12;
const OVERHEAD_BUCKETS = 8;

/** Histograms of latencies beside the sums of usage, and what became of messages about budgets. */
export const latenciesAndDeliveries: Migration = {
  async up(database: Kysely<unknown>) {
    const columns = [
      ...Array.from({ length: FIRST_CONTENT_BUCKETS }, (_, bucket) => `first_content_${bucket}`),
      ...Array.from({ length: OVERHEAD_BUCKETS }, (_, bucket) => `overhead_${bucket}`),
    ];
    const isSqlite = database.getExecutor().adapter instanceof SqliteAdapter;
    for (const table of ['usage_latencies_hourly', 'usage_latencies_daily']) {
      let create = database.schema
        .createTable(table)
        .addColumn('series', 'text', (column) => column.notNull())
        .addColumn('starts_at', 'bigint', (column) => column.notNull());
      for (const name of columns) create = create.addColumn(name, 'bigint', (column) => column.notNull());
      // By time first: that is what they are asked by, and no further index is written.
      create = create.addPrimaryKeyConstraint(`${table}_key`, ['starts_at', 'series']);
      await (isSqlite ? create.modifyEnd(sql`without rowid`) : create).execute();
    }
    const deliveries = database.schema
      .createTable('alert_deliveries')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('budget', 'text', (column) => column.notNull())
      .addColumn('unit', 'text', (column) => column.notNull())
      .addColumn('period_start', 'bigint', (column) => column.notNull())
      .addColumn('group_value', 'text', (column) => column.notNull())
      .addColumn('threshold', 'bigint', (column) => column.notNull())
      .addColumn('spent', 'bigint', (column) => column.notNull())
      .addColumn('limit_amount', 'bigint', (column) => column.notNull())
      .addColumn('channel', 'text', (column) => column.notNull())
      .addColumn('recipient', 'text', (column) => column.notNull())
      .addColumn('outcome', 'text', (column) => column.notNull())
      .addColumn('reason', 'text')
      .addColumn('tries', 'bigint', (column) => column.notNull());
    await (isSqlite ? deliveries.modifyEnd(sql`without rowid`) : deliveries).execute();
  },
};
