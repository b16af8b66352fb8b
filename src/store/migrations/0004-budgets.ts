import type { Migration } from 'kysely/migration';

/** What budgets have spent, and which alerts were sent. */
export const budgets: Migration = {
  async up() {},
};
