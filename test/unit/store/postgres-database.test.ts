import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { inspect, promisify } from 'node:util';
import { sql } from 'kysely';
import { type Database, openDatabase } from '../../../src/store/database.ts';
import { addressOf, openPostgresPool } from '../../../src/store/postgres-engine.ts';
import { DatabaseAway, isRowFault, StoreFault } from '../../../src/store/store-fault.ts';
import { POSTGRES_PASSWORD, type PostgresServer, postgresSkip, startPostgres } from '../../support/postgres-server.ts';

const run = promisify(execFile);
const openAt = (url: string): Promise<Database> => openDatabase({ database: url, dataDir: '/nowhere' });
const ask = (database: Database) => sql`select 1`.execute(database.query);

/** Says no secret, not in its message, its stack or what it was caused by. */
function tellsNoPassword(error: unknown): boolean {
  assert.ok(!inspect(error, { depth: 10, showHidden: true }).includes(POSTGRES_PASSWORD), String(error));
  return true;
}

describe('a PostgreSQL that is away', { skip: postgresSkip }, () => {
  let server: PostgresServer;
  let url: string;
  before(async () => {
    server = await startPostgres();
    url = await server.newDatabase();
  });
  after(() => server[Symbol.asyncDispose]());

  it('a PostgreSQL that is away at the start is waited for', async () => {
    await server.stop();
    const opening = openAt(url);
    // In any case refused once before it is there.
    await assert.rejects(openPostgresPool({ url, statementMs: 1000 }).connect(), DatabaseAway);
    await server.start();
    const database = await opening;
    await ask(database);
    await database.close();
  });

  it('a PostgreSQL that goes away fails queries at once, with its address and without its password, until it is back', async () => {
    const database = await openAt(url);
    await ask(database);
    await server.stop();
    const begun = performance.now();
    for (let time = 0; time < 3; time += 1) {
      await assert.rejects(ask(database), (error) => {
        assert.ok(error instanceof DatabaseAway && !isRowFault(error));
        assert.ok(error.message.includes(addressOf(url)), error.message);
        return tellsNoPassword(error);
      });
    }
    assert.ok(performance.now() - begun < 1000);
    await server.start();
    await ask(database);
    await database.close();
  });

  it('a PostgreSQL that goes away in the middle of a transaction keeps nothing of it', async () => {
    const database = await openAt(url);
    const failing = database.write(async (transaction) => {
      await transaction.insertNew('price_tables', ['hash', 'rates', 'version'], [['a', '', '']]);
      await server.stop();
      await server.start();
      await ask(database);
      await transaction.query.deleteFrom('budget_alerts').execute();
    });
    await assert.rejects(failing, DatabaseAway);
    assert.deepEqual(await database.query.selectFrom('price_tables').selectAll().execute(), []);
    await database.close();
  });

  it('a PostgreSQL that goes silent ends every wait, and is used again when it speaks', async () => {
    const pool = openPostgresPool({ url, statementMs: 200 });
    const [first, second] = [await pool.connect(), await pool.connect()];
    await first.query('select 1', []);
    server.pause();
    try {
      await assert.rejects(first.query('select 1', []), /is away: Query read timeout/);
      const begun = performance.now();
      // What was never answered is not waited for a second time.
      await assert.rejects(first.query('rollback', []), DatabaseAway);
      assert.ok(performance.now() - begun < 100);
    } finally {
      server.resume();
    }
    first.release();
    second.release();
    const third = await pool.connect();
    await third.query('select 1', []);
    third.release();
    await pool.end();
  });
});

describe('a PostgreSQL that is silent', { skip: postgresSkip }, () => {
  it('a silent PostgreSQL keeps nobody from closing', async () => {
    const server = await startPostgres();
    try {
      const database = await openAt(await server.newDatabase());
      await Promise.all([ask(database), ask(database)]);
      server.pause();
      const unanswered = assert.rejects(ask(database), DatabaseAway);
      // Until it is sent.
      await new Promise((resolve) => setImmediate(resolve));
      const begun = performance.now();
      await database.close();
      await unanswered;
      assert.ok(performance.now() - begun < 3000);
    } finally {
      await server[Symbol.asyncDispose]();
    }
  });
});

describe('a PostgreSQL that cannot be used', {
  skip: postgresSkip,
}, () => {
  let server: PostgresServer;
  let url: string;
  before(async () => {
    server = await startPostgres();
    url = await server.newDatabase();
  });
  after(() => server[Symbol.asyncDispose]());

  async function refused(badUrl: string, words: RegExp): Promise<void> {
    const begun = performance.now();
    await assert.rejects(openAt(badUrl), (error) => {
      assert.ok(error instanceof StoreFault, String(error));
      assert.match(error.message, words);
      assert.ok(
        error.message.includes(addressOf(badUrl)) && /Check store\.database/.test(error.message),
        error.message,
      );
      return tellsNoPassword(error);
    });
    assert.ok(performance.now() - begun < 5000);
  }

  it('a wrong password of PostgreSQL is refused at once, with its address and a remedy', () =>
    refused(url.replace('nobody', 'somebody'), /password authentication failed/));

  it('a missing PostgreSQL database is refused at once, with its address and a remedy', () =>
    refused(`${url}0`, /does not exist/));

  it('a PostgreSQL database without the right to make tables is refused at once, with its address and a remedy', async () => {
    const database = await openAt(url);
    await sql`create role reader login password ${sql.lit(POSTGRES_PASSWORD)}`.execute(database.query);
    await database.close();
    const other = await server.newDatabase();
    await refused(other.replace('//sluice:', '//reader:'), /permission denied/);
  });

  it('a missing certificate file of PostgreSQL is refused at once, with its address and a remedy', async () => {
    const opening = openDatabase({ database: `${url}?sslrootcert=/nowhere/ca.pem`, dataDir: '' }, 0);
    await assert.rejects(opening, (error) => error instanceof StoreFault && /\/nowhere\/ca\.pem/.test(error.message));
  });

  it('a PostgreSQL without TLS is refused at once where the URL asks for TLS', () =>
    refused(`${url}?sslmode=require`, /does not support SSL/));
});

describe('a database on PostgreSQL', { skip: postgresSkip }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  it('a database on PostgreSQL is apart from those in other schemas, of another application or gateway', async () => {
    const url = await server.newDatabase();
    const inSchema = (schema: string) => `${url}?options=${encodeURIComponent(`-c search_path=${schema}`)}`;
    const first = await openAt(url);
    for (const name of ['kysely_migration', 'api_keys']) {
      await sql`create schema if not exists other`.execute(first.query);
      await sql`create table other.${sql.ref(name)} (name text)`.execute(first.query);
    }
    await sql`create schema ours`.execute(first.query);
    const second = await openAt(inSchema('ours'));
    await second.query.insertInto('price_tables').values({ hash: 'a', rates: '', version: '' }).execute();
    assert.deepEqual(await first.query.selectFrom('price_tables').selectAll().execute(), []);
    await Promise.all([first.close(), second.close()]);
    await assert.rejects(openAt(inSchema('nowhere')), /no schema of its search_path exists/);
  });
});

describe('a connection to PostgreSQL', { skip: postgresSkip }, () => {
  let server: PostgresServer;
  let url: string;
  before(async () => {
    server = await startPostgres();
    url = await server.newDatabase();
  });
  after(() => server[Symbol.asyncDispose]());

  it('connections to PostgreSQL are shared by any number of queries, and are at most eight', async () => {
    const database = await openAt(url);
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(database.query)),
    );
    const pids = new Set(answers.map((answer) => answer.rows[0]?.pid));
    assert.ok(pids.size <= 8, `${pids.size} connections`);
    await database.close();
  });

  it('a query on PostgreSQL that lasts too long is ended', async () => {
    const pool = openPostgresPool({ url, statementMs: 100 });
    const client = await pool.connect();
    const begun = performance.now();
    await assert.rejects(client.query('select pg_sleep(30)', []), /statement timeout/);
    assert.ok(performance.now() - begun < 2000);
    // The server ended the query, so the connection is as good as before.
    await client.query('select 1', []);
    client.release();
    await pool.end();
  });

  it('an idle connection that PostgreSQL ends ends nothing else', async () => {
    const database = await openAt(url);
    await ask(database);
    const admin = await openAt(url);
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`.execute(
      admin.query,
    );
    // It may be told of the end only when it asks.
    await ask(database).catch((error) => assert.ok(error instanceof DatabaseAway));
    await ask(database);
    await Promise.all([database.close(), admin.close()]);
  });

  it('messages show PostgreSQL by host, port and database, however the URL says them', () => {
    assert.equal(
      addressOf('postgres://u:p@db.internal:6000/sluice?sslmode=disable'),
      'postgres://db.internal:6000/sluice',
    );
    assert.equal(addressOf('postgresql://u:p%40ss@[::1]:6000/a'), 'postgres://[::1]:6000/a');
    assert.equal(
      addressOf('postgres:///a?host=/run/postgresql&port=6000&user=u'),
      'postgres://%2Frun%2Fpostgresql:6000/a',
    );
  });
});

const noOpenssl = await run('openssl', ['version']).then(
  () => false as const,
  () => 'no openssl command to make a certificate with',
);

describe('a connection to PostgreSQL over TLS', { skip: postgresSkip || noOpenssl }, () => {
  let folder: string;
  let server: PostgresServer;
  let url: string;
  let certificateFile: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-tls-'));
    const keyFile = join(folder, 'key.pem');
    certificateFile = join(folder, 'certificate.pem');
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const files = ['-keyout', keyFile, '-out', certificateFile];
    await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files]);
    const [key, certificate] = [await readFile(keyFile, 'utf8'), await readFile(certificateFile, 'utf8')];
    server = await startPostgres({ key, certificate });
    url = (await server.newDatabase()).replace('127.0.0.1', 'localhost');
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const isEncrypted = async (address: string): Promise<boolean> => {
    const database = await openAt(address);
    const { rows } = await sql<{ ssl: boolean }>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`.execute(
      database.query,
    );
    await database.close();
    return rows[0]?.ssl === true;
  };

  it('a connection to PostgreSQL over TLS trusts a certificate that it knows', async () => {
    assert.ok(await isEncrypted(`${url}?sslmode=verify-full&sslrootcert=${encodeURIComponent(certificateFile)}`));
  });

  it('a PostgreSQL certificate that nobody vouches for is refused, unless sslmode is no-verify', async () => {
    for (const mode of ['require', 'verify-full'])
      await assert.rejects(
        openAt(`${url}?sslmode=${mode}`),
        (error) => error instanceof StoreFault && /self-signed/.test(error.message),
      );
    assert.ok(await isEncrypted(`${url}?sslmode=no-verify`));
  });

  it('a connection to PostgreSQL uses TLS only where the URL asks for it', async () => {
    assert.equal(await isEncrypted(url), false);
  });
});
