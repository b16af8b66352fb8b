import { setTimeout as delay } from 'node:timers/promises';
import { CompiledQuery, Kysely, PostgresDialect, sql } from 'kysely';
import type { Database } from './database-engine.ts';
import { migrateToLatest, NewerDatabase } from './migrate.ts';
import { addressOf, isRefusedByServer, openPostgresPool } from './postgres-engine.ts';
import { postgresRowWriter } from './postgres-rows.ts';
import { DatabaseAbsent, DatabaseAway, reasonOf, StoreFault } from './store-fault.ts';
import type { Tables } from './tables.ts';

const BETWEEN_ATTEMPTS_MS = 250;
const STATEMENT_MS = 15_000;
/** An index over a large ledger, or the wait while another gateway makes it. */
const MIGRATION_STATEMENT_MS = 600_000;

/**
 * Several gateways may share it: whatever they must agree on they agree on there. A server that does not answer is asked
 * again until `waitMs` have passed; a gateway does not serve without it, since it would let revoked keys in.
 */
export function openPostgres(url: string, waitMs: number): Promise<Database> {
  return openPrepared(url, waitMs, async () => {});
}

export function openExistingPostgres(url: string, waitMs: number): Promise<Database> {
  return openPrepared(url, waitMs, async (query, schema) => {
    const { rows } = await sql`
      select 1 from information_schema.tables where table_schema = ${schema} and table_name = 'api_keys'
    `.execute(query);
    if (rows.length === 0) throw new DatabaseAbsent(`at ${addressOf(url)}`);
  });
}

/** `look` is asked before anything is made. */
type Look = (query: Kysely<Tables>, schema: string) => Promise<void>;

async function openPrepared(url: string, waitMs: number, look: Look): Promise<Database> {
  try {
    await prepare(url, waitMs, look);
  } catch (error) {
    if (error instanceof DatabaseAbsent) throw error;
    if (error instanceof NewerDatabase) throw new StoreFault(`The database ${addressOf(url)} ${error.message}`, error);
    const remedy = 'Check store.database, that the server runs, and that this user may make tables in it.';
    // The message of a server that is away names the address already.
    const words = error instanceof StoreFault ? error.message : `${addressOf(url)} cannot be used: ${reasonOf(error)}.`;
    throw new StoreFault(`${words} ${remedy}`, error);
  }
  const query = connect(url, STATEMENT_MS);
  return {
    engine: 'postgres',
    query,
    write: (work) =>
      query.transaction().execute((transaction) => work({ ...postgresRowWriter(transaction), query: transaction })),
    writeSoon: (work) =>
      query.transaction().execute((transaction) =>
        work({
          // What its columns are is said with its text.
          run: async (statement, values) =>
            (await transaction.executeQuery(CompiledQuery.raw(statement.texts.postgres, [...values]))).rows as never[],
        }),
      ),
    close: () => query.destroy(),
  };
}

function connect(url: string, statementMs: number): Kysely<Tables> {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: openPostgresPool({ url, statementMs }) }) });
}

/** Gateways that start at once take turns: kysely holds an advisory lock meanwhile. */
async function prepare(url: string, waitMs: number, look: Look): Promise<void> {
  const query = connect(url, MIGRATION_STATEMENT_MS);
  try {
    await whenThere(query, waitMs);
    const schema = await currentSchema(query);
    await look(query, schema);
    await migrateToLatest(query, schema);
  } finally {
    await query.destroy();
  }
}

/** The first of the search path that exists. */
async function currentSchema(query: Kysely<Tables>): Promise<string> {
  const { rows } = await sql<{ schema: string | null }>`select current_schema() as schema`.execute(query);
  const schema = rows[0]?.schema;
  if (typeof schema !== 'string') throw new Error('no schema of its search_path exists');
  return schema;
}

async function whenThere(query: Kysely<Tables>, waitMs: number): Promise<void> {
  const giveUpAt = performance.now() + waitMs;
  for (;;) {
    try {
      await sql`select 1`.execute(query);
      return;
    } catch (error) {
      const final = !(error instanceof DatabaseAway) || isRefusedByServer(error);
      if (final || performance.now() > giveUpAt) throw error;
      await delay(BETWEEN_ATTEMPTS_MS);
    }
  }
}
