import { countOf, isArray, isObject, type JsonObject, objectOf } from '../../codec/json-value.ts';
import { servedAs } from '../../inference/served-as.ts';
import { addCounts, tellsAnything, type Usage } from '../../inference/usage.ts';
import type { RareCounts } from '../../inference/usage-counters.ts';

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
    for (const pass of value['iterations']) if (isObject(pass)) addPass(usage, pass);
  }
  if (!tellsAnything(usage)) return undefined;
  usage.servedAs = servedAs({
    serviceTier: value['service_tier'],
    speed: value['speed'],
    inferenceGeo: value['inference_geo'],
  });
  return usage;
}

/** Passes of the model itself are in the counts already; those of another one are billed at that one's rates. */
function addPass(usage: Usage, pass: JsonObject): void {
  if (pass['type'] === 'compaction') addCounts(usage, countsOf(pass));
  else if (pass['type'] !== 'message') addCounts(usage, { rare: { otherModelPasses: 1 } });
}

function countsOf(value: JsonObject): Usage {
  const input = countOf(value['input_tokens']);
  const cacheRead = countOf(value['cache_read_input_tokens']);
  const cacheCreation = countOf(value['cache_creation_input_tokens']);
  return {
    inputTokens: input === undefined ? undefined : total(input, cacheRead, cacheCreation),
    outputTokens: countOf(value['output_tokens']),
    cacheReadInputTokens: cacheRead,
    cacheCreationInputTokens: cacheCreation,
    cacheCreation1hInputTokens: countOf(objectOf(value['cache_creation'])?.['ephemeral_1h_input_tokens']),
    reasoningOutputTokens: countOf(objectOf(value['output_tokens_details'])?.['thinking_tokens']),
    rare: toolCounts(objectOf(value['server_tool_use'])),
  };
}

function total(input: number, ...cached: (number | undefined)[]): number {
  let all = input;
  for (const tokens of cached) if (tokens !== undefined) all += tokens;
  return all;
}

/** Fetching costs its tokens alone: https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-fetch-tool#pricing */
const FREE_TOOLS: ReadonlySet<string> = new Set(['web_fetch_requests', 'tool_search_requests']);

function toolCounts(tools: JsonObject | undefined): RareCounts | undefined {
  if (tools === undefined) return undefined;
  const rare: RareCounts = {};
  for (const [key, value] of Object.entries(tools)) {
    const requests = countOf(value);
    if (requests === undefined || requests === 0 || FREE_TOOLS.has(key)) continue;
    if (key === 'web_search_requests') rare.webSearchRequests = requests;
    else rare.toolRequests = rare.toolRequests === undefined ? requests : rare.toolRequests + requests;
  }
  return Object.keys(rare).length > 0 ? rare : undefined;
}
