import { createRequire } from 'node:module';
import type { Identities, IdentityProvider, JwtAlgorithm } from '../config/identities/identities.ts';
import type { McpSettings } from '../config/server/mcp.ts';
import { GatewayError } from '../core/errors.ts';
import type { Principal } from '../core/exchange.ts';
import type { IssuerKeySet } from '../threads/identity-messages.ts';
import { EXPIRED, INVALID, type KeyVerdict, type RefusedKey, refusedByTime, tokenSchemas } from './key-verdict.ts';
import { OutsideClaims } from './outside-claims.ts';
import type { Payload } from './token-schemas.ts';

/**
 * JWTs of outside issuers as keys, judged in one synchronous step. Their keys come from the main thread; here nothing is
 * fetched, and no place that a token itself names (`jku`, `x5u`, `jwk`) is ever looked at. The signature is fast-jwt's
 * work; the algorithm must be one that the configuration lists and that fits the type of the key, so neither `none` nor
 * an HMAC with a public key can come up.
 */

/** Beyond the time a fetch of keys may take, so that the answer is awaited and its loss is survived. */
const FETCH_MS = 6000;
/** No token makes us ask the main thread again sooner, for one provider. */
const ASK_EVERY_MS = 30_000;
/** Enough for `alg`, `kid`, `typ` and a certificate's thumbprint. */
const MAX_HEAD_CHARACTERS = 2048;

/** It may be ours to wait for: the client comes again in a second. */
const KEYS_AWAITED: RefusedKey = {
  error: new GatewayError('issuer_keys_unavailable', { retryAfterMs: 1000 }),
  untilMs: 0,
};
const UNKNOWN_KEY = new GatewayError('invalid_api_key', { detail: 'Its signing key is not known.' });

export interface TokenHead {
  readonly alg: string;
  readonly kid?: string | undefined;
}

type Verify = (token: string) => unknown;

const load = createRequire(import.meta.url);

interface Signer {
  readonly kid: string | undefined;
  readonly publicKeyPem: string;
  readonly algorithms: readonly string[];
  readonly verify: Verify;
}

interface Issuer {
  readonly provider: IdentityProvider;
  readonly claims: OutsideClaims;
  /** What addresses of MCP begin with, where its tokens may be meant for them. */
  readonly resources: string | undefined;
  signers: readonly Signer[];
  askedAt: number;
  awaitedUntil: number;
}

export interface OutsideTokensOptions {
  readonly sets: Iterable<IssuerKeySet>;
  readonly resources: TokenResources | undefined;
  onUnknownKey(provider: string): void;
}

/** The providers whose tokens may be meant for single addresses of MCP, which begin with `base`. */
export interface TokenResources {
  readonly base: string;
  readonly providers: readonly string[];
}

/** Undefined: nobody's tokens are meant for addresses of MCP alone. */
export function tokenResources({ publicUrl: base, authorizationServers }: McpSettings): TokenResources | undefined {
  return base === undefined ? undefined : { base, providers: authorizationServers };
}

export class OutsideTokens {
  readonly #issuers: readonly Issuer[];
  readonly #algorithms: ReadonlySet<string>;
  readonly #onUnknownKey: (provider: string) => void;

  constructor(identities: Identities, { sets, resources, onUnknownKey }: OutsideTokensOptions) {
    this.#onUnknownKey = onUnknownKey;
    // Here, and not with the first request that brings a token.
    if (identities.identityProviders.length > 0) tokenSchemas();
    this.#issuers = identities.identityProviders.map((provider) => ({
      provider,
      resources: resources?.providers.includes(provider.name) ? `${resources.base}/` : undefined,
      claims: new OutsideClaims(provider, identities),
      signers: [],
      askedAt: Number.NEGATIVE_INFINITY,
      awaitedUntil: 0,
    }));
    this.#algorithms = new Set(identities.identityProviders.flatMap((provider) => provider.algorithms));
    for (const set of sets) this.setKeys(set);
  }

  /** All keys of a provider; one that a reload took away or moved is passed over. */
  setKeys(set: IssuerKeySet): void {
    for (const issuer of this.#issuers) {
      const { provider } = issuer;
      if (provider.name !== set.provider || provider.jwksUri !== set.jwksUri) continue;
      issuer.awaitedUntil = 0;
      issuer.signers = set.keys.flatMap(({ kid, publicKeyPem, algorithms }) => {
        const allowed = provider.algorithms.filter((each) => algorithms.includes(each));
        return allowed.length === 0
          ? []
          : { kid, publicKeyPem, algorithms: allowed, verify: verifierOf(issuer, publicKeyPem, allowed) };
      });
    }
  }

  /** Its head, where it may be a token of one of these issuers; nothing that costs is done for what cannot be. */
  headOf(token: string): TokenHead | undefined {
    if (this.#issuers.length === 0) return undefined;
    const end = token.indexOf('.');
    if (end < 1 || end > MAX_HEAD_CHARACTERS || token.split('.', 4).length !== 3) return undefined;
    const head = tokenSchemas().headSchema.safeParse(parsedSegment(token.slice(0, end)));
    // RFC 7515 §4.1.11: what must be understood and is not. No extension is known here.
    if (!head.success || 'crit' in head.data || !this.#algorithms.has(head.data.alg)) return undefined;
    return head.data;
  }

  /** At most one check of a signature. */
  judge(token: string, head: TokenHead, now: number): KeyVerdict {
    const unverified = payloadOf(token);
    const issuer = unverified.success ? this.#issuerOf(unverified.data) : undefined;
    if (!unverified.success || issuer === undefined) return INVALID;
    const signer = signerOf(issuer, head);
    if (signer === undefined) return this.#unknownKey(issuer, head, now);
    if (!isGenuine(signer, token)) return INVALID;
    return meaningOf(unverified.data, issuer, signer, now);
  }

  /**
   * A token of which it is known that the key `signedBy` signed it, in the light of this configuration: no signature is
   * checked. Undefined: that key would not be the one to judge it by now.
   */
  judgeProven(token: string, head: TokenHead, signedBy: string, now: number): KeyVerdict | undefined {
    const proven = payloadOf(token);
    const issuer = proven.success ? this.#issuerOf(proven.data) : undefined;
    const signer = issuer && signerOf(issuer, head);
    if (!proven.success || issuer === undefined || signer?.publicKeyPem !== signedBy) return undefined;
    return meaningOf(proven.data, issuer, signer, now);
  }

  /** Whether somebody whom one of these providers vouched for would be let in by it still. */
  takes(principal: Principal): boolean {
    return this.#issuers.some(
      ({ provider, claims }) => principal.keyId.startsWith(`${provider.name}:`) && claims.mayCome(principal),
    );
  }

  /** Several providers may share an issuer and differ in audience. */
  #issuerOf({ iss, aud }: Payload): Issuer | undefined {
    const audiences = audiencesOf(aud);
    return this.#issuers.find(
      ({ provider, resources }) =>
        provider.issuer === iss &&
        (provider.audiences.length === 0 ||
          audiences.some((each) => provider.audiences.includes(each) || isWithin(each, resources))),
    );
  }

  #unknownKey(issuer: Issuer, head: TokenHead, now: number): RefusedKey {
    if (!issuer.provider.algorithms.some((each) => each === head.alg)) return INVALID;
    // A known key signs as its kind does: there is none to be found that would make this right.
    if (head.kid !== undefined && issuer.signers.some((signer) => signer.kid === head.kid)) return INVALID;
    if (Math.abs(now - issuer.askedAt) >= ASK_EVERY_MS) {
      issuer.askedAt = now;
      issuer.awaitedUntil = now + FETCH_MS;
      this.#onUnknownKey(issuer.provider.name);
    }
    if (now < issuer.awaitedUntil || issuer.signers.length === 0) return KEYS_AWAITED;
    return { error: UNKNOWN_KEY, untilMs: issuer.askedAt + ASK_EVERY_MS };
  }
}

/** Whom it stands for and how long; that issuer, audience and signature are right is known. */
function meaningOf(payload: Payload, { claims, provider, resources }: Issuer, signer: Signer, now: number): KeyVerdict {
  const untimely = refusedByTime(payload, now);
  if (untimely !== undefined) return untimely;
  const found = claims.principalOf(payload);
  if ('error' in found) return found;
  const audiences = audiencesOf(payload.aud);
  const bound = audiences.filter((each) => isWithin(each, resources));
  // Meant for the gateway as a whole, or for addresses of it (RFC 8707).
  const isBound = bound.length > 0 && !provider.audiences.some((each) => audiences.includes(each));
  const principal = isBound ? { ...found, audiences: bound } : found;
  const expiresAtMs = payload.exp * 1000;
  if (!Number.isFinite(expiresAtMs)) return EXPIRED;
  return { principal, expiresAtMs, from: 'outside', signedBy: signer.publicKeyPem };
}

function audiencesOf(aud: Payload['aud']): readonly string[] {
  return typeof aud === 'string' ? [aud] : (aud ?? []);
}

function isWithin(audience: string, resources: string | undefined): boolean {
  return resources !== undefined && audience.startsWith(resources);
}

function payloadOf(token: string) {
  return tokenSchemas().payloadSchema.safeParse(
    parsedSegment(token.slice(token.indexOf('.') + 1, token.lastIndexOf('.'))),
  );
}

/** Without `kid` the one key that fits, if it is the only one. */
function signerOf({ signers }: Issuer, { alg, kid }: TokenHead): Signer | undefined {
  const fitting = signers.filter(
    (signer) => signer.algorithms.includes(alg) && (kid === undefined || signer.kid === kid),
  );
  return fitting.length === 1 || kid !== undefined ? fitting[0] : undefined;
}

function isGenuine(signer: Signer, token: string): boolean {
  try {
    signer.verify(token);
    return true;
  } catch {
    // Signature, algorithm, issuer or audience: whoever forged it need not be told which.
    return false;
  }
}

/** Times are judged by the key ring, whose clock also ends what is remembered. */
function verifierOf(
  { provider, resources }: Pick<Issuer, 'provider' | 'resources'>,
  publicKeyPem: string,
  algorithms: JwtAlgorithm[],
): Verify {
  const { issuer, audiences } = provider;
  const allowedAud = [
    ...audiences,
    ...(resources === undefined ? [] : [new RegExp(`^${resources.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')}`)]),
  ];
  // Synchronously, by the first key of an issuer: most gateways have none.
  const { createVerifier }: typeof import('fast-jwt') = load('fast-jwt');
  return createVerifier({
    key: publicKeyPem,
    algorithms,
    allowedIss: issuer,
    ...(audiences.length === 0 ? {} : { allowedAud }),
    requiredClaims: ['iss', 'exp', ...(audiences.length === 0 ? [] : ['aud'])],
    ignoreExpiration: true,
    ignoreNotBefore: true,
    cache: false,
  });
}

function parsedSegment(segment: string): unknown {
  try {
    return JSON.parse(Buffer.from(segment, 'base64url').toString());
  } catch {
    // The schema refuses undefined as it refuses any other wrong shape.
    return undefined;
  }
}
