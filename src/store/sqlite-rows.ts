import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { RowWriter } from './database-engine.ts';
import { storableValue } from './storable-text.ts';

/** On the one connection of this process: inside a transaction of it, and so the caller sees to. */
export function sqliteRowWriter(file: DatabaseSync): RowWriter {
  // One a table and use: callers name their columns in their source.
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
      const statement = prepared(`${insertInto(table, columns)} on conflict do nothing`);
      const values: SQLInputValue[] = [];
      const added: number[] = [];
      for (const [index, row] of rows.entries()) {
        bind(values, columns, row);
        if (statement.run(...values).changes !== 0) added.push(index);
      }
      return added;
    },
    async addUp(table, keys, sums, rows) {
      const columns = [...keys, ...sums];
      const additions = sums.map((sum) => `"${sum}" = "${sum}" + excluded."${sum}"`);
      const statement = prepared(
        `${insertInto(table, columns)} on conflict (${quoted(keys)}) do update set ${additions.join(', ')}`,
      );
      const values: SQLInputValue[] = [];
      for (const row of rows) {
        bind(values, columns, row);
        statement.run(...values);
      }
    },
  };
}

function insertInto(table: string, columns: readonly string[]): string {
  return `insert into "${table}" (${quoted(columns)}) values (${columns.map(() => '?').join(', ')})`;
}

function quoted(columns: readonly string[]): string {
  return columns.map((column) => `"${column}"`).join(', ');
}

function bind(values: SQLInputValue[], columns: readonly string[], row: object): void {
  for (let index = 0; index < columns.length; index += 1) {
    const column = columns[index] ?? '';
    values[index] = storableValue(Reflect.get(row, column), column);
  }
}
