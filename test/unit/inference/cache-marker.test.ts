import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import { openAiChat } from '../../../src/dialects/openai-chat/index.ts';
import type { CacheMarker } from '../../../src/inference/cache-marker.ts';
import { allPlugs, wiresOf } from '../../../src/plugs.ts';
import { translateRequest } from '../../../src/relay/request-translation.ts';

const WIRES = wiresOf(allPlugs());

const f = { type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } };
const call = { id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } };
const conversation = {
  tools: [f, { ...f, function: { ...f.function, name: 'g' } }],
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hello' },
    { role: 'assistant', content: null, tool_calls: [call] },
    { role: 'tool', tool_call_id: 'a', content: 'ok' },
  ],
};

function sent(wireName: string, modelId: string, body: object, cacheMarker: CacheMarker | undefined) {
  const wire = WIRES.find(({ name }) => name === wireName);
  assert.ok(openAiChat.translation && wire?.translation);
  const asked = { body: Buffer.from(JSON.stringify(body)), cacheMarker };
  const made = translateRequest(openAiChat.translation, wire.translation, { id: 'a/m', modelId }, asked);
  assert.ok(!(made instanceof GatewayError), made instanceof GatewayError ? made.message : '');
  return JSON.parse(made.body.toString());
}

const CLAUDE = 'claude-sonnet-4-5';
const BEDROCK_CLAUDE = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0';
const hour: CacheMarker = { type: 'ephemeral', ttl: '1h' };

test('a wish for caching marks the ends of tools, system message and conversation for Anthropic', () => {
  const body = sent('anthropic-messages', CLAUDE, conversation, hour);
  assert.deepEqual([body.tools[0].cache_control, body.tools[1].cache_control], [undefined, hour]);
  assert.deepEqual(body.system.at(-1).cache_control, hour);
  assert.deepEqual(body.messages.at(-1).content.at(-1).cache_control, hour);
  assert.equal(JSON.stringify(body).split('cache_control').length - 1, 3);
});

test('a wish for caching becomes cache points where a model on Bedrock takes them, with a lifetime only for Claude', () => {
  const claude = sent('bedrock-converse', BEDROCK_CLAUDE, conversation, hour);
  const point = { cachePoint: { type: 'default', ttl: '1h' } };
  assert.deepEqual(claude.toolConfig.tools.at(-1), point);
  assert.deepEqual([claude.system.at(-1), claude.messages.at(-1).content.at(-1)], [point, point]);
  const nova = sent('bedrock-converse', 'amazon.nova-pro-v1:0', conversation, hour);
  assert.deepEqual(nova.system.at(-1), { cachePoint: { type: 'default' } });
  assert.doesNotMatch(JSON.stringify(sent('bedrock-converse', 'meta.llama3', conversation, hour)), /cachePoint/);
});

test('neither a wish for caching nor a client’s own marker changes the request to a provider that knows no markers', () => {
  const { messages } = conversation;
  const own = { ...conversation, messages: [{ ...messages[0], cache_control: hour }, ...messages.slice(1)] };
  for (const [wire, model] of [
    ['gemini-generate-content', 'gemini-2.5-flash'],
    ['cohere-chat', 'command-a-03-2025'],
    ['bedrock-converse', 'meta.llama3'],
  ] as const) {
    const plain = sent(wire, model, conversation, undefined);
    assert.deepEqual(sent(wire, model, conversation, hour), plain);
    assert.deepEqual(sent(wire, model, own, undefined), plain);
  }
});

test('a client that marks something itself gets no further markers', () => {
  const marked = { type: 'text', text: 'Hello', cache_control: { type: 'ephemeral' } };
  const body = sent('anthropic-messages', CLAUDE, { messages: [{ role: 'user', content: [marked] }] }, hour);
  assert.deepEqual(body.messages[0].content, [marked]);
  assert.equal(JSON.stringify(body).split('cache_control').length - 1, 1);
});

test('reasoning and blank texts are not marked: the last part that can be is', () => {
  const messages = [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Hello' },
        { type: 'text', text: ' ' },
      ],
    },
    { role: 'assistant', content: null, reasoning_content: 'Hm' },
  ];
  const body = sent('anthropic-messages', CLAUDE, { messages }, { type: 'ephemeral' });
  assert.deepEqual(body.messages[0].content, [{ type: 'text', text: 'Hello', cache_control: { type: 'ephemeral' } }]);
});
