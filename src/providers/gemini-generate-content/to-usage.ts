import { countOf, isArray, isObject, type JsonObject, objectOf } from '../../codec/json-value.ts';
import { servedAs } from '../../inference/served-as.ts';
import type { Usage } from '../../inference/usage.ts';
import type { RareCounts } from '../../inference/usage-counters.ts';

const NOTHING_BESIDE: JsonObject = {};

/**
 * `usageMetadata` of generateContent. Thoughts are billed as output and stand beside the candidates' tokens; results of
 * Google's own tools are billed as input and stand beside the prompt's. Cached tokens are part of the prompt's.
 * https://ai.google.dev/api/generate-content#UsageMetadata
 */
export function toUsage(value: unknown, answer: JsonObject = NOTHING_BESIDE): Usage | undefined {
  if (!isObject(value)) return undefined;
  const prompt = countOf(value['promptTokenCount']);
  const candidates = countOf(value['candidatesTokenCount']);
  const thoughts = countOf(value['thoughtsTokenCount']);
  if (prompt === undefined && candidates === undefined && thoughts === undefined) return undefined;
  const [promptDetails, candidatesDetails] = [value['promptTokensDetails'], value['candidatesTokensDetails']];
  return {
    inputTokens: prompt === undefined ? undefined : sum(prompt, countOf(value['toolUsePromptTokenCount'])),
    outputTokens: sum(candidates, thoughts) ?? (hasEnded(answer) ? besidePrompt(value) : undefined),
    cacheReadInputTokens: countOf(value['cachedContentTokenCount']),
    reasoningOutputTokens: thoughts,
    audioInputTokens: ofModality(promptDetails, 'AUDIO'),
    audioOutputTokens: ofModality(candidatesDetails, 'AUDIO'),
    rare: rareCounts({
      imageInputTokens: ofModality(promptDetails, 'IMAGE'),
      videoInputTokens: ofModality(promptDetails, 'VIDEO'),
      imageOutputTokens: ofModality(candidatesDetails, 'IMAGE'),
      webSearchRequests: searchesOf(answer['candidates']),
    }),
    servedAs: servedAs({ serviceTier: tierOf(value['serviceTier'] ?? value['trafficType']) }),
  };
}

/** Google leaves out counts that are 0: an answer without a token is told by a total that is the prompt's alone. */
function besidePrompt(value: JsonObject): number | undefined {
  const total = countOf(value['totalTokenCount']);
  const input = sum(countOf(value['promptTokenCount']), countOf(value['toolUsePromptTokenCount']));
  return total === undefined || input === undefined || total < input ? undefined : total - input;
}

/** Before the end of a stream the counts of what was said so far may be missing, and are not 0. */
function hasEnded({ candidates, promptFeedback }: JsonObject): boolean {
  if (!isArray(candidates) || candidates.length === 0) return promptFeedback !== undefined;
  return candidates.every((candidate) => objectOf(candidate)?.['finishReason'] !== undefined);
}

function rareCounts(rare: RareCounts): RareCounts | undefined {
  return Object.values(rare).some((count) => count !== undefined) ? rare : undefined;
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : a + b;
}

function ofModality(details: unknown, modality: string): number | undefined {
  if (!isArray(details)) return undefined;
  const entry = details.find((each) => isObject(each) && each['modality'] === modality);
  return isObject(entry) ? countOf(entry['tokenCount']) : undefined;
}

/** Grounding is billed by the search: https://ai.google.dev/gemini-api/docs/google-search#pricing */
function searchesOf(candidates: unknown): number | undefined {
  if (!isArray(candidates)) return undefined;
  let searches: number | undefined;
  for (const candidate of candidates) {
    const queries = objectOf(objectOf(candidate)?.['groundingMetadata'])?.['webSearchQueries'];
    if (isArray(queries) && queries.length > 0) searches = sum(searches, queries.length);
  }
  return searches;
}

/** Vertex says `ON_DEMAND_FLEX` for what is called `flex` here. */
function tierOf(value: unknown): unknown {
  return typeof value === 'string' ? value.toLowerCase().replace(/^on_demand_/, '') : undefined;
}
