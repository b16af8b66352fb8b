import { z } from 'zod';
import { metadataKey, metadataValue, subjectsKey, WHEN_NAMES } from '../rules/conditions.ts';
import type { MetadataRule } from '../rules/rule-match.ts';
import { optionalKey, restricting, text } from '../scalar-schema.ts';
import { manifestKind } from './manifest-kind.ts';

/** `gateway-metadata-config`. */
const rule = z
  .object({
    id: text(256).describe('Unique in its manifest.'),
    when: restricting(optionalKey(z.object({ subjects: subjectsKey })), WHEN_NAMES).describe(
      'Whose requests; absent: all.',
    ),
    metadata_override: z
      .record(metadataKey, metadataValue)
      .describe('Key to value: what stands in the metadata, whatever the request says.'),
  })
  .transform(
    ({ id, when, metadata_override: override }): MetadataRule => ({
      id,
      ...(when?.subjects?.length && { subjects: when.subjects }),
      override,
    }),
  );

const schema = restricting(
  z.object({
    type: z.literal('gateway-metadata-config'),
    name: optionalKey(text(256)).describe('Has no effect.'),
    rules: z
      .array(rule)
      .nullish()
      .transform((rules) => rules ?? [])
      .describe('All that match apply in order; later ones win.'),
  }),
);

export const gatewayMetadataConfig = manifestKind({
  type: 'gateway-metadata-config',
  schema,
  uniqueKeys: [{ path: 'rules[].id', what: 'this rule id' }],
  part: (written): { metadataRules: MetadataRule[] } => ({
    metadataRules: written.flatMap(({ value }) => value.rules),
  }),
});
