import { z } from 'zod';
import { amount, optionalKey, wholeNumber } from './scalar-schema.ts';

/** `cost` of a listed model. The names of the manifest are kept; usage/ turns it into a price. */

const tier = z.object({ from: wholeNumber(0, Number.MAX_SAFE_INTEGER), cost_per_token: amount() });
const tiers = optionalKey(z.array(tier));

const per1000Tokens = z.object({
  metric: z.literal('per_1000_tokens'),
  value: z.object({
    input: amount(),
    output: amount(),
    cache_read: optionalKey(amount()),
    cache_write: optionalKey(amount()),
    input_tiers: tiers,
    output_tiers: tiers,
    cache_read_tiers: tiers,
    cache_write_tiers: tiers,
  }),
});

const inputOnly = z.object({ input: amount() });

export const costSchema = z.discriminatedUnion('metric', [
  z.object({ metric: z.literal('public_cost') }),
  per1000Tokens,
  z.object({ metric: z.literal('per_1000_embedding_tokens'), value: amount() }),
  z.object({ metric: z.literal('per_million_characters'), value: inputOnly }),
  z.object({ metric: z.literal('per_minute_of_audio'), value: inputOnly }),
  z.object({
    metric: z.literal('per_1000_pages'),
    value: z.object({ pages: amount(), annotated_pages: optionalKey(amount()) }),
  }),
]);

export type Cost = z.infer<typeof costSchema>;
