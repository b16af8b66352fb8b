import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { PostgresPool, PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { DatabaseAway, reasonOf, systemCode } from './store-fault.ts';

/** The one place that loads pg. What leaves it holds neither user nor password: they stand in no message of ours. */

const MAX_CONNECTIONS = 8;
/** The longest wait for a connection, be it a new one or one that another query gives back. */
const CONNECT_MS = 5000;
/** The server ends the query. If it does not answer at all, we do, this much later. */
const SILENCE_MS = 2000;
/** A gateway that stands still in a transaction must not hold its locks against the others. */
const IDLE_IN_TRANSACTION_MS = 15_000;
const IDLE_CONNECTION_MS = 30_000;
/**
 * The longest wait for the goodbye of a server that may be silent; then its connections are cut, or the process could
 * not end.
 */
const CLOSE_MS = 1000;

export interface PostgresOptions {
  readonly url: string;
  /** The deadline of one query. */
  readonly statementMs: number;
}

/** A bounded pool in the shape that kysely's PostgreSQL dialect asks for. Every wait in it ends. */
export function openPostgresPool(options: PostgresOptions): PostgresPool {
  const address = addressOf(options.url);
  const sockets = new Set<Socket>();
  const pool = new pg.Pool({
    connectionString: withStrictTls(options.url),
    application_name: 'sluice',
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_MS,
    idleTimeoutMillis: IDLE_CONNECTION_MS,
    statement_timeout: options.statementMs,
    query_timeout: options.statementMs + SILENCE_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    keepAlive: true,
    stream: () => kept(new Socket(), sockets),
    types: { getTypeParser },
  });
  // A connection that is lost while nobody uses it is only taken out of the pool; unheard, it would end the process.
  pool.on('error', () => {});
  // The same for one that is in use between two queries: the next query says so.
  pool.on('connect', (client) => client.on('error', () => {}));
  return {
    options: {},
    async end() {
      await Promise.race([pool.end(), delay(CLOSE_MS, undefined, { ref: false })]);
      for (const socket of sockets) socket.destroy();
    },
    async connect() {
      try {
        return checkedOut(await pool.connect(), address);
      } catch (error) {
        throw new DatabaseAway(`The database ${address} cannot be reached: ${reasonOf(error)}.`, error);
      }
    },
  };
}

/** In the set for as long as it is open. */
function kept(socket: Socket, sockets: Set<Socket>): Socket {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
  return socket;
}

/** Until it is released. One that failed, rather than refused a query, is closed then and not used again. */
function checkedOut(client: pg.PoolClient, address: string): PostgresPoolClient {
  let broken: unknown;
  const away = () => new DatabaseAway(`The database ${address} is away: ${reasonOf(broken)}.`, broken);
  async function ask(text: string, parameters: readonly unknown[]): Promise<pg.QueryResult> {
    // A roll-back behind a query that was never answered would wait for it.
    if (broken !== undefined) throw away();
    try {
      return await client.query(text, [...parameters]);
    } catch (error) {
      if (!isConnectionFailure(error)) throw error;
      broken = error;
      throw away();
    }
  }
  return {
    // biome-ignore lint/suspicious/noExplicitAny: kysely's overload for cursors, of which we give it none, fits nothing else
    query: (text: any, parameters: readonly unknown[] = []): any => ask(text, parameters),
    release: (destroy) => client.release(destroy === true || broken !== undefined),
  };
}

/** Connection exceptions and shutdowns by their class; whatever is no answer of the server at all; not bugs of ours. */
function isConnectionFailure(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return /^(08|57P)/.test(systemCode(error) ?? '');
  return !(error instanceof TypeError || error instanceof RangeError);
}

/** The server is there and does not let us in, has no such database, or shows no certificate that we accept: waiting will not help. */
export function isRefusedByServer(error: unknown): boolean {
  if (!(error instanceof DatabaseAway)) return false;
  const code = systemCode(error.cause) ?? '';
  return /^(28|3D)/.test(code) || /SSL|TLS|CERT/.test(`${code} ${reasonOf(error.cause)}`);
}

/** `postgres://host:5432/database` */
export function addressOf(url: string): string {
  const { host, port, database } = new pg.Client({ connectionString: withoutTls(url) });
  const shown = host.startsWith('/') ? encodeURIComponent(host) : host.includes(':') ? `[${host}]` : host;
  return `postgres://${shown}:${port}/${database ?? ''}`;
}

/** Its files are read with it, and may be missing. */
function withoutTls(url: string): string {
  if (!URL.canParse(url)) return url;
  const parsed = new URL(url);
  for (const name of ['sslmode', 'sslcert', 'sslkey', 'sslrootcert']) parsed.searchParams.delete(name);
  return parsed.href;
}

/**
 * `require` and its weaker kin mean a certificate that is checked, as pg takes them today; it warns of that on stderr, and
 * its next version will not check. Who wants no check writes `no-verify`, or `uselibpqcompat=true` for libpq's meanings.
 */
function withStrictTls(url: string): string {
  // pg's own fault for such a one does not repeat it.
  if (!URL.canParse(url)) return url;
  const parsed = new URL(url);
  const mode = parsed.searchParams.get('sslmode');
  if (parsed.searchParams.has('uselibpqcompat') || !/^(prefer|require|verify-ca)$/.test(mode ?? '')) return url;
  parsed.searchParams.set('sslmode', 'verify-full');
  return parsed.href;
}

const INT8 = 20;
const NUMERIC = 1700;

/** `bigint` and the sums of it come as numbers, exact up to 2^53 as everywhere else; pg would give text. */
const getTypeParser: typeof pg.types.getTypeParser = (type: number, format?: unknown) =>
  type === INT8 || type === NUMERIC ? Number : pg.types.getTypeParser(type, format as 'text');
