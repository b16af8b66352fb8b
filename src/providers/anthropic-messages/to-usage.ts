import { countOf, isArray, isObject, objectOf } from '../../codec/json-value.ts';
import type { Usage } from '../../inference/usage.ts';

/**
 * Anthropic's input_tokens are what is left beside the cache; ours hold all of it:
 * https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance
 * A compaction pass is billed but left out of the top-level counts; `iterations` tells it:
 * https://platform.claude.com/docs/en/build-with-claude/compaction#understanding-usage
 */
export function toUsage(value: unknown): Usage | undefined {
  if (!isObject(value)) return undefined;
  const usage = countsOf(value);
  if (isArray(value['iterations'])) {
    for (const pass of value['iterations'])
      if (isObject(pass) && pass['type'] === 'compaction') add(usage, countsOf(pass));
  }
  for (const counted of Object.values(usage)) if (counted !== undefined) return usage;
  return undefined;
}

function countsOf(value: Readonly<Record<string, unknown>>): Usage {
  const input = countOf(value['input_tokens']);
  const cacheRead = countOf(value['cache_read_input_tokens']);
  const cacheCreation = countOf(value['cache_creation_input_tokens']);
  return {
    inputTokens: input === undefined ? undefined : input + (cacheRead ?? 0) + (cacheCreation ?? 0),
    outputTokens: countOf(value['output_tokens']),
    cacheReadInputTokens: cacheRead,
    cacheCreationInputTokens: cacheCreation,
    cacheCreation1hInputTokens: countOf(objectOf(value['cache_creation'])?.['ephemeral_1h_input_tokens']),
    reasoningOutputTokens: countOf(objectOf(value['output_tokens_details'])?.['thinking_tokens']),
  };
}

function add(into: Usage, pass: Usage): void {
  into.inputTokens = sum(into.inputTokens, pass.inputTokens);
  into.outputTokens = sum(into.outputTokens, pass.outputTokens);
  into.cacheReadInputTokens = sum(into.cacheReadInputTokens, pass.cacheReadInputTokens);
  into.cacheCreationInputTokens = sum(into.cacheCreationInputTokens, pass.cacheCreationInputTokens);
  into.cacheCreation1hInputTokens = sum(into.cacheCreation1hInputTokens, pass.cacheCreation1hInputTokens);
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : a + (b ?? 0);
}
