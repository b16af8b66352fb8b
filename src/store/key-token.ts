import type { ApiKey } from './api-keys.ts';
import type { SigningKey } from './signing-key.ts';
import type { AccessTokenClaims, ClientSecretClaims } from './token-claims.ts';
import {
  accessTokenHeader,
  CLIENT_SECRET_PREFIX,
  clientSecretHeader,
  TOKEN_AUDIENCE,
  TOKEN_ISSUER,
  tokenHeader,
} from './token-form.ts';

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

/** A token for a client of MCP. */
export async function mintAccessToken(claims: AccessTokenClaims, signingKey: SigningKey): Promise<string> {
  const { SignJWT } = await import('jose/jwt/sign');
  return new SignJWT(claims)
    .setProtectedHeader(accessTokenHeader(signingKey.verification.keyId))
    .sign(signingKey.privateKey);
}

/** A secret for browsers, with its prefix. */
export async function mintClientSecret(claims: ClientSecretClaims, signingKey: SigningKey): Promise<string> {
  const { SignJWT } = await import('jose/jwt/sign');
  const token = await new SignJWT(claims)
    .setProtectedHeader(clientSecretHeader(signingKey.verification.keyId))
    .sign(signingKey.privateKey);
  return CLIENT_SECRET_PREFIX + token;
}
