import { countOf, isObject, objectOf } from '../../codec/json-value.ts';
import type { Usage } from '../../inference/usage.ts';
import type { RareCounts } from '../../inference/usage-counters.ts';

/**
 * `usage` of a chat. `tokens` is what the model read and wrote, with what Cohere itself adds to a prompt; cached and
 * reasoning tokens are parts of it, those of images stand beside it. `billed_units` is what is billed.
 * https://docs.cohere.com/docs/rate-limits, https://docs.cohere.com/reference/chat#response.body.usage
 */
export function toUsage(value: unknown): Usage | undefined {
  if (!isObject(value)) return undefined;
  const tokens = objectOf(value['tokens']);
  const billed = objectOf(value['billed_units']);
  const billedInput = countOf(billed?.['input_tokens']);
  const billedOutput = countOf(billed?.['output_tokens']);
  const images = countOf(tokens?.['image_tokens']);
  const input = countOf(tokens?.['input_tokens']);
  const inputTokens = (input === undefined ? undefined : input + (images ?? 0)) ?? billedInput;
  const outputTokens = countOf(tokens?.['output_tokens']) ?? billedOutput;
  if (inputTokens === undefined && outputTokens === undefined) return undefined;
  return {
    inputTokens,
    outputTokens,
    cacheReadInputTokens: countOf(value['cached_tokens']),
    reasoningOutputTokens: countOf(tokens?.['reasoning_tokens']),
    rare: rareCounts({
      imageInputTokens: images,
      billedInputTokens: billedInput,
      billedOutputTokens: billedOutput,
      searchUnits: countOf(billed?.['search_units']),
    }),
  };
}

function rareCounts(rare: RareCounts): RareCounts | undefined {
  return Object.values(rare).some((count) => count !== undefined) ? rare : undefined;
}
