import type { JwtAlgorithm } from '../config/identities/identities.ts';
import type { KeyNews } from '../store/key-watch.ts';

/** What relay threads know of keys beyond the configuration; structured-clonable, and no token can be made from it. */
export interface IdentityState {
  /** Starts anew: everything there is to know of keys that were issued. */
  readonly keys: KeyNews;
  readonly issuerKeys: readonly IssuerKeySet[];
}

/** All keys of one outside issuer that are accepted now. */
export interface IssuerKeySet {
  /** Name of the identity provider. */
  readonly provider: string;
  /** Where they came from: keys of an address that a reload replaced are not this provider's. */
  readonly jwksUri: string;
  readonly keys: readonly IssuerKey[];
}

export interface IssuerKey {
  readonly kid: string | undefined;
  /** SubjectPublicKeyInfo. */
  readonly publicKeyPem: string;
  /** Those that fit the key's type and, where it names one, its own `alg`. */
  readonly algorithms: readonly JwtAlgorithm[];
}

export type IdentityMessage =
  /** To be answered with `keys-known` and its number. */
  { type: 'keys'; number: number; news: KeyNews } | { type: 'issuer-keys'; set: IssuerKeySet };

export type IdentityAnswer =
  | { type: 'keys-known'; thread: number; number: number }
  /** A token of this provider names a key that is not known: it may be a new one. */
  | { type: 'issuer-key-unknown'; provider: string };
