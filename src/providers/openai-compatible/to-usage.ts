import { countOf, isArray, isObject, type JsonObject, objectOf } from '../../codec/json-value.ts';
import { type ServedAs, servedInTier } from '../../inference/served-as.ts';
import { tellsAnything, type Usage } from '../../inference/usage.ts';
import type { RareCounts } from '../../inference/usage-counters.ts';

const NOTHING_BESIDE: JsonObject = {};

/**
 * What an answer, or an event of its stream, says of what was used. Groq streams its usage in `x_groq`, Moonshot in the
 * last choice. The tier stands beside the usage:
 * https://developers.openai.com/api/reference/resources/chat/subresources/completions
 */
export function toUsage(usage: unknown, answer: JsonObject = NOTHING_BESIDE): Usage | undefined {
  const told = isObject(usage) ? usage : (usageOfGroq(answer['x_groq']) ?? usageOfChoice(answer['choices']));
  if (told === undefined) return undefined;
  const counts = countsOf(told);
  if (!tellsAnything(counts)) return undefined;
  // Mistral says it within.
  counts.servedAs = tierOf(answer['service_tier'] ?? told['service_tier']);
  return counts;
}

function tierOf(value: unknown): ServedAs | undefined {
  return typeof value === 'string' ? servedInTier(value) : undefined;
}

function usageOfGroq(said: unknown): JsonObject | undefined {
  return objectOf(objectOf(said)?.['usage']);
}

function usageOfChoice(choices: unknown): JsonObject | undefined {
  if (!isArray(choices)) return undefined;
  for (const choice of choices) {
    const usage = objectOf(choice)?.['usage'];
    if (isObject(usage)) return usage;
  }
  return undefined;
}

/**
 * The usage object of chat completions, in the variants of those who speak it. All of them count cached tokens within
 * prompt_tokens, as our Usage does. Null, or an object that counts nothing: undefined.
 */
function countsOf(value: JsonObject): Usage {
  const prompt = objectOf(value['prompt_tokens_details']);
  const completion = objectOf(value['completion_tokens_details']);
  const reasoning = countOf(completion?.['reasoning_tokens']);
  // Azure's Grok tells it beside the details too.
  const audioInput = countOf(prompt?.['audio_tokens']) ?? countOf(value['audio_prompt_tokens']);
  const input = countOf(value['prompt_tokens']);
  const output = countOf(value['completion_tokens']);
  const missing = missingFromTotal(value, input, output);
  return {
    // Mistral leaves audio out of prompt_tokens, xAI (also behind Azure) reasoning out of completion_tokens; only the
    // total tells. Without this neither would be billed.
    inputTokens: input !== undefined && missing > 0 && missing === audioInput ? input + missing : input,
    outputTokens: output !== undefined && missing > 0 && missing === reasoning ? output + missing : output,
    // DeepSeek's older form, and Moonshot's; where several are there they agree.
    cacheReadInputTokens:
      countOf(prompt?.['cached_tokens']) ??
      countOf(value['prompt_cache_hit_tokens']) ??
      countOf(value['cached_tokens']),
    // OpenRouter says cache_write_tokens, others cache_creation_tokens.
    cacheCreationInputTokens: countOf(prompt?.['cache_write_tokens']) ?? countOf(prompt?.['cache_creation_tokens']),
    reasoningOutputTokens: reasoning,
    audioInputTokens: audioInput,
    audioOutputTokens: countOf(completion?.['audio_tokens']),
    rare: rareCounts(value, prompt, completion),
    servedAs: undefined,
    providerCostUsd: providerCost(value),
  };
}

/** Hardly any answer has one: nothing is made where none is told (bench: usage-reading). */
function rareCounts(
  usage: JsonObject,
  prompt: JsonObject | undefined,
  completion: JsonObject | undefined,
): RareCounts | undefined {
  const imageInputTokens = prompt && positive(prompt['image_tokens']);
  const videoInputTokens = prompt && positive(prompt['video_tokens']);
  const imageOutputTokens = completion && positive(completion['image_tokens']);
  const citationTokens = positive(usage['citation_tokens']);
  // OpenRouter, Perplexity.
  const tools = objectOf(usage['server_tool_use'] ?? usage['server_tool_use_details']);
  const webSearchRequests = positive(tools?.['web_search_requests']) ?? positive(usage['num_search_queries']);
  // xAI.
  const searchSources = positive(usage['num_sources_used']);
  const toolRequests = positive(usage['num_server_side_tools_used']);
  const audioSeconds = positive(usage['prompt_audio_seconds']);
  const first = imageInputTokens ?? videoInputTokens ?? imageOutputTokens ?? citationTokens ?? webSearchRequests;
  if ((first ?? searchSources ?? toolRequests ?? audioSeconds) === undefined) return undefined;
  const audioInputMs = audioSeconds && audioSeconds * 1000;
  const tokens = { imageInputTokens, videoInputTokens, imageOutputTokens, citationTokens };
  return { ...tokens, webSearchRequests, searchSources, toolRequests, audioInputMs };
}

/** Most tell zeros of what they do not do: those are no counts to carry. */
function positive(value: unknown): number | undefined {
  return countOf(value) || undefined;
}

function missingFromTotal(usage: JsonObject, input: number | undefined, output: number | undefined): number {
  const total = countOf(usage['total_tokens']);
  return total === undefined || input === undefined || output === undefined ? 0 : total - input - output;
}

/** xAI bills in ten-thousand-millionths of a dollar: https://docs.x.ai/developers/rest-api-reference/inference/chat */
const TICKS_PER_DOLLAR = 1e10;

/** OpenRouter: a number of dollars. Perplexity: an object with its total. xAI: ticks. */
function providerCost(usage: JsonObject): number | undefined {
  const { cost } = usage;
  if (isObject(cost)) {
    const { currency } = cost;
    return currency === undefined || currency === 'USD' ? countOf(cost['total_cost']) : undefined;
  }
  const billed = countOf(cost);
  // With the customer's own key at the provider `cost` is the fee of the router alone:
  // https://openrouter.ai/docs/use-cases/usage-accounting#cost-breakdown
  if (usage['is_byok'] === true)
    return sum(billed, countOf(objectOf(usage['cost_details'])?.['upstream_inference_cost']));
  if (billed !== undefined) return billed;
  const ticks = countOf(usage['cost_in_usd_ticks']);
  return ticks === undefined ? undefined : ticks / TICKS_PER_DOLLAR;
}

/** Both parts, or nobody knows the whole. Cents beside dollars leave digits that nobody billed, far behind a nano-dollar. */
function sum(fee: number | undefined, upstream: number | undefined): number | undefined {
  return fee === undefined || upstream === undefined ? undefined : Number((fee + upstream).toPrecision(15));
}
