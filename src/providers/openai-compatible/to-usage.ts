import { countOf, isObject, type JsonObject, objectOf } from '../../codec/json-value.ts';
import type { Usage } from '../../inference/usage.ts';

/**
 * The usage object of chat completions, in the variants of those who speak it. All of them count cached tokens within
 * prompt_tokens, as our Usage does. Null, or an object that counts nothing: undefined.
 */
export function toUsage(value: unknown): Usage | undefined {
  if (!isObject(value)) return undefined;
  const prompt = objectOf(value['prompt_tokens_details']);
  const completion = objectOf(value['completion_tokens_details']);
  const reasoning = countOf(completion?.['reasoning_tokens']);
  const audioInput = countOf(prompt?.['audio_tokens']);
  const input = countOf(value['prompt_tokens']);
  const output = countOf(value['completion_tokens']);
  const missing = missingFromTotal(value, input, output);
  const usage: Usage = {
    // Mistral leaves audio out of prompt_tokens, xAI (also behind Azure) reasoning out of completion_tokens; only the
    // total tells. Without this neither would be billed.
    inputTokens: input !== undefined && missing > 0 && missing === audioInput ? input + missing : input,
    outputTokens: output !== undefined && missing > 0 && missing === reasoning ? output + missing : output,
    // DeepSeek's older form; where both are there they agree.
    cacheReadInputTokens: countOf(prompt?.['cached_tokens']) ?? countOf(value['prompt_cache_hit_tokens']),
    // OpenRouter says cache_write_tokens, others cache_creation_tokens.
    cacheCreationInputTokens: countOf(prompt?.['cache_write_tokens']) ?? countOf(prompt?.['cache_creation_tokens']),
    reasoningOutputTokens: reasoning,
    audioInputTokens: audioInput,
    audioOutputTokens: countOf(completion?.['audio_tokens']),
    providerCostUsd: cost(value['cost']),
  };
  return countsAnything(usage) ? usage : undefined;
}

function countsAnything(usage: Usage): boolean {
  for (const kind in usage) if (usage[kind as keyof Usage] !== undefined) return true;
  return false;
}

function missingFromTotal(usage: JsonObject, input: number | undefined, output: number | undefined): number {
  const total = countOf(usage['total_tokens']);
  return total === undefined || input === undefined || output === undefined ? 0 : total - input - output;
}

/** OpenRouter: a number of dollars. Perplexity: an object with its total. */
function cost(value: unknown): number | undefined {
  return countOf(isObject(value) ? value['total_cost'] : value);
}
