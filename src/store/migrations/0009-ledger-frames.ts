import { type Kysely, SqliteAdapter, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { type OldRow, packRows } from './0009-pack-rows.ts';

/** So many rows are read and packed at a time. */
const PAGE_ROWS = 4_096;

/** One row a frame instead of one an exchange: what the columns mean is said in tables/ledger-tables.ts. */
export const ledgerFrames: Migration = {
  async up(database: Kysely<unknown>) {
    const isSqlite = database.getExecutor().adapter instanceof SqliteAdapter;
    const key = isSqlite ? 'integer' : 'bigint';
    const bytes = isSqlite ? sql`blob` : sql`bytea`;
    await database.schema
      .createTable('ledger_frames')
      .addColumn('position', key, (column) => column.primaryKey().notNull())
      .addColumn('row_count', 'bigint', (column) => column.notNull())
      .addColumn('ended_from', 'bigint', (column) => column.notNull())
      .addColumn('ended_to', 'bigint', (column) => column.notNull())
      .addColumn('hash', 'text', (column) => column.notNull())
      .addColumn('data', bytes, (column) => column.notNull())
      .execute();
    await database.schema
      .createIndex('ledger_frames_ended')
      .on('ledger_frames')
      .columns(['ended_to', 'ended_from'])
      .execute();
    const ids = database.schema
      .createTable('ledger_ids')
      .addColumn('block', 'text', (column) => column.notNull())
      .addColumn('position', 'bigint', (column) => column.notNull())
      .addColumn('rests', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('ledger_ids_key', ['block', 'position']);
    await (isSqlite ? ids.modifyEnd(sql`without rowid`) : ids).execute();
    await database.schema.createIndex('ledger_ids_position').on('ledger_ids').column('position').execute();
    // A gateway of an older version may be writing: what it wants to write from now on waits in its journal.
    if (!isSqlite) await sql`lock table ledger_chains, ledger_rows in access exclusive mode`.execute(database);
    await packChains(database);
    await sql`drop view ledger`.execute(database);
    await database.schema.dropTable('ledger_rows').execute();
  },
};

interface Chain {
  readonly gateway: string;
  readonly chain: number;
  readonly anchor_hash: string;
}

async function packChains(database: Kysely<unknown>): Promise<void> {
  const { rows: chains } = await sql<Chain>`
    select gateway, chain, anchor_hash from ledger_chains order by chain
  `.execute(database);
  for (const chain of chains) await packChain(database, chain);
}

/** Number and rows stay; the chain is one of frames from here on, and its hashes are others. */
async function packChain(database: Kysely<unknown>, { gateway, chain, anchor_hash }: Chain): Promise<void> {
  let before = { row: anchor_hash, frame: anchor_hash };
  let after = chain * 2 ** 40;
  const end = (chain + 1) * 2 ** 40;
  for (;;) {
    const { rows } = await sql<OldRow>`
      select * from ledger_rows where position > ${after} and position < ${end} order by position limit ${PAGE_ROWS}
    `.execute(database);
    const last = rows.at(-1);
    if (last === undefined) break;
    for (const frame of packRows(rows, before)) {
      const { position, row_count, ended_from, ended_to, hash, data, blocks } = frame;
      await sql`
        insert into ledger_frames (position, row_count, ended_from, ended_to, hash, data)
        values (${position}, ${row_count}, ${ended_from}, ${ended_to}, ${hash}, ${data})
      `.execute(database);
      for (const { block, rests } of blocks)
        await sql`insert into ledger_ids (block, position, rests) values (${block}, ${position}, ${rests})`.execute(
          database,
        );
      before = { row: before.row, frame: hash };
    }
    before = { row: last.hash, frame: before.frame };
    after = last.position;
  }
  if (after > chain * 2 ** 40)
    await sql`update ledger_chains set head_hash = ${before.frame} where gateway = ${gateway}`.execute(database);
}
