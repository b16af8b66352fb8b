import { countOf, isArray, isObject } from '../../codec/json-value.ts';
import type { Usage } from '../../inference/usage.ts';

/**
 * `usageMetadata` of generateContent. Thoughts are billed as output and stand beside the candidates' tokens; results of
 * Google's own tools are billed as input and stand beside the prompt's. Cached tokens are part of the prompt's.
 * https://ai.google.dev/api/generate-content#UsageMetadata
 */
export function toUsage(value: unknown): Usage | undefined {
  if (!isObject(value)) return undefined;
  const prompt = countOf(value['promptTokenCount']);
  const candidates = countOf(value['candidatesTokenCount']);
  const thoughts = countOf(value['thoughtsTokenCount']);
  const tools = countOf(value['toolUsePromptTokenCount']);
  if (prompt === undefined && candidates === undefined && thoughts === undefined) return undefined;
  return {
    inputTokens: prompt === undefined ? undefined : prompt + (tools ?? 0),
    outputTokens: candidates === undefined && thoughts === undefined ? undefined : (candidates ?? 0) + (thoughts ?? 0),
    cacheReadInputTokens: countOf(value['cachedContentTokenCount']),
    reasoningOutputTokens: thoughts,
    audioInputTokens: ofModality(value['promptTokensDetails'], 'AUDIO'),
    audioOutputTokens: ofModality(value['candidatesTokensDetails'], 'AUDIO'),
  };
}

function ofModality(details: unknown, modality: string): number | undefined {
  if (!isArray(details)) return undefined;
  const entry = details.find((each) => isObject(each) && each['modality'] === modality);
  return isObject(entry) ? countOf(entry['tokenCount']) : undefined;
}
