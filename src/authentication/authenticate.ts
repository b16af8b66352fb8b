import { hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Configuration } from '../config/configuration.ts';
import type { Identities } from '../config/identities/identities.ts';
import { type ConfiguredKey, everyKey, findKey, type PackedKeys } from '../config/packed-keys.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError, Principal } from '../core/exchange.ts';
import { GenerationCache } from '../core/generation-cache.ts';
import type { KeyNews } from '../store/key-watch.ts';
import { MAX_TOKEN_CHARACTERS, type VerificationKey } from '../store/token-form.ts';
import type { IssuerKeySet } from '../threads/identity-messages.ts';
import { boundClaims, boundPrincipal, mayAsk } from './bound-tokens.ts';
import { AddressAllowances, CheckAllowance, type RemoteSide } from './check-allowances.ts';
import { IssuedKeys } from './issued-keys.ts';
import { TokenVerifier, verifiedClaims } from './jwt-verify.ts';
import type { KeyRingOptions, SignInKey } from './key-ring-options.ts';
import {
  ACCOUNT_EXPIRED,
  type AcceptedKey,
  AccountEnds,
  EXPIRED,
  INVALID,
  isRefused,
  KEY_GONE,
  type KeyVerdict,
  RETIRED,
  REVOKED,
  type RefusedKey,
  refusedByTime,
  type Signer,
  unknownKey,
  WRONG_AUDIENCE,
} from './key-verdict.ts';
import { OutsideTokens, type TokenHead, type TokenResources } from './outside-tokens.ts';

/**
 * Finds the principal of a presented key. Synchronous, because it is asked on the head, before any body byte is kept.
 *
 * - A key seen before: one Map lookup and one comparison of time.
 * - Any other: one SHA-256 of at most 8 KiB, however many keys are configured or issued; then, only for what has the head
 *   of a token that may be accepted, one signature check out of two allowances: of its address, which only forgeries use
 *   up, and of the thread. An address that has not forged lately has one check that nobody else can use up.
 * - The same bad token again: the digest and a lookup, no second signature check.
 * - A token of an outside issuer that was good before a reload: its claims are judged anew, its signature is not.
 *
 * Memory is bounded: MAX_REMEMBERED good keys by their text, as many whose signature alone is known to be good, and
 * MAX_REJECTED bad tokens by their digest. Neither text nor digest leaves this file; a Principal names a key by its name
 * or id.
 *
 * Timing. The Map of good keys compares text only where the hash of the whole text is equal; V8 seeds that hash at
 * random in each process, so a guess that is right in its first letters collides no more often than any other, and
 * nothing can be learned letter by letter. What the search among the digests of configured keys takes tells of the digest
 * alone, which nobody who tries keys can steer.
 */

const MAX_REMEMBERED = 16_384;
const MAX_REJECTED = 16_384;
/** One to two hundredths of a thread's time, sustained. */
const CHECKS_PER_SECOND = 200;
/** Max keys that may be new at once, as after a restart, before the first of them is told to come again. */
const CHECKS_AT_ONCE = 2000;
/** A tenth of the thread's, so that nine addresses that forge leave something to the tenth. */
const FORGERIES_PER_SECOND = 20;
const FORGERIES_AT_ONCE = 200;
/**
 * Beyond the thread's: one check of an address that has not forged for a minute, so that no flood from elsewhere refuses a
 * genuine key that is new. There are 4,096 places for addresses, which bounds it to as many at once and 68 a second.
 */
const UNSUSPECTED = { perSecond: 1 / 60, atOnce: 1 };

const NO_IDENTITIES: Identities = { users: [], teams: [], virtualAccounts: [], identityProviders: [], grants: [] };

/** A genuine key can meet this while keys are forged from its own address; 503 makes its client try again. */
const TOO_MANY_CHECKS = new GatewayError('overloaded', {
  detail: 'Too many keys that were not seen before have to be checked.',
  retryAfterMs: 1000,
});

export class KeyRing {
  readonly #now: () => number;
  readonly #checks: CheckAllowance;
  readonly #addresses: AddressAllowances;
  readonly #unsuspected = new AddressAllowances(UNSUSPECTED.perSecond, UNSUSPECTED.atOnce);
  readonly #remembered = new GenerationCache<AcceptedKey>(MAX_REMEMBERED);
  readonly #rejected = new GenerationCache<RefusedKey>(MAX_REJECTED);
  /**
   * By the text of an outside token: its issuer's key, which signed it. Whom it stands for is to be judged anew since a
   * reload: were its signature checked again too, one more user in a file would send all others through the allowance.
   */
  readonly #proven = new GenerationCache<string>(MAX_REMEMBERED);
  readonly #issued = new IssuedKeys();
  readonly #issuerKeys = new Map<string, IssuerKeySet>();
  readonly #onUnknownIssuerKey: (provider: string) => void;
  #configured: PackedKeys;
  /** Configured keys that were presented since the last reload. */
  readonly #presented = new Map<string, AcceptedKey>();
  /** Digests of configured keys by whom they let in, so that what outlives a reload can be judged anew without the key. */
  readonly #digests = new WeakMap<Principal, string>();
  readonly #accepted = new WeakMap<Principal, AcceptedKey>();
  /** Those whose token a configured key asked for. */
  readonly #ofConfigured = new WeakSet<Principal>();
  /** By their names; made when the first token for MCP asks for one. */
  #configuredNames: Map<string, ConfiguredKey> | undefined;
  #signingKeys: readonly VerificationKey[] = [];
  readonly #verifier = new TokenVerifier();
  #identities: Identities;
  #resources: TokenResources | undefined;
  #accountEnds: AccountEnds;
  #outside: OutsideTokens;

  constructor(options: KeyRingOptions) {
    this.#now = options.now ?? Date.now;
    this.#checks = new CheckAllowance(
      options.checksPerSecond ?? CHECKS_PER_SECOND,
      options.checksAtOnce ?? CHECKS_AT_ONCE,
      this.#now(),
    );
    this.#addresses = new AddressAllowances(
      options.forgeriesPerSecond ?? FORGERIES_PER_SECOND,
      options.forgeriesAtOnce ?? FORGERIES_AT_ONCE,
    );
    this.#onUnknownIssuerKey = options.onUnknownIssuerKey ?? (() => {});
    this.#configured = options.configured;
    this.#identities = options.identities ?? NO_IDENTITIES;
    this.#resources = options.resources;
    this.#accountEnds = new AccountEnds(this.#identities.virtualAccounts);
    for (const set of options.issuerKeys ?? []) this.#issuerKeys.set(set.provider, set);
    this.#outside = this.#outsideTokens();
    this.setIssued(options.issued);
  }

  /**
   * A key. What is good at single addresses alone is none. `side` is asked for its address only where a signature may have
   * to be checked.
   */
  lookup(presented: string, side?: RemoteSide): OrError<Principal> {
    const principal = this.#lookup(presented, side);
    return 'audiences' in principal ? WRONG_AUDIENCE : principal;
  }

  /** A key, or a token that is good at this address. */
  lookupAt(address: string | undefined, presented: string, side?: RemoteSide): OrError<Principal> {
    const principal = this.#lookup(presented, side);
    if (!('audiences' in principal)) return principal;
    return address !== undefined && principal.audiences?.includes(address) ? principal : WRONG_AUDIENCE;
  }

  /** A key by which somebody signs in, with its end in milliseconds since the Unix epoch (Infinity: none). */
  signIn(presented: string, side: RemoteSide): OrError<SignInKey> {
    const principal = this.lookup(presented, side);
    if (principal instanceof GatewayError) return principal;
    const known = this.#remembered.get(presented);
    // Only keys are looked up, and each result is remembered.
    if (known === undefined || known.from === 'access') return INVALID.error;
    return { principal, from: known.from, expiresAtMs: known.expiresAtMs };
  }

  #lookup(presented: string, side?: RemoteSide): OrError<Principal> {
    if (presented.length > MAX_TOKEN_CHARACTERS) return INVALID.error;
    const known = this.#remembered.get(presented);
    if (known !== undefined) {
      const now = this.#now();
      if (now < known.expiresAtMs && (known.signer === undefined || now < known.signer.untilMs)) return known.principal;
      this.#remembered.delete(presented);
    }
    return this.#lookupUnseen(presented, side);
  }

  /** Where the key of somebody who was let in comes from, and its end; undefined: it is no key. */
  originOf(principal: Principal): Omit<SignInKey, 'principal'> | undefined {
    const known = this.#accepted.get(principal);
    return known === undefined || known.from === 'access'
      ? undefined
      : { from: known.from, expiresAtMs: known.expiresAtMs };
  }

  /** Why somebody who was let in by a key is not any more, as far as that can be told without the key. */
  withdrawn({ keyId, subject }: Principal): GatewayError | undefined {
    const now = this.#now();
    if (now >= this.#issued.revokedAt(keyId)) return REVOKED.error;
    return now >= this.#accountEnds.of(subject) ? ACCOUNT_EXPIRED.error : undefined;
  }

  /**
   * The principal of a connection that authenticated earlier, as the configuration stands now: a reload may have removed its
   * configured key or changed its permissions. Keys that are not configured are checked for revocation and expiry only.
   */
  renewed(principal: Principal): OrError<Principal> {
    const digest = this.#digests.get(principal);
    if (digest === undefined) {
      const isGone = this.#ofConfigured.has(principal) && this.#configuredKey(principal.keyId) === undefined;
      return isGone ? KEY_GONE.error : (this.withdrawn(principal) ?? principal);
    }
    const verdict = this.#withAccount(this.#judgeConfigured(digest) ?? INVALID, this.#now());
    return isRefused(verdict) ? verdict.error : verdict.principal;
  }

  /** Keys that were made, rotated or revoked. One among the remembered is judged anew at its next request. */
  setIssued(news: KeyNews): void {
    const changed = this.#issued.take(news, this.#now());
    const lost = this.#signingKeys.some((known) => !isAmong(known, news.signingKeys));
    const signersChanged = lost || news.signingKeys.length !== this.#signingKeys.length;
    const endsChanged = news.signingKeys.some((key, at) => key.untilMs !== this.#signingKeys[at]?.untilMs);
    if (signersChanged || endsChanged) {
      this.#signingKeys = news.signingKeys;
      this.#verifier.setKeys(news.signingKeys);
    }
    // Selective: forgetting every token would send them all through the allowance, and most into a 503.
    this.#remembered.deleteWhere(
      ({ from, principal }) =>
        (from === 'issued' || from === 'access') && (lost || changed === undefined || changed.has(principal.keyId)),
    );
    // A token that came before the key of the gateway that made it was no token of ours then.
    if (signersChanged) this.#rejected.clear();
    else this.#rejected.deleteWhere((refused) => refused === REVOKED || refused === RETIRED);
  }

  /** Takes all keys of an outside issuer. Only tokens that a withdrawn key signed are judged anew: see setIssued. */
  setIssuerKeys(set: IssuerKeySet): void {
    const known = this.#issuerKeys.get(set.provider)?.keys ?? [];
    this.#issuerKeys.set(set.provider, set);
    this.#outside.setKeys(set);
    const now = new Set(set.keys.map((key) => JSON.stringify(key)));
    const withdrawn = known.filter((key) => !now.has(JSON.stringify(key))).map((key) => key.publicKeyPem);
    if (withdrawn.length > 0) {
      this.#remembered.deleteWhere(({ signedBy }) => signedBy !== undefined && withdrawn.includes(signedBy));
      this.#proven.deleteWhere((signedBy) => withdrawn.includes(signedBy));
    }
    // The reason does not matter: an issuer may put a new key under an old name.
    if (withdrawn.length > 0 || known.length !== set.keys.length) this.#rejected.clear();
  }

  /** Takes the configuration of a reload. Tokens about which it says the same as before stay known. */
  reconfigure(
    { keys, identities }: Pick<Configuration, 'keys' | 'identities'>,
    resources?: TokenResources | undefined,
  ): void {
    const ends = this.#accountEnds;
    // What did not change is the same object: thousands of identities are not compared.
    const outsideChanged = !isDeepStrictEqual([identities, resources], [this.#identities, this.#resources]);
    this.#resources = resources;
    this.#configured = keys;
    this.#configuredNames = undefined;
    this.#presented.clear();
    this.#identities = identities;
    this.#accountEnds = new AccountEnds(identities.virtualAccounts);
    if (outsideChanged) {
      const known = new Set(identities.identityProviders.map((provider) => provider.name));
      for (const name of this.#issuerKeys.keys()) if (!known.has(name)) this.#issuerKeys.delete(name);
      this.#outside = this.#outsideTokens();
    }
    this.#remembered.deleteWhere(({ from, signedBy, principal: { subject } }, presented) => {
      if (signedBy === undefined)
        return from === 'configured' || from === 'access' || ends.of(subject) !== this.#accountEnds.of(subject);
      if (outsideChanged) this.#proven.set(presented, signedBy);
      return outsideChanged;
    });
    this.#rejected.clear();
  }

  /** Entries held, for metrics and for the tests of the bounds. */
  get memory(): { remembered: number; rejected: number } {
    return { remembered: this.#remembered.size, rejected: this.#rejected.size };
  }

  #outsideTokens(): OutsideTokens {
    return new OutsideTokens(this.#identities, {
      sets: this.#issuerKeys.values(),
      resources: this.#resources,
      onUnknownKey: this.#onUnknownIssuerKey,
    });
  }

  #lookupUnseen(presented: string, side: RemoteSide | undefined): OrError<Principal> {
    const digest = hash('sha256', presented, 'hex');
    const now = this.#now();
    const kept = this.#judgeConfigured(digest) ?? this.#issued.judge(digest, now);
    if (kept !== undefined) return this.#settle(presented, this.#withAccount(kept, now));

    const signer = this.#verifier.signerOf(presented);
    const head = signer === undefined ? this.#outside.headOf(presented) : undefined;
    if (signer === undefined && head === undefined) return unknownKey(presented).error;
    const rejected = this.#rejected.get(digest);
    if (rejected !== undefined && now < rejected.untilMs) return rejected.error;
    const proven = head && this.#judgeProven(presented, head, now);
    if (proven !== undefined) {
      if (isRefused(proven)) this.#rejected.set(digest, proven);
      return this.#settle(presented, proven);
    }
    const place = side && this.#addresses.placeOf(side);
    if (place !== undefined && !this.#addresses.take(place, now)) return TOO_MANY_CHECKS;
    const isUnsuspected = place !== undefined && this.#unsuspected.take(place, now);
    if (!this.#checks.take(now) && !isUnsuspected) {
      // No signature was checked: an honest address must not pay for a flood from elsewhere.
      if (place !== undefined) this.#addresses.giveBack(place);
      return TOO_MANY_CHECKS;
    }

    const signed = head
      ? this.#outside.judge(presented, head, now)
      : signer?.signs === 'access' || signer?.signs === 'secret'
        ? this.#judgeBound(presented, signer, now)
        : this.#judgeOwn(presented, signer, now);
    const verdict = this.#withAccount(signed, now);
    if (!isRefused(verdict)) {
      if (place !== undefined) this.#addresses.giveBack(place);
      if (isUnsuspected) this.#unsuspected.giveBack(place);
    } else if (now < verdict.untilMs) this.#rejected.set(digest, verdict);
    return this.#settle(presented, verdict);
  }

  #judgeConfigured(digest: string): AcceptedKey | undefined {
    let accepted = this.#presented.get(digest);
    if (accepted !== undefined) return accepted;
    const found = findKey(this.#configured, Buffer.from(digest, 'hex'));
    if (found === undefined) return undefined;
    const { name, subject, teams, models, metadata } = found;
    const principal: Principal = { subject, keyId: name, teams, models, metadata };
    accepted = { principal, expiresAtMs: Number.POSITIVE_INFINITY, from: 'configured' };
    this.#presented.set(digest, accepted);
    this.#digests.set(principal, digest);
    return accepted;
  }

  #judgeOwn(presented: string, signer: Signer | undefined, now: number): KeyVerdict {
    const claims = signer && verifiedClaims(presented, signer);
    if (signer === undefined || claims === undefined) return INVALID;
    if (now >= signer.untilMs) return RETIRED;
    const { sub: subject, jti: keyId, teams, models, metadata, exp } = claims;
    const revokedAtMs = this.#issued.revokedAt(keyId);
    if (now >= revokedAtMs) return REVOKED;
    const untimely = refusedByTime(claims, now);
    if (untimely !== undefined) return untimely;
    const expiresAtMs = Math.min(revokedAtMs, exp === undefined ? Number.POSITIVE_INFINITY : exp * 1000);
    return { principal: { subject, keyId, teams, models, metadata }, expiresAtMs, from: 'issued', signer };
  }

  /** A token that stands for whoever asked for it, as that one is now: it ends with the key that it was asked for with. */
  #judgeBound(presented: string, signer: Signer, now: number): KeyVerdict {
    const claims = boundClaims(presented, signer);
    if (claims === undefined) return INVALID;
    if (now >= signer.untilMs) return RETIRED;
    const { sub: subject, key_id: keyId, key_from: keyFrom } = claims;
    const untimely = refusedByTime(claims, now);
    if (untimely !== undefined) return untimely;
    const revokedAtMs = keyFrom === 'issued' ? this.#issued.revokedAt(keyId) : Number.POSITIVE_INFINITY;
    if (now >= revokedAtMs) return REVOKED;
    const key = keyFrom === 'configured' ? this.#configuredKey(keyId) : undefined;
    if (keyFrom === 'configured' && (key?.subject !== subject || !mayAsk(key, claims))) return KEY_GONE;
    const principal = boundPrincipal(claims, key);
    if (keyFrom === 'configured') this.#ofConfigured.add(principal);
    if (keyFrom === 'outside' && !this.#outside.takes(principal)) return KEY_GONE;
    return { principal, expiresAtMs: Math.min(revokedAtMs, claims.exp * 1000), from: 'access', signer };
  }

  #configuredKey(name: string): ConfiguredKey | undefined {
    this.#configuredNames ??= new Map([...everyKey(this.#configured)].map((each) => [each.name, each]));
    return this.#configuredNames.get(name);
  }

  #judgeProven(presented: string, head: TokenHead, now: number): KeyVerdict | undefined {
    const signedBy = this.#proven.get(presented);
    if (signedBy === undefined) return undefined;
    const verdict = this.#outside.judgeProven(presented, head, signedBy, now);
    const judged = verdict && this.#withAccount(verdict, now);
    // The configuration refused it; the checked signature stays known for the next configuration.
    if (judged === undefined || judged === EXPIRED || !isRefused(judged)) this.#proven.delete(presented);
    return judged;
  }

  /** A key ends with the virtual account it belongs to. */
  #withAccount(verdict: KeyVerdict, now: number): KeyVerdict {
    if (isRefused(verdict)) return verdict;
    const endsAtMs = this.#accountEnds.of(verdict.principal.subject);
    if (now >= endsAtMs) return ACCOUNT_EXPIRED;
    return endsAtMs < verdict.expiresAtMs ? { ...verdict, expiresAtMs: endsAtMs } : verdict;
  }

  #settle(presented: string, verdict: KeyVerdict): OrError<Principal> {
    if (isRefused(verdict)) return verdict.error;
    this.#remembered.set(presented, verdict);
    this.#accepted.set(verdict.principal, verdict);
    return verdict.principal;
  }
}

function isAmong({ keyId, publicKeyPem }: VerificationKey, keys: readonly VerificationKey[]): boolean {
  return keys.some((key) => key.keyId === keyId && key.publicKeyPem === publicKeyPem);
}
