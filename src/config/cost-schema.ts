import { z } from 'zod';
import { amount, optionalKey, wholeNumber } from './scalar-schema.ts';

/** `cost` of a listed model (facts/manifests §1.2). Wire names are kept; usage/ turns it into a price. */

const tier = z.object({ from: wholeNumber(0, Number.MAX_SAFE_INTEGER), cost_per_token: amount() });
const tiers = optionalKey(z.array(tier));

/** By the values that answers tell: `{service_tier: {priority: 2, flex: 0.5}, speed: {fast: 2}, inference_geo: {us: 1.1}}`. */
const multipliers = optionalKey(
  z.object({
    service_tier: optionalKey(z.record(z.string(), amount())),
    speed: optionalKey(z.record(z.string(), amount())),
    inference_geo: optionalKey(z.record(z.string(), amount())),
  }),
);

const per1000Tokens = z.object({
  metric: z.literal('per_1000_tokens'),
  multipliers,
  value: z.object({
    input: amount(),
    output: amount(),
    cache_read: optionalKey(amount()),
    cache_write: optionalKey(amount()),
    /** Beyond the kinds of facts/manifests §1.2: what is billed apart, and unknown without a price. */
    audio_input: optionalKey(amount()),
    audio_output: optionalKey(amount()),
    image_input: optionalKey(amount()),
    image_output: optionalKey(amount()),
    /** For 1,000 searches. */
    web_search: optionalKey(amount()),
    input_tiers: tiers,
    output_tiers: tiers,
    cache_read_tiers: tiers,
    cache_write_tiers: tiers,
  }),
});

const inputOnly = z.object({ input: amount() });

export const costSchema = z.discriminatedUnion('metric', [
  z.object({ metric: z.literal('public_cost'), multipliers }),
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
