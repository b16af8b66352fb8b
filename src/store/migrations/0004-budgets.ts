import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** What budgets have spent, and which alerts were sent. */
export const budgets: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('budget_windows')
      .addColumn('budget', 'text', (column) => column.notNull())
      .addColumn('unit', 'text', (column) => column.notNull())
      .addColumn('period_start', 'bigint', (column) => column.notNull())
      .addColumn('group_value', 'text', (column) => column.notNull())
      .addColumn('gateway', 'text', (column) => column.notNull())
      .addColumn('spent', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('budget_windows_key', ['budget', 'unit', 'period_start', 'group_value', 'gateway'])
      .execute();
    await database.schema
      .createTable('budget_alerts')
      .addColumn('budget', 'text', (column) => column.notNull())
      .addColumn('unit', 'text', (column) => column.notNull())
      .addColumn('period_start', 'bigint', (column) => column.notNull())
      .addColumn('group_value', 'text', (column) => column.notNull())
      .addColumn('threshold', 'bigint', (column) => column.notNull())
      .addColumn('due_at', 'bigint', (column) => column.notNull())
      .addColumn('spent', 'bigint', (column) => column.notNull())
      .addColumn('limit_amount', 'bigint', (column) => column.notNull())
      .addColumn('sent_at', 'bigint', (column) => column.notNull())
      .addColumn('claimed_until', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('budget_alerts_key', ['budget', 'unit', 'period_start', 'group_value', 'threshold'])
      .execute();
    await database.schema.createIndex('budget_alerts_unsent').on('budget_alerts').columns(['sent_at']).execute();
  },
};
