import type { Database } from './database.ts';
import { writeKeys } from './key-version.ts';
import type { VerificationKey } from './token-form.ts';

/** More gateways than ever shared one database; beyond it the oldest are no longer looked at. */
const MAX_SIGNING_KEYS = 1000;

/**
 * Makes the public half of a gateway's key known to all gateways on the database. It takes the place of one that this
 * gateway signed with before: whoever moves a signing key away makes every token of it void, here and everywhere.
 */
export async function publishSigningKey(
  database: Database,
  key: VerificationKey,
  gateway: string,
  now: Date,
): Promise<void> {
  const rows = await database.query.selectFrom('signing_keys').select('kid').where('gateway', '=', gateway).execute();
  if (rows.length === 1 && rows[0]?.kid === key.keyId) return;
  await writeKeys(database, async (transaction) => {
    await transaction.deleteFrom('signing_keys').where('gateway', '=', gateway).where('kid', '<>', key.keyId).execute();
    await transaction
      .insertInto('signing_keys')
      .values({ kid: key.keyId, public_key_pem: key.publicKeyPem, gateway, created_at: now.toISOString() })
      .onConflict((conflict) => conflict.column('kid').doNothing())
      .execute();
  });
}

/** Of all gateways on the database, sorted by name. */
export async function listSigningKeys(database: Database): Promise<VerificationKey[]> {
  const rows = await database.query
    .selectFrom('signing_keys')
    .select(['kid', 'public_key_pem'])
    .orderBy('created_at', 'desc')
    .limit(MAX_SIGNING_KEYS)
    .execute();
  return rows
    .map((row) => ({ keyId: row.kid, publicKeyPem: row.public_key_pem }))
    .sort((one, other) => (one.keyId < other.keyId ? -1 : 1));
}
