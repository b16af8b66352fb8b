import { type Kysely, sql } from 'kysely';
import type { RowWriter } from './database-engine.ts';
import type { RowValues } from './row-values.ts';
import { storableValue } from './storable-text.ts';
import type { Tables } from './tables.ts';

/**
 * All rows in one parameter and one round trip. As JSON: the types are then those of the table's columns, and writing it is
 * cheaper here than a list for each column.
 */
export function postgresRowWriter(query: Kysely<Tables>): RowWriter {
  return {
    async insertNew(table, columns, rows) {
      if (rows.length === 0) return 0;
      const { numAffectedRows } = await sql`${insertInto(table, columns, rows)} on conflict do nothing`.execute(query);
      return Number(numAffectedRows ?? 0);
    },
    async addUp(table, keys, sums, rows) {
      if (rows.length === 0) return;
      const columns = [...keys, ...sums];
      const additions = sums.map(
        (sum) => sql`${sql.ref(sum)} = ${sql.ref(`${table}.${sum}`)} + ${sql.ref(`excluded.${sum}`)}`,
      );
      // In one order: gateways that lock the same rows in different orders would wait for each other.
      await sql`${insertInto(table, columns, rows)} order by ${names(keys)}
        on conflict (${names(keys)}) do update set ${sql.join(additions)}`.execute(query);
    },
  };
}

function insertInto(table: string, columns: readonly string[], rows: readonly RowValues[]) {
  return sql`insert into ${sql.table(table)} (${names(columns)})
    select ${names(columns)} from json_populate_recordset(null::${sql.table(table)}, ${asJson(columns, rows)}::json)`;
}

function names(columns: readonly string[]) {
  return sql.join(columns.map((column) => sql.ref(column)));
}

function asJson(columns: readonly string[], rows: readonly RowValues[]): string {
  const plain: Record<string, string | number | null>[] = [];
  for (const row of rows) {
    const values: Record<string, string | number | null> = {};
    for (const [place, column] of columns.entries()) values[column] = storableValue(row[place], column);
    plain.push(values);
  }
  return JSON.stringify(plain);
}
