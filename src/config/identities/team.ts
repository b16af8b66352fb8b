import { z } from 'zod';
import { keyWithDefault, optionalKey, text } from '../scalar-schema.ts';
import { teamName } from '../subject.ts';
import { ownedBy } from './owner.ts';
import { providerMapping } from './provider-mapping.ts';
import { tags } from './tags.ts';
import { email } from './user.ts';

/** `team`. Managers are members as well. */
export const teamSchema = z.object({
  type: z.literal('team'),
  name: teamName,
  displayName: optionalKey(text(512)),
  description: optionalKey(z.string().max(4096)),
  managers: keyWithDefault(z.array(email), []),
  members: keyWithDefault(z.array(email), []),
  tags,
  ownedBy,
  identity_provider_mapping: providerMapping,
});
