import type { Database } from '../store/database.ts';
import { loadOrMakeGatewayId } from '../store/gateway-id.ts';
import { loadOrMakeSigningKey, newSigningKey, type SigningKey } from '../store/signing-key.ts';
import { publishSigningKey, retireSigningKey } from '../store/signing-keys.ts';

export interface PublishedSigningKey extends SigningKey {
  /** Whose it is, in the database. */
  readonly gateway: string;
}

/** The key this data folder signs with, known to every gateway on the database. */
export async function publishedSigningKey(
  database: Database,
  dataDir: string,
  warn: (message: string) => void,
): Promise<PublishedSigningKey> {
  const signingKey = await loadOrMakeSigningKey(dataDir, warn);
  const gateway = await loadOrMakeGatewayId(dataDir, warn);
  await publishSigningKey(database, signingKey.verification, gateway, new Date());
  return { ...signingKey, gateway };
}

export interface RotatedSigningKey {
  /** The one that signs from now on. */
  readonly keyId: string;
  readonly retiredKeyId: string;
  /** From then on no token of the retired one is accepted; undefined: each works until its own end. */
  readonly worksUntil: Date | undefined;
}

/**
 * Another key signs from now on, in this data folder's gateway, be it running or not. The public half of the retired one
 * stays, so that keys which it signed go on working; its private half is gone. `graceMs` undefined: as long as they may.
 */
export async function rotateSigningKey(
  database: Database,
  dataDir: string,
  graceMs: number | undefined,
  warn: (message: string) => void,
): Promise<RotatedSigningKey> {
  const now = new Date();
  const { gateway, verification: old } = await publishedSigningKey(database, dataDir, warn);
  const successor = newSigningKey();
  const untilMs = graceMs === undefined ? undefined : now.getTime() + graceMs;
  // First the database: were it told afterwards and something broke in between, every token of the old one would be void.
  await retireSigningKey(database, { keyId: old.keyId, untilMs }, successor.verification, gateway, now);
  await successor.keepIn(dataDir);
  const worksUntil = untilMs === undefined ? undefined : new Date(untilMs);
  return { keyId: successor.verification.keyId, retiredKeyId: old.keyId, worksUntil };
}
