import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Database } from '../../src/store/database.ts';
import { FrameBuilder, type LedgerRow, readFrameRows } from '../../src/store/ledger-frame.ts';

/** All exchanges of the ledger, in the order of its chains. */
export async function storedRows(database: Database): Promise<LedgerRow[]> {
  const frames = await database.query.selectFrom('ledger_frames').select('data').orderBy('position').execute();
  return frames.flatMap(({ data }) => readFrameRows(data));
}

export async function storedIds(database: Database): Promise<string[]> {
  return (await storedRows(database)).map(({ id }) => id);
}

/** The same of a data folder, whether its gateway runs or not. */
export function rowsInFolder(dataDir: string): LedgerRow[] {
  const database = new DatabaseSync(join(dataDir, 'sluice.db'), { readOnly: true });
  try {
    const frames = database.prepare('select data from ledger_frames order by position').all();
    return frames.flatMap(({ data }) => (data instanceof Uint8Array ? readFrameRows(data) : []));
  } finally {
    database.close();
  }
}

/** Writes another row in the place of that of one exchange, as somebody would who may write to the database. */
export async function forgeRow(database: Database, id: string, changes: Partial<LedgerRow>): Promise<void> {
  for (const { position, data } of await database.query.selectFrom('ledger_frames').selectAll().execute()) {
    const rows = readFrameRows(data);
    if (!rows.some((row) => row.id === id)) continue;
    const builder = new FrameBuilder();
    for (const row of rows) builder.add(row.id === id ? { ...row, ...changes } : row);
    await database.query
      .updateTable('ledger_frames')
      .set({ data: builder.data() })
      .where('position', '=', position)
      .execute();
    return;
  }
  throw new Error(`no frame has ${id}`);
}
