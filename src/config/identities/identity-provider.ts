import { z } from 'zod';
import { integrationName } from '../account-schema.ts';
import type { IdentityProvider, JwtAlgorithm } from '../configuration.ts';
import { keyWithDefault, optionalKey, secretText, text } from '../scalar-schema.ts';
import { subjectPattern } from '../subject.ts';

/**
 * Issuers whose JWTs are accepted as keys: our own `sluice/identity-provider`, and the reference product's
 * `integration/jwt-auth/custom`. That kind has no keys for audience and claims: those are ours.
 */

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
/** Whoever can answer for it decides who gets in: never over a line that others can write to. */
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

const mapping = {
  audiences: keyWithDefault(z.array(text(512)).max(64), []),
  algorithms: keyWithDefault(z.array(z.enum(ALGORITHMS)).min(1, { error: 'at least one algorithm' }), [...ALGORITHMS]),
  subject_kind: keyWithDefault(z.enum(['user', 'virtualaccount']), 'user'),
  /** Absent: `email` of users, `sub` of virtual accounts. */
  subject_claim: optionalKey(claim),
  teams_claim: optionalKey(claim),
  authorized_subjects: keyWithDefault(z.array(subjectPattern).max(1000), []),
};

interface Written {
  name: string;
  issuer: string;
  jwks_uri: string;
  audiences: string[];
  algorithms: JwtAlgorithm[];
  subject_kind: 'user' | 'virtualaccount';
  subject_claim?: string | undefined;
  teams_claim?: string | undefined;
  authorized_subjects: string[];
}

function identityProvider(written: Written): IdentityProvider {
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

const loginProvider = z.object({
  type: z.literal('oauth2'),
  client_id: text(512),
  client_secret: optionalKey(secretText(4096)),
  authorization_url: text(2048),
  token_url: text(2048),
  scopes: keyWithDefault(z.array(text(256)), []),
  jwt_source: z.enum(['access_token', 'id_token']),
});

export const jwtAuthIntegration = z
  .object({
    type: z.literal('integration/jwt-auth/custom'),
    name: integrationName,
    issuer: text(2048),
    jwks_uri: jwksUri,
    /** For a login in the browser, which a gateway has not. */
    login_provider: optionalKey(loginProvider),
    ...mapping,
  })
  .transform((written) => ({ name: written.name, identityProvider: identityProvider(written) }));

export const identityProviderSchema = z
  .object({
    type: z.literal('sluice/identity-provider'),
    name: integrationName,
    issuer: text(2048),
    jwks_uri: jwksUri,
    ...mapping,
  })
  .transform(identityProvider);
