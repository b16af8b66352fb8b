import type { KeyObject } from 'node:crypto';
import type { VirtualAccountIdentity } from '../config/identities/identities.ts';
import { codeLoader } from '../core/code-loader.ts';
import { GatewayError } from '../core/errors.ts';
import type { Principal } from '../core/exchange.ts';
import { madeOnce } from '../core/made-once.ts';

/** Loaded with the first issued key or outside issuer: they bring zod, and keys that are configured need neither. */
export const tokenSchemas = madeOnce((): typeof import('./token-schemas.ts') =>
  codeLoader(import.meta.url)('./token-schemas'),
);

/** A key that signs tokens of ours. */
export interface Signer {
  readonly key: KeyObject;
  /** Keys, tokens for MCP, or secrets for browsers, which are told apart by their head. */
  readonly signs: 'key' | 'access' | 'secret';
  /** Milliseconds since the Unix epoch, set when the key is rotated; Infinity: no end. */
  untilMs: number;
}

/** What was found out about a key that was not seen before, and how long that holds. */
export type KeyVerdict = AcceptedKey | RefusedKey;

export interface AcceptedKey {
  readonly principal: Principal;
  /** Milliseconds since the Unix epoch; Infinity where it never expires. */
  readonly expiresAtMs: number;
  readonly from: 'configured' | 'issued' | 'outside' | 'access';
  /** An outside token has the key of its issuer, whose withdrawal ends it. */
  readonly signedBy?: string;
  /** A token of ours has the key that signed it, whose grace may end before the token does. */
  readonly signer?: Signer;
}

export interface RefusedKey {
  readonly error: GatewayError;
  /** Until then the same key need not be looked at again; Infinity: nothing but a reload can help it; 0: it may at once. */
  readonly untilMs: number;
}

export function isRefused(verdict: KeyVerdict): verdict is RefusedKey {
  return 'error' in verdict;
}

function refusedFor(detail: string): RefusedKey {
  return { error: new GatewayError('invalid_api_key', { detail }), untilMs: Number.POSITIVE_INFINITY };
}

// Shared by all refusals, so that a flood of wrong keys allocates nothing. Only the holder of a genuine key is told more.
export const INVALID: RefusedKey = {
  error: new GatewayError('invalid_api_key'),
  untilMs: Number.POSITIVE_INFINITY,
};
/** A client that was moved here often still has the key of before. The beginning of such a key tells no secret. */
const PROVIDER_KEY = /^(?:sk-(?:proj|svcacct|admin|ant|or-v1)-|AIza|gsk_|xai-|pplx-|hf_|nvapi-|r8_)/;
const OF_PROVIDER = refusedFor(
  'It looks like the key of a provider, which belongs into the configuration of the gateway: a client sends a key of the gateway itself.',
);

/** A key that nobody here made. */
export function unknownKey(presented: string): RefusedKey {
  return PROVIDER_KEY.test(presented) ? OF_PROVIDER : INVALID;
}

export const EXPIRED = refusedFor('It has expired.');
export const REVOKED = refusedFor('It was revoked.');
export const RETIRED = refusedFor('The key that signed it was retired.');
export const ACCOUNT_EXPIRED = refusedFor('Its virtual account has expired.');
export const NO_SUBJECT = refusedFor('It does not say whom it stands for.');
export const UNVERIFIED_EMAIL = refusedFor('Its e-mail address is not verified.');
export const NOT_AUTHORIZED = refusedFor('Its subject may not use this gateway.');
export const KEY_GONE = refusedFor('The key that it was asked for with is not there any more.');
export const WRONG_AUDIENCE = refusedFor('It is not meant for this address.').error;
const NOT_YET_VALID = refusedFor('It is not valid yet.').error;

/** Time heals it. */
function notYetValid(fromMs: number): RefusedKey {
  return { error: NOT_YET_VALID, untilMs: fromMs };
}

/** How far the clock of whoever made a token may be ahead of ours. Expiry has no such grace. */
const NOT_BEFORE_LEEWAY_MS = 30_000;

/** Claims of time, in seconds since the Unix epoch. */
export interface TokenTimes {
  readonly exp?: number | undefined;
  readonly nbf?: number | undefined;
}

export function refusedByTime({ exp, nbf }: TokenTimes, now: number): RefusedKey | undefined {
  if (exp !== undefined && now >= exp * 1000) return EXPIRED;
  const fromMs = nbf === undefined ? 0 : nbf * 1000 - NOT_BEFORE_LEEWAY_MS;
  return now < fromMs ? notYetValid(fromMs) : undefined;
}

/** When virtual accounts end, by subject: a key of such an account ends with it, whatever the key itself says. */
export class AccountEnds {
  readonly #ends: ReadonlyMap<string, number>;

  constructor(accounts: readonly VirtualAccountIdentity[]) {
    this.#ends = new Map(
      accounts.flatMap(({ name, expiresAtMs }) =>
        expiresAtMs === undefined ? [] : [[`virtualaccount:${name}`, expiresAtMs] as const],
      ),
    );
  }

  /** Milliseconds since the Unix epoch; Infinity: it never ends. */
  of(subject: string): number {
    return this.#ends.get(subject) ?? Number.POSITIVE_INFINITY;
  }
}
