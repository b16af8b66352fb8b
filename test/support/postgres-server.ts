import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { chmod, chown, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { findBinary, freePort, type Owner, type ServerProcess, skipWithout, startServer } from './server-process.ts';

const run = promisify(execFile);
const binary = findBinary('postgres', packagedFolders());

/** Why tests that need PostgreSQL are skipped; false: they run. */
export const postgresSkip = skipWithout('postgres', binary);

/** In every URL: it must be found in no message, log or metric. */
export const POSTGRES_PASSWORD = 'a-password-that-nobody-may-see';

/** PEM. */
export interface Certificate {
  readonly key: string;
  readonly certificate: string;
}

export interface PostgresServer extends ServerProcess {
  /** `postgres://…` of an empty database that was just made: one a test, so that tests do not see each other. */
  newDatabase(): Promise<string>;
}

/**
 * A real PostgreSQL on a port of its own. One a test file: making it takes a second or two, a database in it some 50 ms.
 * It refuses to run as root, so there it runs as another user.
 */
export async function startPostgres(tls?: Certificate): Promise<PostgresServer> {
  if (binary === undefined) throw new Error('postgres is not installed');
  const owner = process.getuid?.() === 0 ? await unprivileged() : undefined;
  const folder = await mkdtemp(join(tmpdir(), 'sluice-postgres-'));
  const data = join(folder, 'data');
  const [passwordFile, keyFile, certificateFile] = ['password', 'key.pem', 'certificate.pem'].map((name) =>
    join(folder, name),
  );
  const settings = [
    ...SETTINGS,
    ...(tls ? ['ssl=on', `ssl_key_file=${keyFile}`, `ssl_cert_file=${certificateFile}`] : []),
  ];
  const files = [
    { path: passwordFile!, text: POSTGRES_PASSWORD },
    ...(tls
      ? [
          { path: keyFile!, text: tls.key },
          { path: certificateFile!, text: tls.certificate },
        ]
      : []),
  ];
  for (const { path, text } of files) await writeFile(path, text, { mode: 0o600 });
  if (owner) for (const path of [folder, ...files.map((file) => file.path)]) await chown(path, owner.uid, owner.gid);
  await chmod(folder, 0o700);
  const login = ['-U', 'sluice', '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
  const initialize = (...language: string[]) =>
    run(join(dirname(binary), 'initdb'), ['-D', data, ...login, '--no-sync', '-E', 'UTF8', '--locale=C', ...language], {
      cwd: folder,
      timeout: 60_000,
      ...owner,
    });
  // As many a server in use has it: text is sorted as a dictionary does, not by its bytes. Before version 15, or built
  // without ICU, it cannot; initdb leaves nothing behind when it fails.
  await initialize('--locale-provider=icu', '--icu-locale=en-US').catch(() => initialize());
  const port = await freePort();
  const url = (database: string): string => `postgres://sluice:${POSTGRES_PASSWORD}@127.0.0.1:${port}/${database}`;
  const server = await startServer({
    binary,
    arguments: ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    port,
    folder,
    owner,
    // A fast shutdown: it does not wait for clients.
    stopSignal: 'SIGINT',
    answers: () => execute(url('postgres'), 'select 1'),
  });
  let databases = 0;
  return {
    ...server,
    async newDatabase() {
      databases += 1;
      const name = `test_${databases}`;
      await execute(url('postgres'), `create database ${name}`);
      return url(name);
    },
  };
}

/** Nothing here has to survive a power cut. */
const SETTINGS = [
  'fsync=off',
  'full_page_writes=off',
  'synchronous_commit=off',
  'shared_buffers=16MB',
  'max_connections=60',
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
];

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000, query_timeout: 20_000 });
  // It may be stopped at any moment; the query rejects then.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Debian and Ubuntu keep it out of PATH: another program chooses between versions. Newest first. */
function packagedFolders(): string[] {
  try {
    return readdirSync('/usr/lib/postgresql')
      .sort((left, right) => Number(right) - Number(left))
      .map((version) => `/usr/lib/postgresql/${version}/bin`);
  } catch {
    return [];
  }
}

async function unprivileged(): Promise<Owner> {
  const ids = async (user: string): Promise<Owner> => ({
    uid: Number((await run('id', ['-u', user])).stdout),
    gid: Number((await run('id', ['-g', user])).stdout),
  });
  return ids('postgres').catch(() => ids('nobody'));
}
