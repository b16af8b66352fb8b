import type { Usage } from '../../inference/usage.ts';

/** OpenAI's usage object; what nobody counted is left out, not made zero. */
export function usageObject(usage: Usage): object | undefined {
  const { inputTokens, outputTokens, rare } = usage;
  if (inputTokens === undefined && outputTokens === undefined) return undefined;
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens === undefined || outputTokens === undefined ? undefined : inputTokens + outputTokens,
    prompt_tokens_details: ifCounted({
      cached_tokens: usage.cacheReadInputTokens,
      cache_write_tokens: usage.cacheCreationInputTokens,
      audio_tokens: usage.audioInputTokens,
      image_tokens: rare?.imageInputTokens,
      video_tokens: rare?.videoInputTokens,
    }),
    completion_tokens_details: ifCounted({
      reasoning_tokens: usage.reasoningOutputTokens,
      audio_tokens: usage.audioOutputTokens,
      image_tokens: rare?.imageOutputTokens,
    }),
  };
}

function ifCounted(counts: Record<string, number | undefined>): object | undefined {
  return Object.values(counts).some((count) => count !== undefined) ? counts : undefined;
}

/** The words that OpenAI has for a tier; others and the default one are not told. */
const TIERS: ReadonlySet<string> = new Set(['flex', 'scale', 'priority']);

/** `service_tier` of an answer: the tier that it was served in, where the provider says another than its default. */
export function servedTier({ servedAs }: Usage): string | undefined {
  const tier = servedAs?.serviceTier;
  return tier !== undefined && TIERS.has(tier) ? tier : undefined;
}
