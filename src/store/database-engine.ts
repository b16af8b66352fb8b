import type { Kysely } from 'kysely';
import type { FixedStatement } from './fixed-statement.ts';
import type { RowValues } from './row-values.ts';
import type { Tables } from './tables.ts';

/** What lasts. Asked by the main thread and by commands only, never on the way of an exchange. One per process. */
export interface Database {
  readonly engine: 'sqlite' | 'postgres';
  readonly query: Kysely<Tables>;
  /**
   * One transaction: all of it or nothing. `work` asks through `transaction` alone: on SQLite what `query` writes waits until
   * the transaction is over, so that writing with it inside would wait for ever.
   */
  write<T>(work: (transaction: DatabaseTransaction) => Promise<T>): Promise<T>;
  /**
   * As `write`, for what may be done again where the machine loses its power: on SQLite it waits for the disk four times a
   * second at the most, which else costs more than the rows (load: batch-10k). The end of the process undoes nothing.
   */
  writeSoon<T>(work: (rows: StatementRunner) => Promise<T>): Promise<T>;
  /** Nothing may be asked afterwards. */
  close(): Promise<void>;
}

export interface StatementRunner {
  run<Row>(statement: FixedStatement<Row>, values: readonly unknown[]): Promise<Row[]>;
}

/** Valid until the work that it was given to is over. */
export interface DatabaseTransaction extends RowWriter {
  readonly query: Kysely<Tables>;
}

/**
 * Many rows at once, for the ledger: past the query builder, which costs more than the row. Rows are values in the order in
 * which their columns are named, since looking up twelve by name costs half a microsecond (bench: ledger-cost).
 */
export interface RowWriter {
  /**
   * Rows that are there already, by their primary key or whatever else is unique, are left out, silently; given is how many
   * were new. Columns that are not named get their default.
   */
  insertNew<T extends TableName>(table: T, columns: readonly Column<T>[], rows: readonly RowValues[]): Promise<number>;
  /**
   * Inserts, or adds each of `sums` to what is there under the same `keys`: a primary key or unique, and never null. No two
   * rows have the same keys.
   */
  addUp<T extends TableName>(
    table: T,
    keys: readonly Column<T>[],
    sums: readonly Column<T>[],
    rows: readonly RowValues[],
  ): Promise<void>;
}

export type TableName = keyof Tables & string;
export type Column<T extends TableName> = keyof Tables[T] & string;
