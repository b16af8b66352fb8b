import type { Insertable, Kysely } from 'kysely';
import type { Tables } from './tables.ts';

/** What lasts. Asked by the main thread and by commands only, never on the way of an exchange. One per process. */
export interface Database {
  readonly engine: 'sqlite' | 'postgres';
  readonly query: Kysely<Tables>;
  /**
   * One transaction: all of it or nothing. `work` asks through `transaction` alone: on SQLite `query` waits until the
   * transaction is over, so that asking it inside would wait for ever.
   */
  write<T>(work: (transaction: DatabaseTransaction) => Promise<T>): Promise<T>;
  /** Nothing may be asked afterwards. */
  close(): Promise<void>;
}

/** Valid until the work that it was given to is over. */
export interface DatabaseTransaction extends RowWriter {
  readonly query: Kysely<Tables>;
}

/** Many rows at once, for the ledger: past the query builder, which costs more than the row. */
export interface RowWriter {
  /**
   * Rows whose primary key is there already are left out, silently; given are the indices of those that were new. The
   * primary key is text and the first of `columns`; no two rows have the same. Columns that are not named get their default.
   */
  insertNew<T extends TableName>(
    table: T,
    columns: readonly Column<T>[],
    rows: readonly Insertable<Tables[T]>[],
  ): Promise<number[]>;
  /**
   * Inserts, or adds each of `sums` to what is there under the same `keys`: a primary key or unique, and never null. No two
   * rows have the same keys.
   */
  addUp<T extends TableName>(
    table: T,
    keys: readonly Column<T>[],
    sums: readonly Column<T>[],
    rows: readonly Insertable<Tables[T]>[],
  ): Promise<void>;
}

export type TableName = keyof Tables & string;
export type Column<T extends TableName> = keyof Tables[T] & string;
