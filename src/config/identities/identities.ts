import type { NotificationTarget } from '../channels/notification-target.ts';

/** Users, teams and virtual accounts, and the issuers that may vouch for them. */
export interface Identities {
  users: UserIdentity[];
  teams: TeamIdentity[];
  virtualAccounts: VirtualAccountIdentity[];
  identityProviders: IdentityProvider[];
  /** role-binding and the permissions of virtual accounts, as far as they are about provider accounts. */
  grants: AccountGrant[];
}

export interface UserIdentity {
  email: string;
  /** The tags of a key, from its metadata. */
  tags: Record<string, string>;
  identities: ProviderIdentity[];
}

export interface TeamIdentity {
  name: string;
  /** E-mails of members and managers. */
  members: string[];
  tags: Record<string, string>;
  identities: ProviderIdentity[];
}

export interface VirtualAccountIdentity {
  name: string;
  /** Milliseconds since the Unix epoch: the end of the day that is written. */
  expiresAtMs?: number;
  team?: string;
  tags: Record<string, string>;
  identities: ProviderIdentity[];
  autoRotate?: { intervalMs: number; graceMs: number };
  tokenType?: 'jwt' | 'opaque';
  notificationTarget?: NotificationTarget;
}

/** `identity_provider_mapping`: the claim value of that provider which stands for this identity. */
export interface ProviderIdentity {
  provider: string;
  value: string;
}

/** May use (or manage) an account or one model of it. */
export interface AccountGrant {
  subject: string;
  account: string;
  /** Absent: all of the account. */
  integration?: string;
}

/** An issuer of JWTs that are accepted as keys (`sluice/identity-provider`; `integration/jwt-auth/custom`). */
export interface IdentityProvider {
  name: string;
  issuer: string;
  jwksUri: string;
  /** Empty: not checked. */
  audiences: string[];
  algorithms: JwtAlgorithm[];
  /** Dotted paths into the claims. */
  subjectClaim: string;
  subjectKind: 'user' | 'virtualaccount';
  teamsClaim?: string;
  /** Empty: all whom it vouches for; else subjects (`user:…`, `team:…`, `virtualaccount:…`). */
  authorizedSubjects: string[];
}

/** What may be on the list; never `none`, never a symmetric one. */
export type JwtAlgorithm =
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA';
