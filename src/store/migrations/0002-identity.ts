import type { Migration } from 'kysely/migration';

/** Opaque keys, rotation, signing keys of the gateways of a cluster. */
export const identity: Migration = {
  async up() {},
};
