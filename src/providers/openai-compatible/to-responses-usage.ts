import { countOf, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { servedAs } from '../../inference/served-as.ts';
import { tellsAnything, type Usage } from '../../inference/usage.ts';
import type { RareCounts } from '../../inference/usage-counters.ts';

/** xAI bills in ten-thousand-millionths of a dollar. */
const TICKS_PER_DOLLAR = 1e10;

/**
 * What a response says it used: https://platform.openai.com/docs/api-reference/responses/object. `answer`: the response
 * that it stood in, where the tier and the calls of the provider's own tools are told.
 */
export function toResponsesUsage(value: unknown, answer: JsonObject): Usage | undefined {
  const usage = objectOf(value);
  if (usage === undefined) return undefined;
  const input = objectOf(usage['input_tokens_details']);
  const output = objectOf(usage['output_tokens_details']);
  const ticks = countOf(usage['cost_in_usd_ticks']);
  const counts: Usage = {
    inputTokens: countOf(usage['input_tokens']),
    outputTokens: countOf(usage['output_tokens']),
    cacheReadInputTokens: countOf(input?.['cached_tokens']),
    cacheCreationInputTokens: countOf(input?.['cache_write_tokens']),
    reasoningOutputTokens: countOf(output?.['reasoning_tokens']),
    rare: rareCounts(usage, objectOf(answer['tool_usage'])),
    // OpenRouter says dollars.
    providerCostUsd: countOf(usage['cost']) ?? (ticks === undefined ? undefined : ticks / TICKS_PER_DOLLAR),
  };
  if (!tellsAnything(counts)) return undefined;
  const tier = stringOf(answer['service_tier']);
  counts.servedAs = tier === undefined ? undefined : servedAs({ serviceTier: tier });
  return counts;
}

/** Most tell zeros of what they do not do: those are no counts to carry. */
function positive(value: unknown): number | undefined {
  return countOf(value) || undefined;
}

function rareCounts(usage: JsonObject, tools: JsonObject | undefined): RareCounts | undefined {
  const own = objectOf(usage['server_side_tool_usage_details']);
  const searches = objectOf(tools?.['web_search']);
  const webSearchRequests = positive(searches?.['num_requests']) ?? positive(own?.['web_search_calls']);
  const searchSources = positive(usage['num_sources_used']);
  const run = positive(usage['num_server_side_tools_used']);
  // xAI counts its searches among them.
  const toolRequests = run === undefined ? undefined : run - (positive(own?.['web_search_calls']) ?? 0) || undefined;
  const images = objectOf(tools?.['image_gen']);
  const imageOutputTokens = positive(images?.['output_tokens']);
  const first = webSearchRequests ?? searchSources ?? toolRequests ?? imageOutputTokens;
  return first === undefined ? undefined : { webSearchRequests, searchSources, toolRequests, imageOutputTokens };
}
