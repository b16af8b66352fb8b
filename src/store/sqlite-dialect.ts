import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type Kysely,
  type QueryResult,
  SelectQueryNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { DatabaseAway, reasonOf, sqliteCode } from './store-fault.ts';

export const SQLITE_BUSY = 5;
/** SQLITE_BUSY, SQLITE_LOCKED, SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN. */
const AWAY = new Set([SQLITE_BUSY, 6, 8, 10, 13, 14]);
const BETWEEN_TRIES_MS = { first: 2, longest: 50 };

export interface SqliteFiles {
  readonly writer: DatabaseSync;
  /** For queries outside of transactions; undefined: the writer answers them, too. */
  readonly reader: DatabaseSync | undefined;
}

export interface SqliteDialectOptions {
  /** Asked for each query. */
  readonly files: () => SqliteFiles;
  readonly path: string;
  /** How long a write waits for that of another process. */
  readonly busyMs: number;
}

/**
 * node:sqlite for kysely, with what its own dialect does not do: reading goes on beside a transaction, and a file that another
 * process has locked is waited for without blocking the thread. One writes at a time.
 */
export class SqliteFileDialect implements Dialect {
  readonly #options: SqliteDialectOptions;

  constructor(options: SqliteDialectOptions) {
    this.#options = options;
  }

  createDriver(): Driver {
    return new SqliteFileDriver(this.#options);
  }

  createQueryCompiler(): SqliteQueryCompiler {
    return new SqliteQueryCompiler();
  }

  createAdapter(): SqliteAdapter {
    return new ManyConnectionsAdapter();
  }

  createIntrospector(database: Kysely<unknown>): SqliteIntrospector {
    return new SqliteIntrospector(database);
  }
}

/** Who waits for whom is known here, and not by kysely, which would let nobody read during a transaction. */
class ManyConnectionsAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

class SqliteFileDriver implements Driver {
  readonly #options: SqliteDialectOptions;
  /** The last of those that write, or wait to write. */
  #lastWriter: Promise<void> = Promise.resolve();

  constructor(options: SqliteDialectOptions) {
    this.#options = options;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<Connection> {
    return new Connection(this.#options, () => this.#turn());
  }

  /** Resolves when nobody else writes; then nobody does until what it gave is called. */
  async #turn(): Promise<() => void> {
    const before = this.#lastWriter;
    let release = (): void => {};
    this.#lastWriter = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    return release;
  }

  beginTransaction(connection: Connection): Promise<void> {
    return connection.begin();
  }

  commitTransaction(connection: Connection): Promise<void> {
    return connection.finish('commit');
  }

  rollbackTransaction(connection: Connection): Promise<void> {
    return connection.finish('rollback');
  }

  async releaseConnection(connection: Connection): Promise<void> {
    connection.release();
  }

  async destroy(): Promise<void> {
    const { writer, reader } = this.#options.files();
    reader?.close();
    writer.close();
  }
}

class Connection implements DatabaseConnection {
  readonly #options: SqliteDialectOptions;
  readonly #turn: () => Promise<() => void>;
  /** In a transaction: gives its turn back. */
  #release: (() => void) | undefined;

  constructor(options: SqliteDialectOptions, turn: () => Promise<() => void>) {
    this.#options = options;
    this.#turn = turn;
  }

  async executeQuery<Row>({ query, sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    const { writer, reader } = this.#options.files();
    if (this.#release !== undefined) return run(writer, sql, parameters);
    if (SelectQueryNode.is(query)) return this.#unlocked(() => run(reader ?? writer, sql, parameters));
    const release = await this.#turn();
    try {
      return await this.#unlocked(() => run(writer, sql, parameters));
    } finally {
      release();
    }
  }

  /** A transaction that begins as a reader and then writes fails at once when another process wrote in between. */
  async begin(): Promise<void> {
    const release = await this.#turn();
    try {
      await this.#unlocked(() => this.#options.files().writer.exec('begin immediate'));
      this.#release = release;
    } catch (error) {
      release();
      throw error;
    }
  }

  async finish(how: 'commit' | 'rollback'): Promise<void> {
    try {
      this.#options.files().writer.exec(how);
    } finally {
      // A commit that failed is followed by a roll-back, which is when the turn is over.
      if (how === 'rollback') this.release();
    }
    this.release();
  }

  release(): void {
    this.#release?.();
    this.#release = undefined;
  }

  // biome-ignore lint/correctness/useYield: nobody asks for it
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error('queries are not streamed');
  }

  /** Tries again while another process has the file locked. Throws a DatabaseAway where that lasts, or the disk fails. */
  async #unlocked<T>(step: () => T): Promise<T> {
    const giveUpAt = performance.now() + this.#options.busyMs;
    for (let waitMs = BETWEEN_TRIES_MS.first; ; waitMs = Math.min(2 * waitMs, BETWEEN_TRIES_MS.longest)) {
      try {
        return step();
      } catch (error) {
        const code = (sqliteCode(error) ?? 0) & 0xff;
        if (!AWAY.has(code)) throw error;
        if (code !== SQLITE_BUSY || performance.now() > giveUpAt)
          throw new DatabaseAway(`The database ${this.#options.path} cannot be used: ${reasonOf(error)}.`, error);
        await delay(waitMs);
      }
    }
  }
}

/** Beyond so many statements of a file all are prepared anew: the text of a query may hold its number of values. */
const MAX_STATEMENTS = 256;
const statementsOf = new WeakMap<DatabaseSync, Map<string, StatementSync>>();

/** Preparing costs more than running most of them. */
function prepared(file: DatabaseSync, sql: string): StatementSync {
  let statements = statementsOf.get(file);
  if (statements === undefined) {
    statements = new Map();
    statementsOf.set(file, statements);
  }
  let statement = statements.get(sql);
  if (statement === undefined) {
    if (statements.size >= MAX_STATEMENTS) statements.clear();
    statement = file.prepare(sql);
    statements.set(sql, statement);
  }
  return statement;
}

function run<Row>(file: DatabaseSync, sql: string, parameters: readonly unknown[]): QueryResult<Row> {
  const statement = prepared(file, sql);
  const values = parameters.map(asSqlValue);
  if (statement.columns().length > 0) return { rows: statement.all(...values) as Row[] };
  const { changes, lastInsertRowid } = statement.run(...values);
  return { insertId: BigInt(lastInsertRowid), numAffectedRows: BigInt(changes), rows: [] };
}

function asSqlValue(value: unknown): SQLInputValue {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint')
    return value;
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`SQLite has no value for ${typeof value}`);
}
