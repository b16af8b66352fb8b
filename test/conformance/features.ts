import { GatewayError } from '../../src/core/errors.ts';
import { openAiChat } from '../../src/dialects/openai-chat/index.ts';
import type { CacheMarker } from '../../src/inference/cache-marker.ts';
import type { Wire } from '../../src/providers/provider.ts';
import { translateRequest } from '../../src/relay/request-translation.ts';

/**
 * What becomes of a part of a chat request on its way to a provider of another form: its form says it, or it is harmless
 * and left out, or the client gets a 400 that names it. `features.test.ts` tries each; docs/providers.md shows the table.
 */
export type Fate = 'carried' | 'left out' | 'refused';

export interface Feature {
  readonly name: string;
  /** What the request has beside a plain one. */
  readonly body: object;
  /** What that needs to mean anything; the plain request has it as well. */
  readonly beside?: object;
  readonly cacheMarker?: CacheMarker;
  /** One letter a wire, in the order of WIRES_OF_TABLE: `c`arried, `l`eft out, `r`efused. */
  readonly declared: string;
}

/** The translated wires, each with a model; where models of one wire differ, with two. */
export const WIRES_OF_TABLE = [
  { wire: 'anthropic-messages', title: 'Anthropic', model: 'claude-sonnet-4-5' },
  { wire: 'gemini-generate-content', title: 'Gemini', model: 'gemini-2.5-flash' },
  { wire: 'bedrock-converse', title: 'Bedrock (Claude)', model: 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0' },
  { wire: 'bedrock-converse', title: 'Bedrock (Nova)', model: 'amazon.nova-pro-v1:0' },
  { wire: 'cohere-chat', title: 'Cohere', model: 'command-a-reasoning-08-2025' },
] as const;

const FATES: Readonly<Record<string, Fate>> = { c: 'carried', l: 'left out', r: 'refused' };

const hello = { role: 'user', content: 'Hello' };
const asked = (part: object) => ({ messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }, part] }] });
const image = (url: string) => asked({ type: 'image_url', image_url: { url } });
const file = (filename: string, type: string) =>
  asked({ type: 'file', file: { filename, file_data: `data:${type};base64,SGVsbG8=` } });
const f = {
  type: 'function',
  function: { name: 'f', parameters: { type: 'object', properties: { n: { type: 'number' } } } },
};
const call = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{"n":1}' } };
const result = { role: 'tool', tool_call_id: 'call_1', content: 'ok' };
const beside = { tools: [f] };
const schema = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'], additionalProperties: false };

function nameOf({ type, function: { name } }: typeof f): object {
  return { type, function: { name } };
}

/** A request that changes nothing of these is compared with one that does. */
export const PLAIN = { messages: [hello] };

export const FEATURES: readonly Feature[] = [
  { name: 'system message', body: { messages: [{ role: 'system', content: 'Be brief.' }, hello] }, declared: 'ccccc' },
  {
    name: 'developer message',
    body: { messages: [{ role: 'developer', content: 'Be brief.' }, hello] },
    declared: 'ccccc',
  },
  { name: 'image as data', body: image('data:image/png;base64,AAAA'), declared: 'ccccc' },
  { name: 'image by URL', body: image('https://example.com/a.png'), declared: 'ccccc' },
  {
    name: 'audio input',
    body: asked({ type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }),
    declared: 'rcccr',
  },
  { name: 'PDF as data', body: file('a.pdf', 'application/pdf'), declared: 'ccccr' },
  { name: 'text file as data', body: file('a.txt', 'text/plain'), declared: 'ccccc' },
  { name: 'tools', body: { tools: [f] }, declared: 'ccccc' },
  {
    name: 'calls and their results',
    body: { tools: [f], messages: [hello, { role: 'assistant', tool_calls: [call] }, result] },
    declared: 'ccccc',
  },
  { name: '`tool_choice: required`', body: { tool_choice: 'required' }, beside, declared: 'ccccc' },
  { name: '`tool_choice: none`', body: { tool_choice: 'none' }, beside, declared: 'ccccc' },
  {
    name: '`tool_choice` of one function',
    body: { tool_choice: { type: 'function', function: { name: 'f' } } },
    beside,
    declared: 'ccccc',
  },
  { name: '`parallel_tool_calls: false`', body: { parallel_tool_calls: false }, beside, declared: 'cllll' },
  { name: '`response_format: json_object`', body: { response_format: { type: 'json_object' } }, declared: 'rcrrc' },
  {
    name: '`response_format: json_schema`',
    body: { response_format: { type: 'json_schema', json_schema: { name: 'n', schema } } },
    declared: 'ccccc',
  },
  { name: '`reasoning_effort`', body: { reasoning_effort: 'low' }, beside: { max_tokens: 4000 }, declared: 'ccccc' },
  { name: '`x-tfy-cache-control`', body: {}, cacheMarker: { type: 'ephemeral' }, declared: 'clccl' },
  { name: '`max_tokens`', body: { max_tokens: 7 }, declared: 'ccccc' },
  { name: '`temperature`', body: { temperature: 0.5 }, declared: 'ccccc' },
  { name: '`top_k`', body: { top_k: 3 }, declared: 'ccccc' },
  { name: '`stop`', body: { stop: ['END'] }, declared: 'ccccc' },
  { name: '`seed`', body: { seed: 7 }, declared: 'lcllc' },
  { name: '`frequency_penalty`', body: { frequency_penalty: 0.5 }, declared: 'lcllc' },
  { name: '`logprobs`', body: { logprobs: true }, declared: 'rcrrc' },
  { name: '`n: 2`', body: { n: 2 }, declared: 'rcrrr' },
  { name: '`logit_bias`', body: { logit_bias: { 1: 2 } }, declared: 'rrrrr' },
  { name: '`user`', body: { user: 'u-1' }, declared: 'cllll' },
  { name: '`metadata`', body: { metadata: { team: 'a' } }, declared: 'llccl' },
  { name: '`service_tier: flex`', body: { service_tier: 'flex' }, declared: 'lcccl' },
  { name: '`service_tier: default`', body: { service_tier: 'default' }, declared: 'ccccl' },
  { name: '`top_p`', body: { top_p: 0.5 }, declared: 'ccccc' },
  { name: '`max_completion_tokens`', body: { max_completion_tokens: 7 }, declared: 'ccccc' },
  { name: '`presence_penalty`', body: { presence_penalty: 0.5 }, declared: 'lcllc' },
  { name: '`top_logprobs`', body: { logprobs: true, top_logprobs: 2 }, declared: 'rcrrr' },
  { name: '`prediction`', body: { prediction: { type: 'content', content: 'x' } }, declared: 'lllll' },
  { name: '`verbosity`', body: { verbosity: 'low' }, declared: 'lllll' },
  { name: '`store`', body: { store: true }, declared: 'lllll' },
  { name: '`prompt_cache_key`', body: { prompt_cache_key: 'k' }, declared: 'lllll' },
  { name: '`prompt_cache_options`', body: { prompt_cache_options: { mode: 'explicit' } }, declared: 'lllll' },
  { name: '`prompt_cache_retention`', body: { prompt_cache_retention: '24h' }, declared: 'lllll' },
  { name: '`safety_identifier`', body: { safety_identifier: 's' }, declared: 'cllll' },
  { name: '`web_search_options`', body: { web_search_options: {} }, declared: 'rcrrr' },
  { name: '`moderation`', body: { moderation: { model: 'omni-moderation-latest' } }, declared: 'rrrrr' },
  { name: '`functions`', body: { functions: [f.function] }, declared: 'rrrrr' },
  { name: '`function_call`', body: { function_call: 'auto' }, declared: 'rrrrr' },
  {
    name: 'tools of type `custom`',
    body: { tools: [{ type: 'custom', custom: { name: 'c' } }] },
    declared: 'rrrrr',
  },
  {
    name: '`tool_choice: allowed_tools`',
    body: { tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [nameOf(f)] } } },
    beside,
    declared: 'ccccc',
  },
  {
    name: '`audio`',
    body: { modalities: ['text', 'audio'], audio: { voice: 'Kore', format: 'wav' } },
    declared: 'rcrrr',
  },
  { name: '`modalities: [audio]`', body: { modalities: ['text', 'audio'] }, declared: 'rcrrr' },
];

/** What a feature of a request is declared to become; undefined where nothing is declared. */
export function declaredFate({ declared }: Feature, column: number): Fate | undefined {
  return FATES[declared[column] ?? ''];
}

/** What it becomes. Left out: the request is the same as without it. */
export function fateOf({ body, beside = {}, cacheMarker }: Feature, wire: Wire, modelId: string): Fate {
  const made = sent({ ...PLAIN, ...beside, ...body }, wire, modelId, cacheMarker);
  if (made === undefined) return 'refused';
  return made === sent({ ...PLAIN, ...beside }, wire, modelId, undefined) ? 'left out' : 'carried';
}

/** What the relay fetches for providers that take bytes alone. */
export const FETCHED_MEDIA = new Map([
  ['https://example.com/a.png', { bytes: Buffer.from('png'), mediaType: 'image/png' }],
  ['https://example.com/a.pdf', { bytes: Buffer.from('%PDF-'), mediaType: 'application/pdf' }],
]);

function sent(body: object, wire: Wire, modelId: string, cacheMarker: CacheMarker | undefined): string | undefined {
  const asks = { body: Buffer.from(JSON.stringify({ model: 'a/m', ...body })), cacheMarker, media: FETCHED_MEDIA };
  const made = translateRequest(openAiChat.translation!, wire.translation!, { id: 'a/m', modelId }, asks);
  if (!(made instanceof GatewayError)) return made.body.toString();
  if (made.code !== 'unsupported_parameter') throw made;
  return undefined;
}
