import type { Migration } from 'kysely/migration';

/** Rows, rollups, price tables, chains. */
export const ledger: Migration = {
  async up() {},
};
