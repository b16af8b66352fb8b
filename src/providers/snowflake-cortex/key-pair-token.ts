import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import type { FetchedToken } from '../credential.ts';

/** Snowflake takes none that lives longer. */
const LIFE_MS = 3_600_000;

/** Signed here, asked of nobody. https://docs.snowflake.com/en/developer-guide/sql-api/authenticating#using-key-pair-authentication */
export async function keyPairToken(identifier: string, user: string, privateKeyPem: string): Promise<FetchedToken> {
  const { SignJWT } = await import('jose');
  const key = createPrivateKey(privateKeyPem);
  const publicKey = createPublicKey(privateKeyPem).export({ type: 'spki', format: 'der' });
  const fingerprint = createHash('sha256').update(publicKey).digest('base64');
  const subject = `${accountOf(identifier)}.${user.toUpperCase()}`;
  const expiresAtMs = Date.now() + LIFE_MS;
  const token = await new SignJWT()
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
    .setIssuer(`${subject}.SHA256:${fingerprint}`)
    .setSubject(subject)
    .setIssuedAt()
    .setExpirationTime(Math.floor(expiresAtMs / 1000))
    .sign(key);
  return { values: { token }, expiresAtMs };
}

/** Without region and cloud, which stand behind a dot in the older identifiers. */
function accountOf(identifier: string): string {
  const separator = identifier.includes('.global') ? '-' : '.';
  return identifier.split(separator)[0]!.toUpperCase();
}
