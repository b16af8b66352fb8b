import type { Database } from './database.ts';
import { writeKeys } from './key-version.ts';
import type { VerificationKey } from './token-form.ts';

/** More gateways than ever shared one database: what each relay thread of each gateway holds of them. */
const MAX_SIGNING_KEYS = 1_000;
/**
 * Beyond MAX_SIGNING_KEYS those of gateways that were not seen for longer are dropped. Gateways without a lasting data
 * folder leave one behind with each start; were the oldest dropped, it would be those of gateways that live longest.
 */
const UNSEEN_MS = 7 * 86_400_000;

/**
 * Makes the public half of a gateway's key known to all gateways on the database, and that the gateway is there: to be said
 * again now and then. It takes the place of one that this gateway signed with before: whoever moves a signing key away
 * makes every token of it void, here and everywhere.
 */
export async function publishSigningKey(
  database: Database,
  key: VerificationKey,
  gateway: string,
  now: Date,
): Promise<void> {
  const seenAt = now.toISOString();
  const rows = await database.query.selectFrom('signing_keys').select('kid').where('gateway', '=', gateway).execute();
  if (rows.length === 1 && rows[0]?.kid === key.keyId) {
    await database.query.updateTable('signing_keys').set({ seen_at: seenAt }).where('kid', '=', key.keyId).execute();
    return;
  }
  await writeKeys(database, async (transaction) => {
    await transaction.deleteFrom('signing_keys').where('gateway', '=', gateway).where('kid', '<>', key.keyId).execute();
    await transaction
      .insertInto('signing_keys')
      .values({ kid: key.keyId, public_key_pem: key.publicKeyPem, gateway, created_at: seenAt, seen_at: seenAt })
      .onConflict((conflict) => conflict.column('kid').doUpdateSet({ seen_at: seenAt }))
      .execute();
    await transaction
      .deleteFrom('signing_keys')
      .where('seen_at', '<', new Date(now.getTime() - UNSEEN_MS).toISOString())
      .where('kid', 'not in', (others) =>
        others.selectFrom('signing_keys').select('kid').orderBy('seen_at', 'desc').limit(MAX_SIGNING_KEYS),
      )
      .execute();
  });
}

/** Of all gateways on the database, sorted by name; of too many those that were seen last. */
export async function listSigningKeys(database: Database): Promise<VerificationKey[]> {
  const rows = await database.query
    .selectFrom('signing_keys')
    .select(['kid', 'public_key_pem'])
    .orderBy('seen_at', 'desc')
    .limit(MAX_SIGNING_KEYS)
    .execute();
  return rows
    .map((row) => ({ keyId: row.kid, publicKeyPem: row.public_key_pem }))
    .sort((one, other) => (one.keyId < other.keyId ? -1 : 1));
}
