import { z } from 'zod';
import { nearNames } from '../../core/near-names.ts';
import { integrationName } from '../account-schema.ts';
import { type Manifest, warn } from '../documents/manifests.ts';
import { didYouMean, type PathSegment, type Report } from '../fault.ts';
import { parseResourceName } from '../resource-name.ts';
import { keyWithDefault, optionalKey, restricting, text } from '../scalar-schema.ts';
import { subjectPattern } from '../subject-schema.ts';
import type { IdentityProvider, JwtAlgorithm, ProviderIdentity } from './identities.ts';

/**
 * Issuers of JWTs that are accepted as keys. Two kinds of manifest hold them: our own `sluice/identity-provider`, and
 * accounts with an `integration/jwt-auth/custom`, which lacks audience and claims: those are ours.
 */

/** An issuer and where it stands. */
export interface PlacedIssuer {
  readonly provider: IdentityProvider;
  readonly account?: string;
  readonly manifest: Manifest;
  readonly path: readonly PathSegment[];
}

const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const satisfies readonly JwtAlgorithm[];

const addressError = 'an https:// address (http:// only on this machine) without user name and fragment';
/** A server that answers for it decides who gets in: never over a line that others can write to. */
const jwksUri = z
  .string({ error: addressError })
  .max(2048)
  .refine((value) => isSafeAddress(value), { error: addressError });

function isSafeAddress(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname, username, password, hash } = new URL(value);
  const loopback = hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  const safe = protocol === 'https:' || (protocol === 'http:' && loopback);
  return safe && username === '' && password === '' && hash === '';
}

const claimError = 'a claim, or the way to one with dots: `realm_access.roles`';
const claim = z.string({ error: claimError }).regex(/^[^\s\x00-\x1f\x7f]{1,256}$/, { error: claimError });

/** The keys of both kinds. */
export const issuerKeys = {
  name: integrationName,
  issuer: text(2048).describe('What its tokens say in `iss`.'),
  jwks_uri: jwksUri.describe('Where its public keys are.'),
  audiences: keyWithDefault(z.array(text(512)).max(64), []).describe(
    'What a token must say in `aud`; none: it is not looked at.',
  ),
  algorithms: keyWithDefault(z.array(z.enum(ALGORITHMS)).min(1, { error: 'at least one algorithm' }), [
    ...ALGORITHMS,
  ]).describe('With which its tokens may be signed.'),
  subject_kind: keyWithDefault(z.enum(['user', 'virtualaccount']), 'user').describe('What its tokens stand for.'),
  subject_claim: optionalKey(claim).describe('Who it is. By default `email` of users, `sub` of virtual accounts.'),
  teams_claim: optionalKey(claim).describe('The claim that lists teams, if one does.'),
  authorized_subjects: restricting(keyWithDefault(z.array(subjectPattern).max(1000), [])).describe(
    'Whom it may vouch for; none: everybody.',
  ),
};

export function identityProvider(written: z.output<z.ZodObject<typeof issuerKeys>>): IdentityProvider {
  const { subject_kind: subjectKind, subject_claim: subjectClaim, teams_claim: teamsClaim } = written;
  return {
    name: written.name,
    issuer: written.issuer,
    jwksUri: written.jwks_uri,
    audiences: written.audiences,
    algorithms: written.algorithms,
    subjectKind,
    subjectClaim: subjectClaim ?? (subjectKind === 'user' ? 'email' : 'sub'),
    ...(teamsClaim !== undefined && { teamsClaim }),
    authorizedSubjects: written.authorized_subjects,
  };
}

const mappingEntry = z
  .object({
    identity_provider: text(512).describe('Name of the identity provider.'),
    value: text(512).describe('What its claim says.'),
  })
  .transform(({ identity_provider: provider, value }) => ({ provider, value }));

/** `identity_provider_mapping`: the claim value of a provider that stands for this identity. */
export const providerMapping = keyWithDefault(
  z.array(mappingEntry).max(1000, { error: 'at most 1000 mappings' }),
  [],
).describe('Claim values of identity providers that stand for it.');

/** With the provider's name in its one form; one that does not exist gets a warning. */
export function mappedIdentities(
  written: readonly ProviderIdentity[],
  issuers: readonly PlacedIssuer[],
  manifest: Manifest,
  report: Report,
): ProviderIdentity[] {
  return written.map(({ provider, value }, index) => {
    const found = named(provider, issuers);
    if (found) return { provider: found, value };
    const near = nearNames(
      provider,
      issuers.map((each) => each.provider.name),
    );
    const message = 'there is no identity provider of this name, so nobody comes from it';
    const path = ['identity_provider_mapping', index, 'identity_provider'];
    warn(report, manifest, path, { message, found: `\`${provider}\``, remedy: didYouMean(near) });
    return { provider, value };
  });
}

function named(written: string, issuers: readonly PlacedIssuer[]): string | undefined {
  const whole = issuers.find(({ provider }) => provider.name === written);
  if (whole) return whole.provider.name;
  const { account, integration } = parseResourceName(written) ?? {};
  if (integration === undefined) return undefined;
  return issuers.find((each) => each.account === account && each.provider.name === integration)?.provider.name;
}
