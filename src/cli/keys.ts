import { GatewayError } from '../core/errors.ts';
import { type IssuedKey, issueKey, type KeyMint, rotateKey } from '../identity/issue-key.ts';
import { graceMs } from '../identity/key-request.ts';
import { isDue, NO_ACCOUNT_RULES } from '../identity/key-wish.ts';
import { publishedSigningKey, rotateSigningKey } from '../identity/published-signing-key.ts';
import { type ApiKey, revokeKey, stateOf } from '../store/api-keys.ts';
import type { Database } from '../store/database.ts';
import { pagesOfKeys } from '../store/key-page.ts';
import { type KeysCreateOptions, readGrace, readKeyWish } from './keys-options.ts';
import { Table } from './table.ts';
import { type CommandOutput, type CommandPlace, withDatabase, withExistingDatabase } from './with-database.ts';

/** `sluice keys create`: the token, once, alone on `out`. Gives the exit code. */
export async function keysCreate(
  options: KeysCreateOptions,
  place: CommandPlace,
  output: CommandOutput,
): Promise<number> {
  const now = new Date();
  const wish = readKeyWish(options, now);
  if (Array.isArray(wish)) {
    for (const fault of wish) output.error(fault);
    return 1;
  }
  return withDatabase(place, output, async (database) => {
    const issued = await issueKey(await mintOf(place, database, output), wish, now);
    if (issued instanceof GatewayError) return refused(issued, output);
    output.error(`Made ${describe(issued)}. Keep it: it is not shown again.`);
    output.out(issued.token);
    return 0;
  });
}

/** `sluice keys rotate ID`: the new token, once, alone on `out`. */
export async function keysRotate(
  id: string,
  options: { grace: string },
  place: CommandPlace,
  output: CommandOutput,
): Promise<number> {
  const asked = readGrace(options.grace);
  const grace = typeof asked === 'string' ? asked : graceMs(asked);
  if (typeof grace === 'string') {
    output.error(grace);
    return 1;
  }
  if (grace instanceof GatewayError) return refused(grace, output);
  return withExistingDatabase(place, output, async (database) => {
    const rotated = await rotateKey(await mintOf(place, database, output), id, grace);
    if (rotated instanceof GatewayError) return refused(rotated, output);
    const { worksUntil } = rotated;
    output.error(`Made ${describe(rotated)}. Keep it: it is not shown again.`);
    output.error(`${id} works until ${worksUntil.toISOString()}.`);
    output.out(rotated.token);
    return 0;
  });
}

/** `sluice keys rotate-signing-key`: the id of the new one, alone on `out`. */
export async function keysRotateSigningKey(
  options: { grace?: string },
  place: CommandPlace,
  output: CommandOutput,
): Promise<number> {
  const asked = options.grace === undefined ? undefined : readGrace(options.grace);
  const grace = typeof asked === 'number' ? graceMs(asked) : asked;
  if (typeof grace === 'string') {
    output.error(grace);
    return 1;
  }
  if (grace instanceof GatewayError) return refused(grace, output);
  return withExistingDatabase(place, output, async (database) => {
    const warn = (message: string): void => output.error(`warning: ${message}`);
    const rotated = await rotateSigningKey(database, place.dataDir, grace, warn);
    const { keyId, retiredKeyId, worksUntil } = rotated;
    output.error(`Keys are signed by ${keyId} from now on.`);
    output.error(
      worksUntil === undefined
        ? `Those that ${retiredKeyId} signed go on working until they expire.`
        : `Those that ${retiredKeyId} signed work until ${worksUntil.toISOString()}.`,
    );
    output.out(keyId);
    return 0;
  });
}

async function mintOf(place: CommandPlace, database: Database, output: CommandOutput): Promise<KeyMint> {
  const warn = (message: string): void => output.error(`warning: ${message}`);
  const signingKey = await publishedSigningKey(database, place.dataDir, warn);
  return { database, signingKey, rules: place.rules ?? NO_ACCOUNT_RULES };
}

function describe({ key }: IssuedKey): string {
  const until = key.expiresAt ? `until ${key.expiresAt.toISOString()}` : 'without expiry';
  return `${key.id} for ${key.subject}, ${until}`;
}

function refused(error: GatewayError, output: CommandOutput): number {
  output.error(error.context.detail ?? error.message);
  return 1;
}

/** There may be a million. */
const PAGE_KEYS = 1_000;

/** `sluice keys list`: a table of all keys, never a token. Memory holds one page of it. */
export async function keysList(place: CommandPlace, output: CommandOutput): Promise<number> {
  return withExistingDatabase(place, output, async (database) => {
    const table = new Table();
    let rows = [HEADINGS];
    for await (const page of pagesOfKeys(database, PAGE_KEYS)) {
      const now = new Date();
      for (const key of page) rows.push(cells(key, now, place));
      for (const line of table.lines(rows)) output.out(line);
      rows = [];
    }
    if (rows.length > 0)
      output.error('No key was made yet. Make one with: sluice keys create --subject virtualaccount:NAME');
    return 0;
  });
}

/** `sluice keys revoke ID`: refused on every thread within a second. */
export async function keysRevoke(id: string, place: CommandPlace, output: CommandOutput): Promise<number> {
  return withExistingDatabase(place, output, async (database) => {
    const outcome = await revokeKey(database, id, new Date());
    if (outcome === 'unknown') {
      output.error(`There is no key ${JSON.stringify(id)}. See: sluice keys list`);
      return 1;
    }
    output.error(outcome === 'revoked' ? `Revoked ${id}.` : `${id} was revoked before.`);
    return 0;
  });
}

const HEADINGS = ['ID', 'STATE', 'SUBJECT', 'NAME', 'TEAMS', 'MODELS', 'METADATA', 'CREATED', 'EXPIRES', 'TYPE'];

function cells(key: ApiKey, now: Date, { rules = NO_ACCOUNT_RULES }: CommandPlace): string[] {
  const metadata = Object.entries(key.metadata).map(([name, value]) => `${name}=${value}`);
  return [
    key.id,
    stateOf(key, now) === 'active' && isDue(key, now, rules) ? 'due' : stateOf(key, now),
    key.subject,
    key.name ?? '-',
    key.teams.join(',') || '-',
    key.models?.join(',') ?? '*',
    metadata.join(',') || '-',
    minute(key.createdAt),
    endOf(key),
    key.tokenType ?? 'jwt',
  ];
}

/** When it ends by itself, or its grace does. */
function endOf({ expiresAt, revokedAt, replacedBy }: ApiKey): string {
  if (replacedBy !== undefined && revokedAt !== undefined) return minute(revokedAt);
  return expiresAt ? minute(expiresAt) : 'never';
}

/** UTC, to the minute. */
function minute(time: Date): string {
  return `${time.toISOString().slice(0, 16)}Z`;
}
