import type { Kysely } from 'kysely';
import type { Database } from './database.ts';
import { writeKeys } from './key-version.ts';
import type { Tables } from './tables.ts';
import type { VerificationKey } from './token-form.ts';

/** More gateways than ever shared one database: what each relay thread of each gateway holds of them. */
const MAX_SIGNING_KEYS = 1_000;
/**
 * Beyond MAX_SIGNING_KEYS those of gateways that were not seen for longer are dropped. Gateways without a lasting data
 * folder leave one behind with each start; were the oldest dropped, it would be those of gateways that live longest.
 */
const UNSEEN_MS = 7 * 86_400_000;
/** A retired key that is signed with for longer is one whose successor never came to its data folder. */
const UNFINISHED_MS = 60_000;

/**
 * Makes the public half of a gateway's key known to all gateways on the database, and that the gateway is there: to be said
 * again now and then. A key that is not known yet takes the place of all that this gateway had: whoever moves a signing
 * key away makes every token of it void, here and everywhere. To be replaced without that it is rotated.
 */
export async function publishSigningKey(
  database: Database,
  key: VerificationKey,
  gateway: string,
  now: Date,
): Promise<void> {
  const seenAt = now.toISOString();
  const rows = await database.query
    .selectFrom('signing_keys')
    .select(['kid', 'retired_at'])
    .where('gateway', '=', gateway)
    .execute();
  const own = rows.find(({ kid }) => kid === key.keyId);
  if (own !== undefined && isInOrder(own.retired_at, now)) {
    await database.query.updateTable('signing_keys').set({ seen_at: seenAt }).where('gateway', '=', gateway).execute();
    return;
  }
  await writeKeys(database, async (transaction) => {
    const replaced = transaction
      .deleteFrom('signing_keys')
      .where('gateway', '=', gateway)
      .where('kid', '<>', key.keyId);
    // A rotation that was broken off has left a successor that nobody can sign with.
    await (own === undefined ? replaced : replaced.where('retired_at', 'is', null)).execute();
    await transaction
      .insertInto('signing_keys')
      .values(rowOf(key, gateway, seenAt))
      .onConflict((conflict) =>
        conflict.column('kid').doUpdateSet({ seen_at: seenAt, retired_at: null, valid_until: null }),
      )
      .execute();
    await forgetOld(transaction, now);
  });
}

/** Before the data folder gets the successor: from then on both are known everywhere. `untilMs`: see VerificationKey. */
export async function retireSigningKey(
  database: Database,
  retired: { readonly keyId: string; readonly untilMs: number | undefined },
  successor: VerificationKey,
  gateway: string,
  now: Date,
): Promise<void> {
  const at = now.toISOString();
  const until = retired.untilMs === undefined ? null : new Date(retired.untilMs).toISOString();
  await writeKeys(database, async (transaction) => {
    await transaction
      .updateTable('signing_keys')
      .set({ retired_at: at, valid_until: until })
      .where('kid', '=', retired.keyId)
      .execute();
    await transaction
      .insertInto('signing_keys')
      .values(rowOf(successor, gateway, at))
      .execute();
    await forgetOld(transaction, now);
  });
}

/** The keys of all gateways on the database, sorted by name; of too many those that were seen last. */
export async function listSigningKeys(database: Database): Promise<VerificationKey[]> {
  const rows = await database.query
    .selectFrom('signing_keys')
    .select(['kid', 'public_key_pem', 'valid_until'])
    .orderBy('seen_at', 'desc')
    .limit(MAX_SIGNING_KEYS)
    .execute();
  return rows
    .map((row) => ({
      keyId: row.kid,
      publicKeyPem: row.public_key_pem,
      ...(row.valid_until !== null && { untilMs: Date.parse(row.valid_until) }),
    }))
    .sort((one, other) => (one.keyId < other.keyId ? -1 : 1));
}

/** One that was retired just now is still in its data folder: a rotation is under way. */
function isInOrder(retiredAt: string | null, now: Date): boolean {
  return retiredAt === null || now.getTime() - Date.parse(retiredAt) < UNFINISHED_MS;
}

function rowOf(key: VerificationKey, gateway: string, at: string) {
  return {
    kid: key.keyId,
    public_key_pem: key.publicKeyPem,
    gateway,
    created_at: at,
    seen_at: at,
    retired_at: null,
    valid_until: null,
  };
}

async function forgetOld(transaction: Kysely<Tables>, now: Date): Promise<void> {
  const before = new Date(now.getTime() - UNSEEN_MS).toISOString();
  // Relay threads judge by the time themselves: a row may go long after it counted for the last time.
  await transaction.deleteFrom('signing_keys').where('valid_until', '<', before).execute();
  await transaction
    .deleteFrom('signing_keys')
    .where('seen_at', '<', before)
    .where('kid', 'not in', (others) =>
      others.selectFrom('signing_keys').select('kid').orderBy('seen_at', 'desc').limit(MAX_SIGNING_KEYS),
    )
    .execute();
}
