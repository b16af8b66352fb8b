import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { RowWriter } from './database-engine.ts';
import type { RowValues } from './row-values.ts';
import { storableValue } from './storable-text.ts';

/** On the one connection of this process: inside a transaction of it, and so the caller sees to. */
export function sqliteRowWriter(file: DatabaseSync): RowWriter {
  // One a table, use and number of rows: callers name their columns in their source.
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = file.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  };
  return {
    async insertNew(table, columns, rows) {
      // "or ignore", since a statement that can fail midway keeps a journal of its own: a third of it (bench: ledger-cost).
      const insert = (count: number) => prepared(`insert or ignore ${into(table, columns, count)}`);
      const many = insert(CHUNK_ROWS);
      const one = insert(1);
      const values: SQLInputValue[] = [];
      let added = 0;
      for (let first = 0; first < rows.length; ) {
        const count = first + CHUNK_ROWS <= rows.length ? CHUNK_ROWS : 1;
        bind(values, columns, rows, first, count);
        const inserted = Number((count === 1 ? one : many).run(...values).changes);
        if (inserted < count) {
          // Seldom: some were there. But null where there must be something is ignored as well, and has to be told.
          const again = prepared(`insert ${into(table, columns, 1)} on conflict do nothing`);
          for (let index = first; index < first + count; index += 1) {
            bind(values, columns, rows, index, 1);
            again.run(...values);
          }
        }
        added += inserted;
        first += count;
      }
      return added;
    },
    async addUp(table, keys, sums, rows) {
      const columns = [...keys, ...sums];
      const additions = sums.map((sum) => `"${sum}" = "${sum}" + excluded."${sum}"`);
      const onConflict = `on conflict (${quoted(keys)}) do update set ${additions.join(', ')}`;
      const values: SQLInputValue[] = [];
      for (let first = 0; first < rows.length; ) {
        const count = first + CHUNK_ROWS <= rows.length ? CHUNK_ROWS : 1;
        bind(values, columns, rows, first, count);
        prepared(`insert ${into(table, columns, count)} ${onConflict}`).run(...values);
        first += count;
      }
    },
  };
}

/** Rows a statement: 0.9 µs a row of twelve columns instead of 1.8 alone; more of them gain nothing (bench: ledger-cost). */
const CHUNK_ROWS = 16;

function into(table: string, columns: readonly string[], rows: number): string {
  const row = `(${columns.map(() => '?').join(', ')})`;
  return `into "${table}" (${quoted(columns)}) values ${Array(rows).fill(row).join(', ')}`;
}

function quoted(columns: readonly string[]): string {
  return columns.map((column) => `"${column}"`).join(', ');
}

function bind(
  values: SQLInputValue[],
  columns: readonly string[],
  rows: readonly RowValues[],
  first: number,
  count: number,
): void {
  values.length = count * columns.length;
  let place = 0;
  for (let index = first; index < first + count; index += 1) {
    const row = rows[index]!;
    for (let column = 0; column < columns.length; column += 1) {
      values[place] = storableValue(row[column], columns[column]!);
      place += 1;
    }
  }
}
