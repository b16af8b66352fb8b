import { type ApiKey, insertKey, listKeys, newKeyId, revokeKey } from '../store/api-keys.ts';
import { type Database, openDatabase } from '../store/database.ts';
import { mintToken } from '../store/key-token.ts';
import { loadOrMakeSigningKey } from '../store/signing-key.ts';
import { reasonOf, StoreFault, systemCode } from '../store/store-fault.ts';
import { MAX_TOKEN_CHARACTERS } from '../store/token-form.ts';
import { type KeysCreateOptions, readKeyWish } from './keys-options.ts';

/** Where a command speaks: results on `out`, for scripts; everything else on `error`, for people. Whole lines. */
export interface CommandOutput {
  out(text: string): void;
  error(text: string): void;
}

const DEFAULT_DATA_DIR = './data';

/** `sluice keys create`: the token, once, alone on `out`. Gives the exit code. */
export async function keysCreate(options: KeysCreateOptions, output: CommandOutput): Promise<number> {
  const wish = readKeyWish(options);
  if (Array.isArray(wish)) {
    for (const fault of wish) output.error(fault);
    return 1;
  }
  const { lifetimeMs, ...rest } = wish;
  const createdAt = new Date();
  const expiresAt = lifetimeMs === undefined ? undefined : new Date(createdAt.getTime() + lifetimeMs);
  const key: ApiKey = { id: newKeyId(), ...rest, createdAt, expiresAt };
  return withDatabase(options, output, async (database, dataDir) => {
    const signingKey = await loadOrMakeSigningKey(dataDir, (message) => output.error(`warning: ${message}`));
    const token = await mintToken(key, signingKey);
    if (token.length > MAX_TOKEN_CHARACTERS) {
      output.error(
        `The key would be ${token.length} characters long; allowed are ${MAX_TOKEN_CHARACTERS}: name fewer models, teams or metadata`,
      );
      return 1;
    }
    // First the row: a token that was shown can always be revoked, whatever happens in between.
    await insertKey(database, key);
    output.error(
      `Made ${key.id} for ${key.subject}, ${expiresAt ? `until ${expiresAt.toISOString()}` : 'without expiry'}. Keep it: it is not shown again.`,
    );
    output.out(token);
    return 0;
  });
}

/** `sluice keys list`: a table of all keys, never a token. */
export async function keysList(options: { dataDir?: string }, output: CommandOutput): Promise<number> {
  return withDatabase(options, output, async (database) => {
    const keys = await listKeys(database);
    if (keys.length === 0)
      output.error('No key was made yet. Make one with: sluice keys create --subject virtualaccount:NAME');
    else for (const line of table([HEADINGS, ...keys.map((key) => cells(key, new Date()))])) output.out(line);
    return 0;
  });
}

/** `sluice keys revoke ID`: refused on every thread within a second. */
export async function keysRevoke(id: string, options: { dataDir?: string }, output: CommandOutput): Promise<number> {
  return withDatabase(options, output, async (database) => {
    const outcome = await revokeKey(database, id, new Date());
    if (outcome === 'unknown') {
      output.error(`There is no key ${JSON.stringify(id)}. See: sluice keys list`);
      return 1;
    }
    output.error(outcome === 'revoked' ? `Revoked ${id}.` : `${id} was revoked before.`);
    return 0;
  });
}

async function withDatabase(
  options: { dataDir?: string },
  output: CommandOutput,
  work: (database: Database, dataDir: string) => Promise<number>,
): Promise<number> {
  const dataDir = options.dataDir ?? DEFAULT_DATA_DIR;
  let database: Database | undefined;
  try {
    database = await openDatabase(dataDir);
    return await work(database, dataDir);
  } catch (error) {
    if (error instanceof StoreFault) output.error(error.message);
    else if (systemCode(error) === 'ERR_SQLITE_ERROR')
      output.error(`The database in ${dataDir} failed: ${reasonOf(error)}`);
    else throw error;
    return 1;
  } finally {
    await database?.close();
  }
}

const HEADINGS = ['ID', 'STATE', 'SUBJECT', 'NAME', 'TEAMS', 'MODELS', 'METADATA', 'CREATED', 'EXPIRES'];

function cells(key: ApiKey, now: Date): string[] {
  const metadata = Object.entries(key.metadata).map(([name, value]) => `${name}=${value}`);
  return [
    key.id,
    key.revokedAt ? 'revoked' : key.expiresAt && key.expiresAt <= now ? 'expired' : 'active',
    key.subject,
    key.name ?? '-',
    key.teams.join(',') || '-',
    key.models?.join(',') ?? '*',
    metadata.join(',') || '-',
    minute(key.createdAt),
    key.expiresAt ? minute(key.expiresAt) : 'never',
  ];
}

/** UTC, to the minute. */
function minute(time: Date): string {
  return `${time.toISOString().slice(0, 16)}Z`;
}

function table(rows: readonly string[][]): string[] {
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
