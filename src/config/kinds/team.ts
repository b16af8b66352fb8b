import { z } from 'zod';
import type { TeamIdentity } from '../identities/identities.ts';
import { email, metadataOf, owner, tags } from '../identities/identity-schema.ts';
import { mappedIdentities, providerMapping } from '../identities/issuers.ts';
import { keyWithDefault, optionalKey, restricting, text } from '../scalar-schema.ts';
import { teamName } from '../subject-schema.ts';
import { manifestKind } from './manifest-kind.ts';
import { issuers } from './sluice-identity-provider.ts';
import { inLowerCase } from './user.ts';

const schema = restricting(
  z.object({
    type: z.literal('team'),
    name: teamName.describe('`team:<name>` in rules.'),
    displayName: optionalKey(text(512)).describe('For people; has no effect.'),
    description: optionalKey(z.string().max(4096)).describe('For people; has no effect.'),
    managers: keyWithDefault(z.array(email), []).describe('By e-mail address; they are members as well.'),
    members: keyWithDefault(z.array(email), []).describe('By e-mail address.'),
    tags,
    ownedBy: owner,
    identity_provider_mapping: providerMapping,
  }),
);

/** `team`. */
export const team = manifestKind({
  type: 'team',
  schema,
  uniqueKeys: [{ path: 'name', what: 'this team name', over: 'teams', compared: inLowerCase }],
  part(written, context): { identities: { teams: TeamIdentity[] } } {
    const known = issuers(context);
    const teams = written.map(({ manifest, value }) => ({
      name: value.name,
      members: [...new Set([...value.members, ...value.managers])],
      tags: metadataOf(value.tags, manifest, context.report),
      identities: mappedIdentities(value.identity_provider_mapping, known, manifest, context.report),
    }));
    return { identities: { teams } };
  },
});
