import type { Identities } from '../config/identities/identities.ts';
import type { PackedKeys } from '../config/packed-keys.ts';
import type { Principal } from '../core/exchange.ts';
import type { KeyNews } from '../store/key-watch.ts';
import type { IssuerKeySet } from '../threads/identity-messages.ts';
import type { TokenResources } from './outside-tokens.ts';

export interface SignInKey {
  readonly principal: Principal;
  readonly from: 'configured' | 'issued' | 'outside';
  readonly expiresAtMs: number;
}

export interface KeyRingOptions {
  configured: PackedKeys;
  /** Without signing keys no token of ours is accepted. */
  issued: KeyNews;
  identities?: Identities;
  resources?: TokenResources | undefined;
  issuerKeys?: readonly IssuerKeySet[];
  /** A token names a key that its issuer did not have when it was last asked. At most twice a minute for each provider. */
  onUnknownIssuerKey?: (provider: string) => void;
  /** Milliseconds since the Unix epoch; by default the machine's clock. */
  now?: () => number;
  checksPerSecond?: number;
  checksAtOnce?: number;
  forgeriesPerSecond?: number;
  forgeriesAtOnce?: number;
}
