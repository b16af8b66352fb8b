import { GatewayError } from '../../src/core/errors.ts';
import { anthropicMessages } from '../../src/dialects/anthropic-messages/index.ts';
import type { Wire } from '../../src/providers/provider.ts';
import { translateRequest } from '../../src/relay/request-translation.ts';
import { type Fate, FETCHED_MEDIA, type Feature } from './features.ts';

/** The wires that a request of Anthropic's form is translated to, each with a model. */
export const WIRES_OF_MESSAGES = [
  { wire: 'openai-chat', title: 'OpenAI’s form', model: 'gpt-5' },
  { wire: 'gemini-generate-content', title: 'Gemini', model: 'gemini-2.5-flash' },
  { wire: 'bedrock-converse', title: 'Bedrock (Nova)', model: 'amazon.nova-pro-v1:0' },
  { wire: 'cohere-chat', title: 'Cohere', model: 'command-a-reasoning-08-2025' },
] as const;

const hello = { role: 'user', content: 'Hello' };
const asked = (block: object) => ({ messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }, block] }] });
const source = (type: string) => ({ type: 'base64', media_type: type, data: 'SGVsbG8=' });
const weather = { name: 'f', input_schema: { type: 'object', properties: { n: { type: 'number' } } } };
const call = { type: 'tool_use', id: 'toolu_1', name: 'f', input: { n: 1 } };
const result = { type: 'tool_result', tool_use_id: 'toolu_1', content: 'ok' };
const loop = (more: object = {}) => ({
  tools: [weather],
  messages: [hello, { role: 'assistant', content: [call] }, { role: 'user', content: [{ ...result, ...more }] }],
});
const beside = { tools: [weather] };
const schema = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'], additionalProperties: false };
const marked = { type: 'text', text: 'Hello', cache_control: { type: 'ephemeral' } };

export const PLAIN_MESSAGES = { max_tokens: 4_000, messages: [hello] };

/** One letter a wire, in the order of WIRES_OF_MESSAGES. */
export const MESSAGE_FEATURES: readonly Feature[] = [
  { name: '`system`', body: { system: 'Be brief.' }, declared: 'cccc' },
  {
    name: 'the attribution line of Claude Code',
    body: { system: [{ type: 'text', text: 'x-anthropic-billing-header: cc_version=2;' }] },
    declared: 'llll',
  },
  { name: 'image as data', body: asked({ type: 'image', source: source('image/png') }), declared: 'cccc' },
  {
    name: 'image by URL',
    body: asked({ type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } }),
    declared: 'cccc',
  },
  { name: 'PDF as data', body: asked({ type: 'document', source: source('application/pdf') }), declared: 'cccr' },
  {
    name: 'PDF by URL',
    body: asked({ type: 'document', source: { type: 'url', url: 'https://example.com/a.pdf' } }),
    declared: 'cccr',
  },
  {
    name: 'document of text',
    body: asked({ type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'Hi' }, title: 'a' }),
    declared: 'cccc',
  },
  {
    name: 'search result',
    body: asked({ type: 'search_result', title: 'a', source: 'b', content: [{ type: 'text', text: 'c' }] }),
    declared: 'cccc',
  },
  { name: '`tools`', body: beside, declared: 'cccc' },
  { name: 'calls and their results', body: loop(), declared: 'cccc' },
  { name: '`is_error` of a result', body: loop({ is_error: true }), beside: loop(), declared: 'cccl' },
  {
    name: 'image in a result',
    body: loop({ content: [{ type: 'image', source: source('image/png') }] }),
    beside: loop(),
    declared: 'cccr',
  },
  {
    name: 'PDF in a result',
    body: loop({ content: [{ type: 'document', source: source('application/pdf') }] }),
    beside: loop(),
    declared: 'cccr',
  },
  { name: '`tool_choice: any`', body: { tool_choice: { type: 'any' } }, beside, declared: 'cccc' },
  { name: '`tool_choice: tool`', body: { tool_choice: { type: 'tool', name: 'f' } }, beside, declared: 'cccc' },
  { name: '`tool_choice: none`', body: { tool_choice: { type: 'none' } }, beside, declared: 'cccc' },
  {
    name: '`disable_parallel_tool_use`',
    body: { tool_choice: { type: 'auto', disable_parallel_tool_use: true } },
    beside: { ...beside, tool_choice: { type: 'auto' } },
    declared: 'clll',
  },
  {
    name: 'thinking of earlier turns, its own',
    body: {
      messages: [
        hello,
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'hm', signature: 'sluice.unsigned' },
            { type: 'text', text: 'a' },
          ],
        },
        hello,
      ],
    },
    beside: { messages: [hello, { role: 'assistant', content: [{ type: 'text', text: 'a' }] }, hello] },
    declared: 'cllc',
  },
  { name: '`thinking: enabled`', body: { thinking: { type: 'enabled', budget_tokens: 2_000 } }, declared: 'cccc' },
  { name: '`output_config.effort`', body: { output_config: { effort: 'low' } }, declared: 'cccc' },
  {
    name: '`output_config.format`',
    body: { output_config: { format: { type: 'json_schema', schema } } },
    declared: 'cccc',
  },
  { name: '`cache_control`', body: { messages: [{ role: 'user', content: [marked] }] }, declared: 'llcl' },
  { name: '`max_tokens`', body: { max_tokens: 7 }, declared: 'cccc' },
  { name: '`temperature`', body: { temperature: 0.5 }, declared: 'lccc' },
  { name: '`top_k`', body: { top_k: 3 }, declared: 'lccc' },
  { name: '`stop_sequences`', body: { stop_sequences: ['END'] }, declared: 'lccc' },
  { name: '`metadata.user_id`', body: { metadata: { user_id: 'u' } }, declared: 'clll' },
  { name: '`context_management`', body: { context_management: { edits: [] } }, declared: 'llll' },
  { name: '`service_tier`, `speed`', body: { service_tier: 'auto', speed: 'fast' }, declared: 'llll' },
  { name: '`inference_geo: us`', body: { inference_geo: 'us' }, declared: 'rrrr' },
  { name: '`mcp_servers`', body: { mcp_servers: [{ type: 'url', url: 'https://a', name: 'a' }] }, declared: 'rrrr' },
  { name: '`container`', body: { container: 'c' }, declared: 'rrrr' },
  {
    name: 'a search of the web (`web_search_…`)',
    body: { tools: [{ type: 'web_search_20250305', name: 'web_search' }] },
    declared: 'rcrr',
  },
  {
    name: 'other tools that Anthropic defines',
    body: { tools: [{ type: 'bash_20250124', name: 'bash' }] },
    declared: 'rrrr',
  },
  {
    name: 'blocks of Anthropic’s own tools',
    body: asked({ type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} }),
    declared: 'rrrr',
  },
];

/** As `fateOf` of a chat. */
export function messageFateOf({ body, beside: plain = {} }: Feature, wire: Wire, modelId: string): Fate {
  const made = sent({ ...PLAIN_MESSAGES, ...plain, ...body }, wire, modelId);
  if (made === undefined) return 'refused';
  return made === sent({ ...PLAIN_MESSAGES, ...plain }, wire, modelId) ? 'left out' : 'carried';
}

function sent(body: object, wire: Wire, modelId: string): string | undefined {
  const asks = {
    body: Buffer.from(JSON.stringify({ model: 'a/m', ...body })),
    cacheMarker: undefined,
    media: FETCHED_MEDIA,
  };
  const made = translateRequest(anthropicMessages.translation, wire.translation!, { id: 'a/m', modelId }, asks);
  if (!(made instanceof GatewayError)) return made.body.toString();
  if (made.code !== 'unsupported_parameter') throw made;
  return undefined;
}
