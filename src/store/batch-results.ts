import type { Database } from './database.ts';
import { insertFile, type StoredFile } from './files.ts';
import { type LineResult, resultsIn } from './result-block.ts';

/** So many blocks of results are forgotten at once: a transaction of the ledger waits no longer than that. */
const PAGE = 50;

export interface ResultPage {
  readonly piece: number;
  /** In the order of their lines. */
  readonly results: readonly LineResult[];
}

/** The results of a piece, or of the next one behind it; undefined: there is none. */
export async function resultPage(database: Database, id: string, fromPiece: number): Promise<ResultPage | undefined> {
  const found = await database.query
    .selectFrom('batch_pieces')
    .select(['piece', 'first_line', 'lines'])
    .where('batch_id', '=', id)
    .where('piece', '>=', fromPiece)
    .orderBy('piece')
    .limit(1)
    .executeTakeFirst();
  if (found === undefined) return undefined;
  const { piece, first_line: firstLine, lines } = found;
  const blocks = await database.query
    .selectFrom('batch_result_blocks')
    .select(['result_index', 'results'])
    .where('batch_id', '=', id)
    .where('line', '>=', firstLine)
    .where('line', '<', firstLine + lines)
    .execute();
  const results = blocks.flatMap(({ result_index: index, results: bytes }) =>
    // Written by this file alone.
    resultsIn({ index: JSON.parse(index) as number[], bytes }),
  );
  return { piece, results: results.sort((one, other) => one.line - other.line) };
}

/** What of ended batches is needed no more. */
export async function forgetLines(database: Database): Promise<void> {
  const ended = await database.query
    .selectFrom('batches')
    .innerJoin('batch_pieces', 'batch_pieces.batch_id', 'batches.id')
    .select('id')
    .distinct()
    .where('ended_at', 'is not', null)
    .execute();
  for (const { id } of ended) {
    for (;;) {
      const rows = await database.query
        .selectFrom('batch_result_blocks')
        .select('line')
        .where('batch_id', '=', id)
        .orderBy('line')
        .limit(PAGE)
        .execute();
      const last = rows.at(-1);
      if (last === undefined) break;
      await database.query
        .deleteFrom('batch_result_blocks')
        .where('batch_id', '=', id)
        .where('line', '<=', last.line)
        .execute();
    }
    // The last: they say that there is something to forget.
    await database.query.deleteFrom('batch_pieces').where('batch_id', '=', id).execute();
  }
}

export interface BatchFiles {
  readonly output: StoredFile | undefined;
  readonly error: StoredFile | undefined;
  /** Lines of the error file. */
  readonly failed: number;
}

/** Rows of its files, once: whoever goes on after a crash finds their ids. False: another one makes them. */
export function keepFiles(
  database: Database,
  id: string,
  by: string,
  { output, error, failed }: BatchFiles,
): Promise<boolean> {
  return database.write(async ({ query }) => {
    const kept = await query
      .updateTable('batches')
      .set({ failed, output_file_id: output?.id ?? null, error_file_id: error?.id ?? null })
      .where('id', '=', id)
      .where('ended_at', 'is', null)
      .where('output_file_id', 'is', null)
      .where('error_file_id', 'is', null)
      .where('kept_by', '=', by)
      .executeTakeFirst();
    if (kept.numUpdatedRows === 0n) return false;
    for (const file of [output, error]) if (file) await insertFile({ query }, file);
    return true;
  });
}
