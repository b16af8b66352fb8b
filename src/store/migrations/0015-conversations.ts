import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Conversations, and answers that are made while nobody waits for them. */
export const conversations: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema.alterTable('responses').addColumn('conversation_id', 'text').execute();
    await database.schema.alterTable('responses').addColumn('lease_until', 'bigint').execute();
    await database.schema.createIndex('responses_by_lease').on('responses').columns(['lease_until']).execute();
    await database.schema
      .createTable('response_events')
      .addColumn('owner', 'text', (column) => column.notNull())
      .addColumn('response_id', 'text', (column) => column.notNull())
      .addColumn('first_number', 'integer', (column) => column.notNull())
      .addColumn('last_number', 'integer', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .addColumn('events', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('response_events_pk', ['owner', 'response_id', 'first_number'])
      .execute();
    await database.schema.createIndex('response_events_by_end').on('response_events').columns(['expires_at']).execute();
    await database.schema
      .createTable('conversations')
      .addColumn('owner', 'text', (column) => column.notNull())
      .addColumn('id', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .addColumn('next_position', 'integer', (column) => column.notNull())
      .addColumn('target', 'text', (column) => column.notNull())
      .addColumn('passed', 'integer', (column) => column.notNull())
      .addColumn('metadata', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('conversations_pk', ['owner', 'id'])
      .execute();
    await database.schema.createIndex('conversations_by_end').on('conversations').columns(['expires_at']).execute();
    await database.schema
      .createTable('conversation_items')
      .addColumn('owner', 'text', (column) => column.notNull())
      .addColumn('conversation_id', 'text', (column) => column.notNull())
      .addColumn('position', 'integer', (column) => column.notNull())
      .addColumn('id', 'text', (column) => column.notNull())
      .addColumn('item', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('conversation_items_pk', ['owner', 'conversation_id', 'position'])
      .execute();
  },
};
