import { type Kysely, SqliteAdapter, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

interface OldPiece {
  readonly batch_id: string;
  readonly piece: number;
  readonly first_line: number;
  readonly lines: number;
}

interface OldResult {
  readonly line: number;
  readonly failed: number;
  readonly result: string;
}

/** Results that were told together are one row, and each piece knows which of its lines have theirs. */
export const batchBlocks: Migration = {
  async up(database: Kysely<unknown>) {
    const isSqlite = database.getExecutor().adapter instanceof SqliteAdapter;
    const bytes = isSqlite ? sql`blob` : sql`bytea`;
    const blocks = database.schema
      .createTable('batch_result_blocks')
      .addColumn('batch_id', 'text', (column) => column.notNull())
      .addColumn('line', 'bigint', (column) => column.notNull())
      .addColumn('result_index', 'text', (column) => column.notNull())
      .addColumn('results', bytes, (column) => column.notNull())
      .addPrimaryKeyConstraint('batch_result_blocks_key', ['batch_id', 'line']);
    await (isSqlite ? blocks.modifyEnd(sql`without rowid`) : blocks).execute();
    await database.schema.alterTable('batch_pieces').addColumn('answered', bytes).execute();
    // A gateway of an older version may be running lines: it is told that they cannot be kept.
    if (!isSqlite) await sql`lock table batch_pieces, batch_results in access exclusive mode`.execute(database);
    const { rows: pieces } = await sql<OldPiece>`
      select batch_id, piece, first_line, lines from batch_pieces order by batch_id, piece
    `.execute(database);
    for (const piece of pieces) await packPiece(database, piece);
    await database.schema.dropTable('batch_results').execute();
  },
};

async function packPiece(database: Kysely<unknown>, { batch_id, piece, first_line, lines }: OldPiece): Promise<void> {
  const { rows } = await sql<OldResult>`
    select line, failed, result from batch_results
    where batch_id = ${batch_id} and line >= ${first_line} and line < ${first_line + lines} order by line
  `.execute(database);
  const [first] = rows;
  if (first === undefined) return;
  const answered = Buffer.alloc(Math.ceil(lines / 8));
  const index: number[] = [];
  const parts: Buffer[] = [];
  for (const { line, failed, result } of rows) {
    const part = Buffer.from(result);
    const at = line - first_line;
    answered[at >> 3]! |= 1 << (at & 7);
    index.push(line, failed, part.length);
    parts.push(part);
  }
  await sql`
    insert into batch_result_blocks (batch_id, line, result_index, results)
    values (${batch_id}, ${first.line}, ${JSON.stringify(index)}, ${Buffer.concat(parts)})
  `.execute(database);
  await sql`
    update batch_pieces set answered = ${answered} where batch_id = ${batch_id} and piece = ${piece}
  `.execute(database);
}
