import { z } from 'zod';
import { keyWithDefault, text } from '../scalar-schema.ts';

/** `identity_provider_mapping`: the claim value of a provider that stands for this identity. */
export const providerMapping = keyWithDefault(
  z
    .array(
      z
        .object({ identity_provider: text(512), value: text(512) })
        .transform(({ identity_provider: provider, value }) => ({ provider, value })),
    )
    .max(1000, { error: 'at most 1000 mappings' }),
  [],
);
