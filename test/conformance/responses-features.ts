import { GatewayError } from '../../src/core/errors.ts';
import { carriedSummary, encryptedContent } from '../../src/dialects/openai-responses/carried-proofs.ts';
import { openAiResponses } from '../../src/dialects/openai-responses/index.ts';
import type { Wire } from '../../src/providers/provider.ts';
import { translateRequest } from '../../src/relay/request-translation.ts';
import { type Fate, FETCHED_MEDIA, type Feature } from './features.ts';

/** The wires that a response is asked through, each with a model. */
export const WIRES_OF_RESPONSES = [
  { wire: 'openai-chat', title: 'OpenAI’s chat', model: 'gpt-5' },
  { wire: 'anthropic-messages', title: 'Anthropic', model: 'claude-sonnet-4-5' },
  { wire: 'gemini-generate-content', title: 'Gemini', model: 'gemini-2.5-flash' },
  { wire: 'bedrock-converse', title: 'Bedrock (Nova)', model: 'amazon.nova-pro-v1:0' },
  { wire: 'cohere-chat', title: 'Cohere', model: 'command-a-reasoning-08-2025' },
] as const;

const hello = { type: 'message', role: 'user', content: 'Hello' };
const asked = (...parts: object[]) => ({
  input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hello' }, ...parts] }],
});
const behind = (...items: object[]) => ({ input: [hello, ...items, hello] });
const parameters = {
  type: 'object',
  properties: { n: { type: 'number' } },
  required: ['n'],
  additionalProperties: false,
};
const weather = { type: 'function', name: 'f', parameters, strict: true };
const beside = { tools: [weather] };
const call = { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{"n":1}' };
const result = { type: 'function_call_output', call_id: 'c1', output: 'ok' };
const reasoning = (encrypted_content: string | undefined) => ({
  type: 'reasoning',
  summary: [{ type: 'summary_text', text: 'So.' }],
  ...(encrypted_content !== undefined && { encrypted_content }),
});
const said = { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hi', annotations: [] }] };

export const PLAIN_RESPONSE = { input: [hello] };

/** One letter a wire, in the order of WIRES_OF_RESPONSES. */
export const RESPONSE_FEATURES: readonly Feature[] = [
  { name: '`instructions`', body: { instructions: 'Be brief.' }, declared: 'ccccc' },
  {
    name: 'image as data',
    body: asked({ type: 'input_image', image_url: 'data:image/png;base64,SGk=' }),
    declared: 'ccccc',
  },
  {
    name: 'image by URL',
    body: asked({ type: 'input_image', image_url: 'https://example.com/a.png' }),
    declared: 'ccccc',
  },
  {
    name: 'PDF as data',
    body: asked({ type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,SGk=' }),
    declared: 'ccccr',
  },
  {
    name: 'audio as data',
    body: asked({ type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } }),
    declared: 'crccr',
  },
  { name: 'function tools', body: beside, declared: 'ccccc' },
  { name: 'calls and their results', body: { ...beside, ...behind(call, result) }, beside, declared: 'ccccc' },
  { name: 'custom tools', body: { tools: [{ type: 'custom', name: 'patch' }] }, declared: 'ccccc' },
  { name: '`tool_choice: required`', body: { tool_choice: 'required' }, beside, declared: 'ccccc' },
  {
    name: '`tool_choice` of one function',
    body: { tool_choice: { type: 'function', name: 'f' } },
    beside,
    declared: 'ccccc',
  },
  {
    name: '`tool_choice: allowed_tools`',
    body: { tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'function', name: 'f' }] } },
    beside: { tools: [weather, { ...weather, name: 'g' }] },
    declared: 'ccccc',
  },
  { name: '`parallel_tool_calls: false`', body: { parallel_tool_calls: false }, beside, declared: 'cclll' },
  { name: '`web_search`', body: { tools: [{ type: 'web_search' }] }, declared: 'rccrr' },
  {
    name: '`code_interpreter`',
    body: { tools: [{ type: 'code_interpreter', container: { type: 'auto' } }] },
    declared: 'rrcrr',
  },
  {
    name: '`file_search`',
    body: { tools: [{ type: 'file_search', vector_store_ids: ['v'] }] },
    declared: 'rrrrr',
  },
  {
    name: '`mcp`',
    body: { tools: [{ type: 'mcp', server_label: 's', server_url: 'https://example.com/mcp' }] },
    declared: 'rrrrr',
  },
  { name: '`image_generation`', body: { tools: [{ type: 'image_generation' }] }, declared: 'rrrrr' },
  { name: '`shell`, `apply_patch`', body: { tools: [{ type: 'apply_patch' }] }, declared: 'rrrrr' },
  {
    name: 'tools of a namespace',
    body: { tools: [{ type: 'namespace', name: 'crm', description: 'CRM', tools: [weather] }] },
    declared: 'ccccc',
  },
  {
    name: 'reasoning that its vendor signed',
    body: behind(reasoning(encryptedContent({ text: 'So.', signature: 'U2ln' })), said),
    beside: behind(said),
    declared: 'cclll',
  },
  { name: 'reasoning of OpenAI', body: behind(reasoning('gAAAAABk'), said), beside: behind(said), declared: 'clllc' },
  {
    name: 'a compaction of the gateway',
    body: behind({ type: 'compaction', encrypted_content: carriedSummary('All.') }),
    beside: behind(),
    declared: 'ccccc',
  },
  {
    name: 'a compaction of OpenAI',
    body: behind({ type: 'compaction', encrypted_content: 'gAAAAABk' }),
    beside: behind(),
    declared: 'rrrrr',
  },
  {
    name: 'items of tools that a provider ran',
    body: behind({ type: 'web_search_call', id: 'ws_1', status: 'completed' }),
    beside: behind(),
    declared: 'lllll',
  },
  { name: '`reasoning.effort`', body: { reasoning: { effort: 'low' } }, declared: 'ccccc' },
  {
    name: '`text.format: json_schema`',
    body: { text: { format: { type: 'json_schema', name: 'n', schema: parameters, strict: true } } },
    declared: 'ccccc',
  },
  { name: '`text.verbosity`', body: { text: { verbosity: 'low' } }, declared: 'cllll' },
  { name: '`max_output_tokens`', body: { max_output_tokens: 77 }, declared: 'ccccc' },
  { name: '`temperature`', body: { temperature: 0.5 }, declared: 'lcccc' },
  { name: '`top_logprobs`', body: { top_logprobs: 2 }, declared: 'crcrr' },
  { name: '`user`', body: { user: 'u' }, declared: 'cclll' },
  { name: '`prompt_cache_key`', body: { prompt_cache_key: 'k' }, declared: 'cllll' },
  { name: '`service_tier`', body: { service_tier: 'flex' }, declared: 'clccl' },
  { name: '`truncation`', body: { truncation: 'auto' }, declared: 'lllll' },
  { name: '`max_tool_calls`', body: { max_tool_calls: 3 }, declared: 'lllll' },
  { name: '`include`', body: { include: ['reasoning.encrypted_content'] }, declared: 'lllll' },
  { name: '`safety_identifier`', body: { safety_identifier: 'u' }, declared: 'cclll' },
  { name: '`metadata`', body: { metadata: { a: 'b' } }, declared: 'cllcl' },
  { name: '`prompt`', body: { prompt: { id: 'pmpt_1' } }, declared: 'rrrrr' },
  { name: '`context_management`', body: { context_management: [{ type: 'compaction' }] }, declared: 'rrrrr' },
];

/** As `fateOf` of a chat. */
export function responseFateOf({ body, beside: plain = {} }: Feature, wire: Wire, modelId: string): Fate {
  const made = sent({ ...PLAIN_RESPONSE, ...plain, ...body }, wire, modelId);
  if (made === undefined) return 'refused';
  return made === sent({ ...PLAIN_RESPONSE, ...plain }, wire, modelId) ? 'left out' : 'carried';
}

function sent(body: object, wire: Wire, modelId: string): string | undefined {
  const asks = {
    body: Buffer.from(JSON.stringify({ model: 'a/m', ...body })),
    cacheMarker: undefined,
    media: FETCHED_MEDIA,
  };
  const made = translateRequest(openAiResponses.translation, wire.translation!, { id: 'a/m', modelId }, asks);
  if (!(made instanceof GatewayError)) return made.body.toString();
  if (made.code !== 'unsupported_parameter') throw made;
  return undefined;
}
