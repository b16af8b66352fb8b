import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { AccessTokenClaims, ClientSecretClaims, TokenClaims } from '../store/token-claims.ts';
import {
  CLIENT_SECRET_PREFIX,
  encodedAccessTokenHeader,
  encodedClientSecretHeader,
  encodedTokenHeader,
  type VerificationKey,
} from '../store/token-form.ts';
import { type Signer, tokenSchemas } from './key-verdict.ts';

/** The first segment of the tokens that one signing key makes, letter by letter. */
const HEADS: Readonly<Record<Signer['signs'], (keyId: string) => string>> = {
  key: encodedTokenHeader,
  access: encodedAccessTokenHeader,
  secret: (keyId) => CLIENT_SECRET_PREFIX + encodedClientSecretHeader(keyId),
};

/**
 * Verification of our own tokens in one synchronous step, because the key is judged on the head, before any body byte
 * is kept; the JWT library answers by promise only. It is small since nothing is negotiable: one header, one algorithm.
 */
export class TokenVerifier {
  /** By the whole first segment of a token. */
  #signers: ReadonlyMap<string, Signer & { publicKeyPem: string }> = new Map();

  /** All keys that are accepted now. One that stays is the same object, in whatever holds it, with the end it has now. */
  setKeys(keys: readonly VerificationKey[]): void {
    const before = this.#signers;
    this.#signers = new Map(
      keys.flatMap(({ keyId, publicKeyPem, untilMs = Number.POSITIVE_INFINITY }) =>
        (['key', 'access', 'secret'] as const).flatMap((signs) => {
          const head = HEADS[signs](keyId);
          const known = before.get(head);
          if (known?.publicKeyPem === publicKeyPem) {
            known.untilMs = untilMs;
            return [[head, known] as const];
          }
          const key = ed25519Key(publicKeyPem);
          return key === undefined ? [] : [[head, { key, publicKeyPem, untilMs, signs }] as const];
        }),
      ),
    );
  }

  /** The key a token claims to be signed by; undefined for whatever is not a token of ours. One comparison, no parsing. */
  signerOf(token: string): Signer | undefined {
    const dot = token.indexOf('.');
    return dot < 0 ? undefined : this.#signers.get(token.slice(0, dot));
  }
}

function ed25519Key(publicKeyPem: string): KeyObject | undefined {
  try {
    const key = createPublicKey(publicKeyPem);
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    // A damaged row of another gateway: its tokens are unknown here, and the thread lives on.
    return undefined;
  }
}

/** What a token says, if `signer` signed it and it is well formed; time and revocation are the caller's to judge. */
export function verifiedClaims(token: string, { key }: Signer): TokenClaims | undefined {
  const parsed = tokenSchemas().tokenClaimsSchema.safeParse(verifiedPayload(token, key));
  return parsed.success ? parsed.data : undefined;
}

/** The same of a token for MCP. */
export function verifiedAccessClaims(token: string, { key }: Signer): AccessTokenClaims | undefined {
  const parsed = tokenSchemas().accessTokenClaimsSchema.safeParse(verifiedPayload(token, key));
  return parsed.success ? parsed.data : undefined;
}

/** The same of a secret for browsers, with its prefix. */
export function verifiedSecretClaims(secret: string, { key }: Signer): ClientSecretClaims | undefined {
  const payload = verifiedPayload(secret.slice(CLIENT_SECRET_PREFIX.length), key);
  const parsed = tokenSchemas().clientSecretClaimsSchema.safeParse(payload);
  return parsed.success ? parsed.data : undefined;
}

function verifiedPayload(token: string, key: KeyObject): unknown {
  const start = token.indexOf('.') + 1;
  const end = token.lastIndexOf('.');
  const signatureText = token.slice(end + 1);
  const signature = Buffer.from(signatureText, 'base64url');
  // The decoder skips foreign letters and ignores surplus bits: without this one token could be written in many ways.
  if (signature.length !== 64 || signature.toString('base64url') !== signatureText) return undefined;
  if (!verify(null, Buffer.from(token.slice(0, end)), key, signature)) return undefined;
  return parseJson(Buffer.from(token.slice(start, end), 'base64url').toString());
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Signed, but not JSON: the schema refuses undefined as it refuses any other wrong shape.
    return undefined;
  }
}
