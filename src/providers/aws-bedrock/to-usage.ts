import { countOf, isArray, isObject } from '../../codec/json-value.ts';
import type { Usage } from '../../inference/usage.ts';

/**
 * `usage` of Converse. Its inputTokens are what is left beside the cache, ours hold all of it.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
 */
export function toUsage(value: unknown): Usage | undefined {
  if (!isObject(value)) return undefined;
  const input = countOf(value['inputTokens']);
  const output = countOf(value['outputTokens']);
  if (input === undefined && output === undefined) return undefined;
  const cacheRead = countOf(value['cacheReadInputTokens']);
  const cacheWrite = countOf(value['cacheWriteInputTokens']);
  return {
    inputTokens: input === undefined ? undefined : input + (cacheRead ?? 0) + (cacheWrite ?? 0),
    outputTokens: output,
    cacheReadInputTokens: cacheRead,
    cacheCreationInputTokens: cacheWrite,
    cacheCreation1hInputTokens: writtenForAnHour(value['cacheDetails']),
  };
}

function writtenForAnHour(details: unknown): number | undefined {
  if (!isArray(details)) return undefined;
  const entry = details.find((each) => isObject(each) && each['ttl'] === '1h');
  return isObject(entry) ? countOf(entry['inputTokens']) : undefined;
}
