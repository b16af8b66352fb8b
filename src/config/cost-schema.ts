import { z } from 'zod';
import { amount, optionalKey, wholeNumber } from './scalar-schema.ts';

/** `cost` of a listed model. The names of the manifest are kept; usage/ turns it into a price. */

const tier = z.object({
  from: wholeNumber(0, Number.MAX_SAFE_INTEGER).describe('Input tokens from which the tier holds.'),
  cost_per_token: amount().describe(
    'US dollars for 1,000 tokens, or for one where it is less than a thirtieth of the base rate.',
  ),
});
const tiers = optionalKey(z.array(tier)).describe('Other rates for long prompts.');

const factors = (what: string) =>
  optionalKey(z.record(z.string(), amount().describe('Factor.'))).describe(`${what}, by the value that answers tell.`);

const multipliers = optionalKey(
  z.object({
    service_tier: factors('By how much a service tier multiplies the rates of tokens'),
    speed: factors('By how much a speed does'),
    inference_geo: factors('By how much a geography does'),
  }),
).describe('`{service_tier: {priority: 2}}`; it wins over what the provider publishes.');

const per1000Tokens = z.object({
  metric: z.literal('per_1000_tokens'),
  multipliers,
  value: z.object({
    input: amount().describe('US dollars for 1,000 input tokens.'),
    output: amount().describe('US dollars for 1,000 output tokens.'),
    cache_read: optionalKey(amount()).describe('US dollars for 1,000 input tokens that were read from a cache.'),
    cache_write: optionalKey(amount()).describe('US dollars for 1,000 input tokens that were written into a cache.'),
    audio_input: optionalKey(amount()).describe(
      'US dollars for 1,000 input tokens of audio; without it the cost of an answer that has some is unknown.',
    ),
    audio_output: optionalKey(amount()).describe('US dollars for 1,000 output tokens of audio; likewise.'),
    image_input: optionalKey(amount()).describe('US dollars for 1,000 input tokens of images; without it as `input`.'),
    image_output: optionalKey(amount()).describe(
      'US dollars for 1,000 output tokens of images; without it as `output`.',
    ),
    web_search: optionalKey(amount()).describe(
      'US dollars for 1,000 searches of the web; without it the cost of an answer that has some is unknown.',
    ),
    input_tiers: tiers,
    output_tiers: tiers,
    cache_read_tiers: tiers,
    cache_write_tiers: tiers,
  }),
});

const inputOnly = z.object({ input: amount().describe('US dollars for that many.') });

export const costSchema = z.discriminatedUnion('metric', [
  z.object({ metric: z.literal('public_cost'), multipliers }),
  per1000Tokens,
  z.object({ metric: z.literal('per_1000_embedding_tokens'), value: amount().describe('US dollars.') }),
  // Ours, not of the reference manifests: rerank models are sold so.
  z.object({ metric: z.literal('per_1000_searches'), value: amount().describe('US dollars for 1,000 search units.') }),
  z.object({ metric: z.literal('per_million_characters'), value: inputOnly }),
  z.object({ metric: z.literal('per_minute_of_audio'), value: inputOnly }),
  z.object({
    metric: z.literal('per_image'),
    value: z.object({
      output: optionalKey(amount()).describe('US dollars for an image that none of `variants` is about.'),
      variants: optionalKey(
        z.array(
          z.object({
            size: optionalKey(z.string()).describe('`1024x1536`; without it any.'),
            quality: optionalKey(z.string()).describe('`high`; without it any.'),
            output: amount().describe('US dollars for an image.'),
          }),
        ),
      ).describe('Prices of sizes and qualities that requests name; the first that fits holds.'),
    }),
  }),
  z.object({
    metric: z.literal('per_1000_pages'),
    value: z.object({
      pages: amount().describe('US dollars for 1,000 pages.'),
      annotated_pages: optionalKey(amount()).describe('US dollars for 1,000 annotated pages.'),
    }),
  }),
]);

export type Cost = z.infer<typeof costSchema>;
