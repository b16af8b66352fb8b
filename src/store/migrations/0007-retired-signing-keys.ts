import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Signing keys that were rotated: they make no token any more, and those that they made work on, perhaps until a grace ends. */
export const retiredSigningKeys: Migration = {
  async up(database: Kysely<unknown>) {
    const table = () => database.schema.alterTable('signing_keys');
    await table().addColumn('retired_at', 'text').execute();
    await table().addColumn('valid_until', 'text').execute();
  },
};
