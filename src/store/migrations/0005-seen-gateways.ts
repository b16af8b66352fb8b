import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Which signing keys are of gateways that live. */
export const seenGateways: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .alterTable('signing_keys')
      .addColumn('seen_at', 'text', (column) => column.notNull().defaultTo(''))
      .execute();
    await sql`update signing_keys set seen_at = created_at`.execute(database);
  },
};
