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
import type { StatementRunner } from './database-engine.ts';
import { DatabaseAway, reasonOf, sqliteCode } from './store-fault.ts';

export const SQLITE_BUSY = 5;
/** SQLITE_BUSY, SQLITE_LOCKED, SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN. */
const AWAY = new Set([SQLITE_BUSY, 6, 8, 10, 13, 14]);
const BETWEEN_TRIES_MS = { first: 2, longest: 50 };
/** Writes that need not wait for the disk do so when the last that did was so long ago. */
const UNSYNCED_MS = 250;

export interface SqliteFiles {
  readonly writer: DatabaseSync;
  /** The connection for queries outside of transactions; undefined: the writer answers them, too. */
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
  readonly #driver: SqliteFileDriver;

  constructor(options: SqliteDialectOptions) {
    this.#driver = new SqliteFileDriver(options);
  }

  createDriver(): Driver {
    return this.#driver;
  }

  /** As `Database.writeSoon`: without the query builder, which would cost more than the rows. */
  writeSoon<T>(work: (rows: StatementRunner) => Promise<T>): Promise<T> {
    return this.#driver.writeSoon(work);
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

/** The order of connections is kept here, and not by kysely, which would let nobody read during a transaction. */
class ManyConnectionsAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

class SqliteFileDriver implements Driver {
  readonly #options: SqliteDialectOptions;
  readonly #disk: Disk = { syncedAt: 0 };
  /** The last of those that write, or wait to write. */
  #lastWriter: Promise<void> = Promise.resolve();

  constructor(options: SqliteDialectOptions) {
    this.#options = options;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<Connection> {
    return this.#connection();
  }

  async writeSoon<T>(work: (rows: StatementRunner) => Promise<T>): Promise<T> {
    const connection = this.#connection();
    await connection.begin('soon');
    let result: T;
    try {
      const { writer } = this.#options.files();
      result = await work({
        run: async (statement, values) => run<never>(writer, statement.texts.sqlite, values).rows,
      });
      await connection.finish('commit');
    } catch (error) {
      await connection.finish('rollback').catch(() => {
        // It was rolled back with what failed.
      });
      throw error;
    }
    return result;
  }

  #connection(): Connection {
    return new Connection(this.#options, this.#disk, () => this.#turn());
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
    return connection.begin('now');
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

interface Disk {
  /** performance.now() when all that was written had reached it. */
  syncedAt: number;
}

/** When what is written has reached the disk: before the transaction is over, or soon after. */
type Durability = 'now' | 'soon';

class Connection implements DatabaseConnection {
  readonly #options: SqliteDialectOptions;
  readonly #disk: Disk;
  readonly #turn: () => Promise<() => void>;
  /** In a transaction: gives its turn back. */
  #release: (() => void) | undefined;
  #durability: Durability = 'now';

  constructor(options: SqliteDialectOptions, disk: Disk, turn: () => Promise<() => void>) {
    this.#options = options;
    this.#disk = disk;
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
  async begin(durability: Durability): Promise<void> {
    const release = await this.#turn();
    try {
      const isDue = performance.now() - this.#disk.syncedAt > UNSYNCED_MS;
      this.#durability = isDue ? 'now' : durability;
      // Within a transaction it would change nothing.
      if (this.#durability === 'soon') this.#options.files().writer.exec('pragma synchronous = normal');
      await this.#unlocked(() => this.#options.files().writer.exec('begin immediate'));
      this.#release = release;
    } catch (error) {
      this.#syncAgain();
      release();
      throw error;
    }
  }

  async finish(how: 'commit' | 'rollback'): Promise<void> {
    try {
      this.#options.files().writer.exec(how);
      if (how === 'commit' && this.#durability === 'now') this.#disk.syncedAt = performance.now();
    } finally {
      // A commit that failed is followed by a roll-back, which is when the turn is over.
      if (how === 'rollback') this.release();
    }
    this.release();
  }

  release(): void {
    if (this.#release === undefined) return;
    this.#syncAgain();
    this.#release();
    this.#release = undefined;
  }

  #syncAgain(): void {
    if (this.#durability === 'soon') this.#options.files().writer.exec('pragma synchronous = full');
    this.#durability = 'now';
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
const statementsOf = new WeakMap<DatabaseSync, Map<string, Prepared>>();

interface Prepared {
  readonly statement: StatementSync;
  /** Else it changes rows. */
  readonly givesRows: boolean;
}

/** Preparing costs more than running most of them. */
function prepared(file: DatabaseSync, sql: string): Prepared {
  let statements = statementsOf.get(file);
  if (statements === undefined) {
    statements = new Map();
    statementsOf.set(file, statements);
  }
  let known = statements.get(sql);
  if (known === undefined) {
    if (statements.size >= MAX_STATEMENTS) statements.clear();
    const statement = file.prepare(sql);
    known = { statement, givesRows: statement.columns().length > 0 };
    statements.set(sql, known);
  }
  return known;
}

function run<Row>(file: DatabaseSync, sql: string, parameters: readonly unknown[]): QueryResult<Row> {
  const { statement, givesRows } = prepared(file, sql);
  const values = parameters.map(asSqlValue);
  if (givesRows) return { rows: statement.all(...values) as Row[] };
  const { changes, lastInsertRowid } = statement.run(...values);
  return { insertId: BigInt(lastInsertRowid), numAffectedRows: BigInt(changes), rows: [] };
}

function asSqlValue(value: unknown): SQLInputValue {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint')
    return value;
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`SQLite has no value for ${typeof value}`);
}
