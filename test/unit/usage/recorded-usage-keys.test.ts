import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SERVED_TERMS, type TermName } from '../../../src/inference/served-as.ts';
import { countIn, mergeUsage, type Usage } from '../../../src/inference/usage.ts';
import { COUNTER_NAMES, type CounterName } from '../../../src/inference/usage-counters.ts';
import { allPlugs } from '../../../src/plugs.ts';
import { noRecordings, recordedProviders, recordings } from '../../support/recordings.ts';

const PLUGS = allPlugs();

/*
 * Every key that occurs in a usage object of the recordings, and what it means. A provider that bills something new does
 * so under a new key: it is found here before anybody is billed less than was used.
 */

type Meaning =
  | { readonly counts: CounterName | readonly CounterName[] }
  | { readonly term: TermName }
  /** What the provider billed. */
  | { readonly cost: true }
  /** Billed, but as a part of a counter, at the same rate. */
  | { readonly partOf: CounterName }
  /** Says again, or adds up, what other keys tell. */
  | { readonly again: string }
  | { readonly notBilled: string };

const counts = (...names: CounterName[]): Meaning => ({ counts: names });
const again = (of: string): Meaning => ({ again: of });
const notBilled = (what: string): Meaning => ({ notBilled: what });
const cost: Meaning = { cost: true };
const input: Meaning = { partOf: 'inputTokens' };
const output: Meaning = { partOf: 'outputTokens' };

const MEANINGS: Readonly<Record<string, Meaning>> = {
  // Chat completions, embeddings, and those who speak them.
  prompt_tokens: counts('inputTokens'),
  completion_tokens: counts('outputTokens'),
  total_tokens: again('the sum'),
  'prompt_tokens_details.cached_tokens': counts('cacheReadInputTokens'),
  'prompt_tokens_details.audio_tokens': counts('audioInputTokens'),
  'prompt_tokens_details.image_tokens': counts('imageInputTokens'),
  'prompt_tokens_details.video_tokens': counts('videoInputTokens'),
  'prompt_tokens_details.text_tokens': input,
  'prompt_tokens_details.cache_write_tokens': counts('cacheCreationInputTokens'),
  prompt_tokens_details: again('null: nothing is told'),
  prompt_token_details: again('null: nothing is told'),
  prompt_cache_hit_tokens: counts('cacheReadInputTokens'),
  prompt_cache_miss_tokens: input,
  audio_prompt_tokens: counts('audioInputTokens'),
  prompt_audio_seconds: counts('audioInputMs'),
  'completion_tokens_details.reasoning_tokens': counts('reasoningOutputTokens'),
  'completion_tokens_details.audio_tokens': counts('audioOutputTokens'),
  'completion_tokens_details.image_tokens': counts('imageOutputTokens'),
  'completion_tokens_details.text_tokens': output,
  'completion_tokens_details.accepted_prediction_tokens': output,
  'completion_tokens_details.rejected_prediction_tokens': output,
  completion_tokens_details: again('null: nothing is told'),
  num_sources_used: counts('searchSources'),
  num_server_side_tools_used: counts('toolRequests'),
  request_count: notBilled('requests of a batch'),
  service_tier: { term: 'serviceTier' },
  cost,
  is_byok: cost,
  'cost_details.upstream_inference_cost': cost,
  'cost_details.upstream_inference_prompt_cost': again('part of the upstream cost'),
  'cost_details.upstream_inference_completions_cost': again('part of the upstream cost'),
  'server_tool_use_details.web_search_requests': counts('webSearchRequests'),
  cost_in_usd_ticks: cost,
  'cost.total_cost': cost,
  'cost.currency': cost,
  'cost.input_tokens_cost': again('part of the total cost'),
  'cost.output_tokens_cost': again('part of the total cost'),
  'cost.request_cost': again('part of the total cost'),
  'cost.input_cost': again('part of the total cost'),
  search_context_size: again('part of the total cost'),
  draft_tokens: notBilled('speculation of the engine'),
  draft_tokens_acceptance: notBilled('speculation of the engine'),
  prompt_tokens_per_second: notBilled('speed'),
  tokens_per_second: notBilled('speed'),
  time_per_output_token_ms: notBilled('speed'),
  time_to_first_token_ms: notBilled('speed'),
  'latency_checkpoint.engine_tbt_ms': notBilled('speed'),
  'latency_checkpoint.engine_ttft_ms': notBilled('speed'),
  'latency_checkpoint.engine_ttlt_ms': notBilled('speed'),
  'latency_checkpoint.pre_inference_ms': notBilled('speed'),
  'latency_checkpoint.service_tbt_ms': notBilled('speed'),
  'latency_checkpoint.service_ttft_ms': notBilled('speed'),
  'latency_checkpoint.service_ttlt_ms': notBilled('speed'),
  'latency_checkpoint.total_duration_ms': notBilled('speed'),
  'latency_checkpoint.user_visible_ttft_ms': notBilled('speed'),
  // Messages; input_tokens also of responses and transcriptions.
  input_tokens: counts('inputTokens'),
  output_tokens: counts('outputTokens'),
  cache_creation_input_tokens: counts('cacheCreationInputTokens', 'inputTokens'),
  cache_read_input_tokens: counts('cacheReadInputTokens', 'inputTokens'),
  'cache_creation.ephemeral_5m_input_tokens': again('cache_creation_input_tokens'),
  'cache_creation.ephemeral_1h_input_tokens': counts('cacheCreation1hInputTokens'),
  inference_geo: { term: 'inferenceGeo' },
  'server_tool_use.web_search_requests': counts('webSearchRequests'),
  'server_tool_use.web_fetch_requests': notBilled('but for the tokens that were fetched'),
  'output_tokens_details.thinking_tokens': counts('reasoningOutputTokens'),
  'iterations[].type': again('which of the passes are in the counts'),
  'iterations[].input_tokens': counts('inputTokens'),
  'iterations[].output_tokens': counts('outputTokens'),
  'iterations[].cache_read_input_tokens': counts('cacheReadInputTokens', 'inputTokens'),
  'iterations[].cache_creation_input_tokens': counts('cacheCreationInputTokens', 'inputTokens'),
  'iterations[].cache_creation.ephemeral_5m_input_tokens': again('cache_creation_input_tokens'),
  'iterations[].cache_creation.ephemeral_1h_input_tokens': counts('cacheCreation1hInputTokens'),
  // Generate content.
  promptTokenCount: counts('inputTokens'),
  candidatesTokenCount: counts('outputTokens'),
  totalTokenCount: again('the sum'),
  cachedContentTokenCount: counts('cacheReadInputTokens'),
  thoughtsTokenCount: counts('reasoningOutputTokens', 'outputTokens'),
  toolUsePromptTokenCount: counts('inputTokens'),
  'promptTokensDetails[].modality': again('which tokens the next key counts'),
  'promptTokensDetails[].tokenCount': input,
  'promptTokenDetails[].modality': again('which tokens the next key counts'),
  'promptTokenDetails[].tokenCount': input,
  'cacheTokensDetails[].modality': again('which tokens the next key counts'),
  'cacheTokensDetails[].tokenCount': again('cachedContentTokenCount'),
  'candidatesTokensDetails[].modality': again('which tokens the next key counts'),
  'candidatesTokensDetails[].tokenCount': output,
  'toolUsePromptTokensDetails[].modality': again('which tokens the next key counts'),
  'toolUsePromptTokensDetails[].tokenCount': again('toolUsePromptTokenCount'),
  serviceTier: { term: 'serviceTier' },
  trafficType: { term: 'serviceTier' },
  // Responses, Converse, Cohere, rerank: no wire of ours reads them yet.
  'input_tokens_details.cached_tokens': counts('cacheReadInputTokens'),
  'input_tokens_details.cache_write_tokens': counts('cacheCreationInputTokens'),
  'output_tokens_details.reasoning_tokens': counts('reasoningOutputTokens'),
  'context_details.input_tokens': again('input_tokens'),
  'context_details.output_tokens': again('output_tokens'),
  'server_side_tool_usage_details.web_search_calls': counts('webSearchRequests'),
  'server_side_tool_usage_details.x_search_calls': counts('toolRequests'),
  'server_side_tool_usage_details.code_interpreter_calls': counts('toolRequests'),
  'server_side_tool_usage_details.file_search_calls': counts('toolRequests'),
  'server_side_tool_usage_details.mcp_calls': counts('toolRequests'),
  'server_side_tool_usage_details.document_search_calls': counts('toolRequests'),
  'server_side_tool_usage_details.image_generation_calls': counts('toolRequests'),
  inputTokens: counts('inputTokens'),
  outputTokens: counts('outputTokens'),
  totalTokens: again('the sum'),
  cacheReadInputTokens: counts('cacheReadInputTokens'),
  cacheReadInputTokenCount: again('cacheReadInputTokens'),
  cacheWriteInputTokens: counts('cacheCreationInputTokens'),
  cacheWriteInputTokenCount: again('cacheWriteInputTokens'),
  'cacheDetails[].inputTokens': counts('cacheCreation1hInputTokens'),
  'cacheDetails[].ttl': again('which of the writes were for an hour'),
  'billed_units.input_tokens': counts('billedInputTokens'),
  'billed_units.output_tokens': counts('billedOutputTokens'),
  'billed_units.image_tokens': counts('imageInputTokens'),
  'billed_units.search_units': counts('searchUnits'),
  'tokens.input_tokens': counts('inputTokens'),
  'tokens.output_tokens': counts('outputTokens'),
  'tokens.reasoning_tokens': counts('reasoningOutputTokens'),
  'tokens.image_tokens': counts('imageInputTokens'),
  cached_tokens: counts('cacheReadInputTokens'),
  type: again('whether tokens or seconds are told'),
  seconds: counts('audioInputMs'),
  'input_token_details.text_tokens': input,
  'input_token_details.audio_tokens': counts('audioInputTokens'),
};

const USAGE_KEYS = new Set(['usage', 'usageMetadata', 'billed_units']);

/** Paths of all keys in every usage object of a JSON value. */
function usagePaths(value: unknown, path: string, within: boolean, found: Set<string>): void {
  if (Array.isArray(value)) {
    for (const each of value) usagePaths(each, within ? `${path}[]` : path, within, found);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      const begins = !within && USAGE_KEYS.has(key);
      const at = begins ? (key === 'billed_units' ? key : '') : path === '' ? key : `${path}.${key}`;
      usagePaths(inner, within || begins ? at : '', within || begins, found);
    }
  } else if (within && path !== '') found.add(path);
}

function jsonOf(body: string): unknown[] {
  try {
    return [JSON.parse(body)];
  } catch {
    // A stream, or lines of JSON.
    return body.split(/\r?\n/).flatMap((line) => {
      try {
        return [JSON.parse(line.replace(/^data: ?/, ''))];
      } catch {
        return [];
      }
    });
  }
}

test('no recorded usage object has a key whose meaning for the bill is not known', { skip: noRecordings }, () => {
  const found = new Set<string>();
  for (const { response } of [...recordedProviders, 'bedrock', 'deepgram'].flatMap(recordings))
    if (response.body) for (const json of jsonOf(response.body)) usagePaths(json, '', false, found);
  assert.ok(found.size > 80, `${found.size} keys`);
  assert.deepEqual([...found].filter((path) => MEANINGS[path] === undefined).sort(), []);
});

/** The least usage objects of each wire of ours, to which a key is added. */
const LEAST: Readonly<Record<string, object>> = {
  'openai-chat': { prompt_tokens: 100, completion_tokens: 100 },
  'anthropic-messages': { input_tokens: 100, output_tokens: 100 },
  'gemini-generate-content': { promptTokenCount: 100, candidatesTokenCount: 100 },
};

function withKey(usage: object, path: string, value: unknown): object {
  const [key = '', ...rest] = path.split('.');
  const inner = rest.length === 0 ? value : withKey({}, rest.join('.'), value);
  if (!key.endsWith('[]')) return { ...usage, [key]: inner };
  return { ...usage, [key.slice(0, -2)]: [{ type: 'compaction', input_tokens: 0, ...Object(inner) }] };
}

const wires = [...new Set(PLUGS.flatMap((plug) => plug.wires))].filter(({ name }) => LEAST[name] !== undefined);
/** Which wire has the key; the rest are of wires to come. */
const OF_WIRE: Readonly<Record<string, RegExp>> = {
  'openai-chat': /^(prompt_|completion_|num_|audio_prompt|service_tier|server_tool_use_details|cached_tokens)/,
  'anthropic-messages':
    /^(input_tokens$|output_tokens$|cache_|inference_geo|service_tier|server_tool_use\.|output_tokens_details\.thinking|iterations)/,
  'gemini-generate-content': /TokenCount$|^serviceTier|^trafficType/,
};

for (const wire of wires) {
  const read = (usage: object): Usage => {
    const counted: Usage = {};
    mergeUsage(counted, wire.toUsage(usage, { usage }) ?? {});
    return counted;
  };
  const least = LEAST[wire.name]!;
  for (const [path, meaning] of Object.entries(MEANINGS)) {
    if (!OF_WIRE[wire.name]!.test(path)) continue;
    if ('counts' in meaning) {
      test(`${wire.name}: what ${path} tells is counted, once`, () => {
        const plain = read(least);
        const inMs = path.endsWith('_seconds');
        const told = read(withKey(least, path, 9));
        const names = [meaning.counts].flat();
        for (const name of COUNTER_NAMES) {
          const known = countIn(plain, name);
          const isWhole = known === 100 && path in least;
          const expected = !names.includes(name) ? known : isWhole ? 9 : (known ?? 0) + (inMs ? 9000 : 9);
          assert.equal(countIn(told, name), expected, name);
        }
      });
    } else if ('term' in meaning) {
      test(`${wire.name}: what ${path} tells is kept, unless it is the provider’s default`, () => {
        assert.equal(read(withKey(least, path, 'Special-1')).servedAs?.[meaning.term], 'special-1');
        for (const value of SERVED_TERMS[meaning.term].standard)
          assert.equal(read(withKey(least, path, value)).servedAs, undefined);
      });
    }
  }
}
