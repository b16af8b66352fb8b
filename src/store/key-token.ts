import type { ApiKey } from './api-keys.ts';
import type { SigningKey } from './signing-key.ts';
import { TOKEN_AUDIENCE, TOKEN_ISSUER, tokenHeader } from './token-form.ts';

/** The JWT of one key. Expiry is cut to the whole second, never extended. */
export async function mintToken(key: ApiKey, signingKey: SigningKey): Promise<string> {
  // Loaded by the first key that is made: a start makes none.
  const { SignJWT } = await import('jose/jwt/sign');
  const claims = { teams: key.teams, models: key.models, metadata: key.metadata };
  const token = new SignJWT(claims)
    .setProtectedHeader(tokenHeader(signingKey.verification.keyId))
    .setIssuer(TOKEN_ISSUER)
    .setAudience(TOKEN_AUDIENCE)
    .setSubject(key.subject)
    .setJti(key.id)
    .setIssuedAt(key.createdAt);
  if (key.expiresAt !== undefined) token.setExpirationTime(key.expiresAt);
  return token.sign(signingKey.privateKey);
}
