import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Batches that the gateway runs: their lines in pieces that are leased, and the results of lines until their files are made. */
export const batches: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('batches')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('owner', 'text', (column) => column.notNull())
      .addColumn('created_by', 'text', (column) => column.notNull())
      .addColumn('principal', 'text', (column) => column.notNull())
      .addColumn('place', 'text', (column) => column.notNull())
      .addColumn('endpoint', 'text', (column) => column.notNull())
      .addColumn('input_file_id', 'text', (column) => column.notNull())
      .addColumn('completion_window', 'text', (column) => column.notNull())
      .addColumn('metadata', 'text')
      .addColumn('output_expires_after', 'bigint')
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('ends_as', 'text')
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .addColumn('in_progress_at', 'bigint')
      .addColumn('cancelling_at', 'bigint')
      .addColumn('finalizing_at', 'bigint')
      .addColumn('ended_at', 'bigint')
      .addColumn('total', 'bigint', (column) => column.notNull())
      .addColumn('completed', 'bigint', (column) => column.notNull())
      .addColumn('failed', 'bigint', (column) => column.notNull())
      .addColumn('output_file_id', 'text')
      .addColumn('error_file_id', 'text')
      .addColumn('faults', 'text')
      .addColumn('kept_by', 'text')
      .addColumn('kept_until', 'bigint', (column) => column.notNull())
      .execute();
    await database.schema
      .createIndex('batches_by_owner')
      .on('batches')
      .columns(['owner', 'created_at', 'id'])
      .execute();
    await database.schema.createIndex('batches_by_end').on('batches').columns(['ended_at']).execute();
    await database.schema
      .createTable('batch_pieces')
      .addColumn('batch_id', 'text', (column) => column.notNull())
      .addColumn('piece', 'bigint', (column) => column.notNull())
      .addColumn('first_line', 'bigint', (column) => column.notNull())
      .addColumn('lines', 'bigint', (column) => column.notNull())
      .addColumn('from_byte', 'bigint', (column) => column.notNull())
      .addColumn('to_byte', 'bigint', (column) => column.notNull())
      .addColumn('done', 'bigint', (column) => column.notNull())
      .addColumn('kept_by', 'text')
      .addColumn('kept_until', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('batch_pieces_key', ['batch_id', 'piece'])
      .execute();
    await database.schema
      .createIndex('batch_pieces_by_turn')
      .on('batch_pieces')
      .columns(['done', 'piece', 'kept_until'])
      .execute();
    await database.schema
      .createTable('batch_results')
      .addColumn('batch_id', 'text', (column) => column.notNull())
      .addColumn('line', 'bigint', (column) => column.notNull())
      .addColumn('failed', 'bigint', (column) => column.notNull())
      .addColumn('result', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('batch_results_key', ['batch_id', 'line'])
      .execute();
  },
};
