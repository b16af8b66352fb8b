/**
 * What a key made by `sluice keys` looks like: a JWT (RFC 7519, signed as RFC 8037 says). Minting and verifying read
 * the same few lines here, so that they cannot drift apart.
 */
export const TOKEN_ISSUER = 'sluice';
export const TOKEN_AUDIENCE = 'sluice';

/** A longer key is neither made nor looked at: hashing a megabyte for every stranger would be a gift to them. */
export const MAX_TOKEN_CHARACTERS = 8192;

/** Key order matters: see `encodedTokenHeader`. */
export function tokenHeader(signingKeyId: string): { alg: 'EdDSA'; kid: string; typ: 'JWT' } {
  return { alg: 'EdDSA', kid: signingKeyId, typ: 'JWT' };
}

/**
 * The first segment of every token that one signing key makes, letter by letter. A verifier compares it and never
 * interprets it, so there is no algorithm to be talked into (`none`, HS256 with the public key) and no `crit` or `jku`
 * to be followed.
 */
export function encodedTokenHeader(signingKeyId: string): string {
  return Buffer.from(JSON.stringify(tokenHeader(signingKeyId))).toString('base64url');
}

/** The same of tokens for MCP alone (RFC 9068), which are no keys: a token of one form is never taken for the other. */
export function accessTokenHeader(signingKeyId: string): { alg: 'EdDSA'; kid: string; typ: 'at+jwt' } {
  return { alg: 'EdDSA', kid: signingKeyId, typ: 'at+jwt' };
}

export function encodedAccessTokenHeader(signingKeyId: string): string {
  return Buffer.from(JSON.stringify(accessTokenHeader(signingKeyId))).toString('base64url');
}

/** Secrets for browsers begin with it, as OpenAI's do: SDKs refuse to use any other key in a page. */
export const CLIENT_SECRET_PREFIX = 'ek_';
/** Where they are good: realtime sessions, and nowhere else. */
export const CLIENT_SECRET_AUDIENCE = 'realtime';

/** The same of secrets for browsers, behind their prefix. */
export function clientSecretHeader(signingKeyId: string): { alg: 'EdDSA'; kid: string; typ: 'ek+jwt' } {
  return { alg: 'EdDSA', kid: signingKeyId, typ: 'ek+jwt' };
}

export function encodedClientSecretHeader(signingKeyId: string): string {
  return Buffer.from(JSON.stringify(clientSecretHeader(signingKeyId))).toString('base64url');
}

/** What a relay thread needs to verify tokens: public, and plain enough to cross threads. */
export interface VerificationKey {
  /** RFC 7638 thumbprint: the `kid` of tokens. */
  readonly keyId: string;
  /** SubjectPublicKeyInfo. */
  readonly publicKeyPem: string;
  /** Milliseconds since the Unix epoch: the end of its grace, from which on no token of it is accepted. Absent: there is none. */
  readonly untilMs?: number;
}
