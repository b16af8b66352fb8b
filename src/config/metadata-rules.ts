import { z } from 'zod';
import type { MetadataRule } from './configuration.ts';
import { metadataKey, metadataValue } from './limits/rule-conditions.ts';
import { optionalKey, text } from './scalar-schema.ts';
import { subjectPattern } from './subject.ts';

/** `gateway-metadata-config`. */
const rule = z
  .object({
    id: text(256),
    when: optionalKey(z.object({ subjects: optionalKey(z.array(subjectPattern)) })),
    metadata_override: z.record(metadataKey, metadataValue),
  })
  .transform(
    ({ id, when, metadata_override: override }): MetadataRule => ({
      id,
      ...(when?.subjects?.length && { subjects: when.subjects }),
      override,
    }),
  );

export const metadataRulesSchema = z.object({
  type: z.literal('gateway-metadata-config'),
  name: optionalKey(text(256)),
  rules: z
    .array(rule)
    .nullish()
    .transform((rules) => rules ?? []),
});
