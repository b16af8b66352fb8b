import { z } from 'zod';
import { optionalKey, text } from '../scalar-schema.ts';
import { lowerCase } from '../subject.ts';
import { ownedBy } from './owner.ts';
import { providerMapping } from './provider-mapping.ts';
import { tags } from './tags.ts';

const emailError = 'an e-mail address';

/** In lower case, as everywhere. */
export const email = z
  .string({ error: emailError })
  .regex(/^(user:)?[^\s@\x00-\x1f\x7f]{1,128}@[^\s@\x00-\x1f\x7f]{1,255}$/i, { error: emailError })
  .transform((written) => lowerCase(written.replace(/^user:/i, '')));

/** `user` is ours: the reference product has users, but no manifest of them. */
export const userSchema = z.object({
  type: z.literal('user'),
  name: optionalKey(text(256)),
  email,
  tags,
  ownedBy,
  identity_provider_mapping: providerMapping,
});
