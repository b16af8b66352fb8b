import { hash, timingSafeEqual } from 'node:crypto';
import type { ConfiguredKey } from '../config/configuration.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError, Principal } from '../core/exchange.ts';
import { MAX_TOKEN_CHARACTERS, type TokenClaims, type VerificationKey } from '../store/token-form.ts';
import { TokenVerifier, verifiedClaims } from './jwt-verify.ts';
import { CheckAllowance } from './key-check-allowance.ts';
import { KeyMemory } from './key-memory.ts';

/**
 * Who stands behind a presented key. Synchronous, because it is asked on the head, before any body byte is kept.
 *
 * - A key seen before: one Map lookup and one comparison of time.
 * - Any other: one SHA-256 of at most 8 KiB, however many keys are configured; then, only for what carries the exact
 *   header of our tokens, one signature check out of an allowance per thread and second.
 * - The same bad token again: the digest and a lookup, no second signature check.
 *
 * Memory is bounded: MAX_REMEMBERED good keys by their text, MAX_REJECTED bad tokens by their digest. Neither text nor
 * digest ever leaves this file; a Principal names a key by its name or id.
 *
 * Timing. The Map of good keys compares text only where the hash of the whole text is equal; V8 seeds that hash at
 * random in each process, so a guess that is right in its first letters collides no more often than any other, and
 * nothing can be learned letter by letter. The digests of configured keys are compared in constant time, against
 * nobody's where there is no candidate; and who tries keys cannot steer their digests.
 */

const MAX_REMEMBERED = 16_384;
const MAX_REJECTED = 16_384;
/** One to two hundredths of a thread's time, sustained. */
const CHECKS_PER_SECOND = 200;
/** So many keys may be new at once, as after a restart, before the first of them is asked to come again. */
const CHECKS_AT_ONCE = 2000;
/** How far the clock of another gateway that made a token may be ahead of ours. Expiry has no such grace. */
const NOT_BEFORE_LEEWAY_MS = 30_000;

// Shared by all refusals, so that a flood of wrong keys allocates nothing. Only the holder of a genuine token is told more.
const INVALID = new GatewayError('invalid_api_key');
const EXPIRED = new GatewayError('invalid_api_key', { detail: 'It has expired.' });
const REVOKED = new GatewayError('invalid_api_key', { detail: 'It was revoked.' });
const NOT_YET_VALID = new GatewayError('invalid_api_key', { detail: 'It is not valid yet.' });
/** A genuine key that was not seen before can meet it while forged ones pour in: 503, so that its client tries again. */
const TOO_MANY_CHECKS = new GatewayError('overloaded', {
  detail: 'Too many keys that were not seen before have to be checked.',
  retryAfterMs: 1000,
});

export interface KeyRingOptions {
  configured: readonly ConfiguredKey[];
  /** Several while signing keys are being rotated; none: no token is accepted. */
  publicKeys: readonly VerificationKey[];
  revokedIds: readonly string[];
  /** Milliseconds since the Unix epoch; by default the machine's clock. */
  now?: () => number;
  checksPerSecond?: number;
  checksAtOnce?: number;
}

interface Remembered {
  readonly principal: Principal;
  /** Infinity where it never expires. */
  readonly expiresAtMs: number;
  readonly origin: 'configured' | 'token';
}

interface ConfiguredEntry {
  readonly digest: Buffer;
  readonly principal: Principal | undefined;
}

/** What a wrong key is compared with: no key has this digest. */
const NOBODY: ConfiguredEntry = { digest: Buffer.alloc(32), principal: undefined };

export class KeyRing {
  readonly #verifier: TokenVerifier;
  readonly #checks: CheckAllowance;
  readonly #now: () => number;
  readonly #remembered = new KeyMemory<Remembered>(MAX_REMEMBERED);
  readonly #rejected = new KeyMemory<GatewayError>(MAX_REJECTED);
  #configured: ReadonlyMap<string, ConfiguredEntry>;
  #revoked: ReadonlySet<string>;

  constructor(options: KeyRingOptions) {
    this.#now = options.now ?? Date.now;
    this.#verifier = new TokenVerifier(options.publicKeys);
    this.#checks = new CheckAllowance(
      options.checksPerSecond ?? CHECKS_PER_SECOND,
      options.checksAtOnce ?? CHECKS_AT_ONCE,
      this.#now(),
    );
    this.#configured = byDigest(options.configured);
    this.#revoked = new Set(options.revokedIds);
  }

  lookup(presented: string): OrError<Principal> {
    if (presented.length > MAX_TOKEN_CHARACTERS) return INVALID;
    const known = this.#remembered.get(presented);
    if (known !== undefined) {
      if (this.#now() < known.expiresAtMs) return known.principal;
      this.#remembered.delete(presented);
    }
    return this.#lookupUnseen(presented);
  }

  /** All ids that are revoked now. A token among the remembered ones is refused from its next request on. */
  setRevoked(ids: readonly string[]): void {
    const revoked = new Set(ids);
    const withdrawn = [...this.#revoked].some((id) => !revoked.has(id));
    this.#revoked = revoked;
    // Selective: forgetting every token would send them all through the allowance, and most into a 503.
    this.#remembered.deleteWhere((entry) => entry.origin === 'token' && revoked.has(entry.principal.keyId));
    if (withdrawn) this.#rejected.clear();
  }

  /** After a reload. Verified tokens stay known. */
  setConfigured(keys: readonly ConfiguredKey[]): void {
    this.#configured = byDigest(keys);
    this.#remembered.deleteWhere((entry) => entry.origin === 'configured');
  }

  /** Entries held, for metrics and for the tests of the bounds. */
  get memory(): { remembered: number; rejected: number } {
    return { remembered: this.#remembered.size, rejected: this.#rejected.size };
  }

  #lookupUnseen(presented: string): OrError<Principal> {
    const digest = hash('sha256', presented, 'hex');
    const candidate = this.#configured.get(digest) ?? NOBODY;
    if (timingSafeEqual(Buffer.from(digest, 'hex'), candidate.digest) && candidate.principal !== undefined) {
      const { principal } = candidate;
      this.#remembered.set(presented, { principal, expiresAtMs: Infinity, origin: 'configured' });
      return principal;
    }
    const signer = this.#verifier.signerOf(presented);
    if (signer === undefined) return INVALID;
    const rejected = this.#rejected.get(digest);
    if (rejected !== undefined) return rejected;
    const now = this.#now();
    if (!this.#checks.take(now)) return TOO_MANY_CHECKS;

    const claims = verifiedClaims(presented, signer);
    const refusal = claims === undefined ? INVALID : this.#refusal(claims, now);
    if (claims === undefined || refusal !== undefined) {
      // Time heals a token that is not valid yet, and no other.
      if (refusal !== NOT_YET_VALID) this.#rejected.set(digest, refusal ?? INVALID);
      return refusal ?? INVALID;
    }
    const principal = principalOf(claims);
    const expiresAtMs = claims.exp === undefined ? Infinity : claims.exp * 1000;
    this.#remembered.set(presented, { principal, expiresAtMs, origin: 'token' });
    return principal;
  }

  #refusal(claims: TokenClaims, now: number): GatewayError | undefined {
    if (this.#revoked.has(claims.jti)) return REVOKED;
    if (claims.exp !== undefined && now >= claims.exp * 1000) return EXPIRED;
    if (claims.nbf !== undefined && now + NOT_BEFORE_LEEWAY_MS < claims.nbf * 1000) return NOT_YET_VALID;
    return undefined;
  }
}

/**
 * The key a request carries: `Authorization: Bearer KEY` (RFC 6750; the scheme in any case, the key may hold spaces),
 * else `x-api-key`, else `api-key`. Absent and empty headers are the same. Undefined: none was sent.
 */
export function presentedKey(
  authorization: string | undefined,
  xApiKey: string | undefined,
  apiKey: string | undefined,
): string | undefined {
  const bearer = authorization ? bearerKey(authorization) : '';
  return bearer || xApiKey || apiKey || undefined;
}

function bearerKey(authorization: string): string {
  if (authorization.slice(0, 7).toLowerCase() !== 'bearer ') return '';
  let start = 7;
  while (authorization.charCodeAt(start) === 0x20) start += 1;
  return authorization.slice(start);
}

function byDigest(keys: readonly ConfiguredKey[]): ReadonlyMap<string, ConfiguredEntry> {
  return new Map(
    keys.map((key) => [
      key.keySha256.toLowerCase(),
      {
        digest: Buffer.from(key.keySha256, 'hex'),
        principal: {
          subject: key.subject,
          keyId: key.name,
          teams: key.teams,
          models: key.models,
          metadata: key.metadata,
        },
      },
    ]),
  );
}

function principalOf(claims: TokenClaims): Principal {
  return {
    subject: claims.sub,
    keyId: claims.jti,
    teams: claims.teams,
    models: claims.models,
    metadata: claims.metadata,
  };
}
