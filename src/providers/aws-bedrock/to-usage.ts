import { countOf, isArray, isObject, type JsonObject, objectOf } from '../../codec/json-value.ts';
import { servedAs } from '../../inference/served-as.ts';
import type { Usage } from '../../inference/usage.ts';

const NOTHING_BESIDE: JsonObject = {};

/**
 * `usage` of Converse. Its inputTokens are what is left beside the cache, ours hold all of it. Tier and latency stand
 * beside it, in the answer or in the event `metadata`.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
 */
export function toUsage(value: unknown, answer: JsonObject = NOTHING_BESIDE): Usage | undefined {
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
    servedAs: servedAs({
      serviceTier: objectOf(answer['serviceTier'])?.['type'],
      speed: objectOf(answer['performanceConfig'])?.['latency'],
    }),
  };
}

function writtenForAnHour(details: unknown): number | undefined {
  if (!isArray(details)) return undefined;
  const entry = details.find((each) => isObject(each) && each['ttl'] === '1h');
  return isObject(entry) ? countOf(entry['inputTokens']) : undefined;
}
