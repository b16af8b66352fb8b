import type { Kysely } from 'kysely';
import type { Database } from './database.ts';
import { StoreFault } from './store-fault.ts';
import type { Tables } from './tables.ts';

/**
 * A number that grows with every write of keys, so that a gateway sees with one row whether anything changed, and with
 * one more query what. It is raised first in each writing transaction: its row is locked until the end, so transactions
 * become visible in the order of their numbers, and whoever has seen number n has seen all that is numbered less.
 */
async function raiseKeyVersion(transaction: Kysely<Tables>): Promise<number> {
  const row = await transaction
    .updateTable('key_version')
    .set((value) => ({ n: value('n', '+', 1) }))
    .where('id', '=', 1)
    .returning('n')
    .executeTakeFirst();
  return present(row);
}

export async function readKeyVersion(query: Kysely<Tables>): Promise<number> {
  return present(await query.selectFrom('key_version').select('n').where('id', '=', 1).executeTakeFirst());
}

/** One transaction whose rows carry one new version. */
export function writeKeys<Result>(
  database: Database,
  write: (transaction: Kysely<Tables>, version: number) => Promise<Result>,
): Promise<Result> {
  return database.write(async ({ query }) => write(query, await raiseKeyVersion(query)));
}

function present(row: { n: number } | undefined): number {
  if (row === undefined) throw new StoreFault('The table key_version is empty: restore the database from a backup.');
  return Number(row.n);
}
