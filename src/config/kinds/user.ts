import { z } from 'zod';
import type { UserIdentity } from '../identities/identities.ts';
import { email, metadataOf, owner, tags } from '../identities/identity-schema.ts';
import { mappedIdentities, providerMapping } from '../identities/issuers.ts';
import { optionalKey, restricting, text } from '../scalar-schema.ts';
import { manifestKind } from './manifest-kind.ts';
import { issuers } from './sluice-identity-provider.ts';

const schema = restricting(
  z.object({
    type: z.literal('user'),
    name: optionalKey(text(256)).describe('For people; has no effect.'),
    email: email.describe('Who it is: `user:<email>` in keys and rules.'),
    tags,
    ownedBy: owner,
    identity_provider_mapping: providerMapping,
  }),
);

/** `user` is ours: the reference product has users, but no manifest of them. */
export const user = manifestKind({
  type: 'user',
  schema,
  uniqueKeys: [{ path: 'email', what: 'this user', over: 'users', compared: inLowerCase }],
  part(written, context): { identities: { users: UserIdentity[] } } {
    const known = issuers(context);
    const users = written.map(({ manifest, value }) => ({
      email: value.email,
      tags: metadataOf(value.tags, manifest, context.report),
      identities: mappedIdentities(value.identity_provider_mapping, known, manifest, context.report),
    }));
    return { identities: { users } };
  },
});

export function inLowerCase(value: unknown): string | undefined {
  return typeof value === 'string' ? value.toLowerCase() : undefined;
}
