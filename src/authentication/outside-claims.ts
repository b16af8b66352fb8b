import { hash } from 'node:crypto';
import type { Identities, IdentityProvider, ProviderIdentity } from '../config/identities/identities.ts';
import { canonicalSubject } from '../config/subject.ts';
import type { Principal } from '../core/exchange.ts';
import { Membership } from '../policy/membership.ts';
import { compileSubjects, type SubjectMatcher } from '../policy/subject-match.ts';
import { NO_SUBJECT, NOT_AUTHORIZED, type RefusedKey, tokenSchemas, UNVERIFIED_EMAIL } from './key-verdict.ts';
import type { Payload } from './token-schemas.ts';

const MAX_TEAMS = 100;
const MAX_TEAM_CHARACTERS = 128;

/** From the claims of one provider's tokens to whom they stand for here. */
export class OutsideClaims {
  readonly #provider: IdentityProvider;
  /** By claim value, as users and virtual accounts say it. */
  readonly #subjects = new Map<string, string>();
  readonly #teams = new Map<string, string[]>();
  readonly #membership: Membership;
  /** Undefined: all whom the provider vouches for. */
  readonly #authorized: SubjectMatcher | undefined;

  constructor(provider: IdentityProvider, identities: Identities) {
    const { users, teams, virtualAccounts } = identities;
    this.#provider = provider;
    this.#membership = new Membership(identities);
    const { authorizedSubjects } = provider;
    this.#authorized = authorizedSubjects.length === 0 ? undefined : compileSubjects(authorizedSubjects);
    const valuesOf = (mapped: readonly ProviderIdentity[]) =>
      mapped.filter((each) => each.provider === provider.name).map((each) => each.value);
    for (const user of users) {
      for (const value of valuesOf(user.identities)) this.#subjects.set(value, `user:${user.email}`);
    }
    for (const account of virtualAccounts) {
      for (const value of valuesOf(account.identities)) this.#subjects.set(value, `virtualaccount:${account.name}`);
    }
    for (const team of teams) {
      for (const value of valuesOf(team.identities)) {
        this.#teams.set(value, [...(this.#teams.get(value) ?? []), team.name]);
      }
    }
  }

  principalOf(payload: Payload): Principal | RefusedKey {
    const { name, subjectClaim, subjectKind, teamsClaim } = this.#provider;
    const value = claimAt(payload, subjectClaim);
    const text = typeof value === 'number' ? String(value) : value;
    if (typeof text !== 'string') return NO_SUBJECT;
    // An account in which any address may be written unproved could claim to be anybody.
    if (subjectClaim === 'email' && !isVerified(payload.email_verified)) return UNVERIFIED_EMAIL;
    const written = this.#subjects.get(text) ?? `${subjectKind}:${text}`;
    const subject = tokenSchemas().subjectSchema.safeParse(canonicalSubject(written));
    if (!subject.success) return NO_SUBJECT;
    const claimed = teamsClaim === undefined ? [] : namesIn(claimAt(payload, teamsClaim));
    const mapped = [text, ...claimed].flatMap((each) => this.#teams.get(each) ?? []);
    const principal: Principal = {
      subject: subject.data,
      keyId: `${name}:${tokenName(payload, text)}`,
      teams: [...new Set([...mapped, ...claimed])].slice(0, MAX_TEAMS),
      models: undefined,
      metadata: {},
    };
    return this.mayCome(principal) ? principal : NOT_AUTHORIZED;
  }

  /** By `authorized_subjects`. */
  mayCome(principal: Principal): boolean {
    if (this.#authorized === undefined) return true;
    const teams = this.#membership.teamsOf(principal).map((team) => `team:${team}`);
    return this.#authorized(new Set([principal.subject, ...teams, 'team:everyone', '*']));
  }
}

/** OpenID Connect Core §5.1 says boolean; there are issuers that write it as text. One that says nothing is trusted. */
function isVerified(claim: unknown): boolean {
  return claim === undefined || claim === true || claim === 'true';
}

/** A label for records. What an issuer writes as an id may be long, or hold anything. */
function tokenName({ jti }: Payload, subject: string): string {
  if (jti !== undefined && /^[A-Za-z0-9_.:-]{1,64}$/.test(jti)) return jti;
  return hash('sha256', jti ?? subject, 'hex').slice(0, 16);
}

/** A claim of just this name (`https://example.com/groups`), else a path through objects (`realm_access.roles`). */
function claimAt(payload: Payload, path: string): unknown {
  if (Object.hasOwn(payload, path)) return payload[path];
  let value: unknown = payload;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

/** An array, or one text with spaces or commas between, as scopes are written. What is no name is left out. */
function namesIn(claim: unknown): string[] {
  const names: unknown[] = typeof claim === 'string' ? claim.split(/[\s,]+/) : Array.isArray(claim) ? claim : [];
  return names
    .slice(0, MAX_TEAMS)
    .filter((name) => typeof name === 'string')
    .filter((name) => name !== '' && name.length <= MAX_TEAM_CHARACTERS && !/\p{C}/u.test(name));
}
