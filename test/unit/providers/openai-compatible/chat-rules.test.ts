import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import type { OrError } from '../../../../src/core/exchange.ts';
import { ChatScan } from '../../../../src/dialects/openai-chat/peek.ts';
import { splice } from '../../../../src/dialects/openai-chat/splice.ts';
import { plug as openai } from '../../../../src/providers/openai/index.ts';
import {
  chatRules,
  OPENAI_MODELS,
  TRANSLATIONS_ALONE,
} from '../../../../src/providers/openai-compatible/chat-rules.ts';
import { hostOf } from '../../../../src/providers/openai-compatible/hosts.ts';

/** What a host of the table gets of a request for one of its models; an error where it gets none. */
function sent(host: string, model: string, request: object, askUsage = false): OrError<Record<string, unknown>> {
  const body = Buffer.from(JSON.stringify({ model: 'account/alias', messages: [], ...request }));
  const scan = new ChatScan();
  scan.advance(body, body.length);
  const peeked = scan.result(body);
  assert.ok(!(peeked instanceof GatewayError));
  const rules = chatRules(hostOf(host)!, model);
  const spliced = splice(body, peeked, { modelId: model, askUsage, developerAsSystem: true, rules });
  if (spliced instanceof GatewayError) return spliced;
  return JSON.parse(Buffer.from(Array.isArray(spliced) ? Buffer.concat(spliced) : spliced).toString());
}

function parameters(host: string, model: string, request: object): object {
  const all = sent(host, model, request);
  assert.ok(!(all instanceof GatewayError), all instanceof GatewayError ? all.message : '');
  const { model: id, messages: _messages, ...rest } = all;
  assert.equal(id, model);
  return rest;
}

/** The messages that a host gets. */
function messages(host: string, model: string, list: readonly object[]): unknown {
  const all = sent(host, model, { messages: list });
  assert.ok(!(all instanceof GatewayError));
  return all['messages'];
}

/** What an OpenAI client of our own times sends, all of it harmless. */
const usual = {
  store: false,
  prompt_cache_key: 'k',
  safety_identifier: 's',
  verbosity: 'low',
  logprobs: false,
  n: 1,
  temperature: 0.5,
};

test('Groq gets no parameter that it answers with 400 to, unless it asks for something', () => {
  assert.deepEqual(parameters('groq', 'llama', { ...usual, logit_bias: {}, service_tier: 'flex' }), {
    n: 1,
    temperature: 0.5,
    service_tier: 'flex',
  });
  for (const asked of [{ logprobs: true }, { top_logprobs: 2 }, { logit_bias: { 50256: -100 } }]) {
    const refused = sent('groq', 'llama', asked);
    assert.ok(refused instanceof GatewayError);
    assert.equal(refused.code, 'unsupported_parameter');
    assert.equal(refused.status, 400);
    assert.equal(refused.context.param, Object.keys(asked)[0]);
  }
});

test('Mistral gets its own names, and nothing that it does not know', () => {
  const request = {
    ...usual,
    seed: 7,
    max_completion_tokens: 10,
    user: 'u',
    stream_options: { include_usage: true },
    tool_choice: 'required',
  };
  assert.deepEqual(parameters('mistral', 'm', request), {
    n: 1,
    temperature: 0.5,
    random_seed: 7,
    max_tokens: 10,
    tool_choice: 'required',
  });
});

test('the older limit of tokens wins at a host that knows it alone, and the newer with models that do', () => {
  const both = { max_tokens: 5, max_completion_tokens: 6 };
  assert.deepEqual(parameters('ai21', 'jamba', both), { max_tokens: 5 });
  assert.deepEqual(parameters('github-models', 'openai/gpt-5', both), { max_completion_tokens: 6 });
  assert.deepEqual(parameters('github-models', 'openai/gpt-5', { max_tokens: 5 }), { max_completion_tokens: 5 });
  assert.deepEqual(parameters('github-models', 'openai/gpt-4o', { max_tokens: 5 }), { max_tokens: 5 });
});

test('OpenAI’s reasoning models get the newer limit of tokens at OpenAI, and at no other address of such an account', () => {
  const rulesOf = (model: string, base_url?: string) => {
    const manifest = openai.schema.parse({ type: openai.type, name: 'a', base_url });
    return openai.open(manifest, new Map()).target(model)?.rules;
  };
  assert.ok(rulesOf('gpt-5-mini')?.parameters);
  assert.equal(rulesOf('gpt-4o')?.parameters, undefined);
  assert.equal(rulesOf('gpt-5-mini', 'https://vllm.example/v1'), undefined);
});

test('the effort of reasoning is said in the words of the model, or not at all', () => {
  const effort = (host: string, model: string, word: string) =>
    Reflect.get(parameters(host, model, { reasoning_effort: word }), 'reasoning_effort');
  assert.equal(effort('groq', 'openai/gpt-oss-20b', 'minimal'), 'low');
  assert.equal(effort('groq', 'openai/gpt-oss-20b', 'medium'), 'medium');
  assert.equal(effort('groq', 'qwen/qwen3-32b', 'high'), 'default');
  assert.equal(effort('moonshot', 'kimi-k3', 'medium'), 'high');
  assert.equal(effort('moonshot', 'kimi-k2.6', 'medium'), 'medium');
  assert.equal(effort('xai', 'grok-4-fast-reasoning', 'high'), undefined);
  assert.equal(effort('xai', 'grok-4.3', 'high'), 'high');
  assert.equal(effort('perplexity', 'sonar', 'none'), undefined);
  assert.equal(effort('deepseek', 'deepseek-flash', 'minimal'), 'minimal', 'DeepSeek maps its words itself');
});

test('sampling that a Kimi model has fixed is left out, and several answers are refused', () => {
  const sampling = { temperature: 0.2, top_p: 0.5, presence_penalty: 1, n: 1, stop: ['x'] };
  assert.deepEqual(parameters('moonshot', 'kimi-k2.6', sampling), { stop: ['x'] });
  assert.deepEqual(parameters('moonshot', 'moonshot-v1-8k', sampling), sampling);
  assert.ok(sent('moonshot', 'kimi-k3', { n: 2 }) instanceof GatewayError);
});

const earlier = [
  { role: 'developer', content: 'Be brief.' },
  { role: 'user', content: 'a', name: 'bob' },
  {
    role: 'assistant',
    content: 'b',
    refusal: null,
    annotations: [],
    audio: null,
    reasoning_content: 'Hmm.',
    thinking_blocks: [{ type: 'thinking', thinking: 'Hmm.', signature: 's' }],
  },
  { role: 'user', content: [{ type: 'text', text: 'c', refusal: 'kept' }] },
];
const plain = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'a' },
  { role: 'assistant', content: 'b' },
  earlier[3],
];

test('a host that refuses unknown keys of messages gets what an SDK sends back without them', () => {
  assert.deepEqual(messages('mistral', 'm', earlier), plain);
  assert.deepEqual(messages('groq', 'llama', earlier), plain);
});

test('earlier reasoning goes back in the key that the host reads, wherever it came from', () => {
  const back = (host: string, model: string, said: object) =>
    (messages(host, model, [{ role: 'assistant', content: 'b', ...said }]) as object[])[0];
  const content = { role: 'assistant', content: 'b' };
  assert.deepEqual(back('deepseek', 'deepseek-flash', { reasoning: 'r' }), { ...content, reasoning_content: 'r' });
  assert.deepEqual(back('deepseek', 'deepseek-flash', { reasoning: 'r', reasoning_content: 'c' }), {
    ...content,
    reasoning_content: 'c',
  });
  assert.deepEqual(back('groq', 'openai/gpt-oss-20b', { reasoning_content: 'r' }), { ...content, reasoning: 'r' });
  assert.deepEqual(back('groq', 'llama', { reasoning: 'r' }), content);
  assert.deepEqual(back('groq', 'qwen/qwen3-32b', { reasoning: 'r' }), { ...content, reasoning: 'r' });
  assert.deepEqual(back('dashscope', 'qwen-plus', { reasoning_content: 'r' }), content);
  const details = { reasoning: 'r', reasoning_details: [{ type: 'reasoning.text', text: 'r' }] };
  assert.deepEqual(back('openrouter', 'm', details), { ...content, ...details }, 'nothing is known to be refused');
});

test('parameters that rules leave out and those that the gateway asks for stand side by side', () => {
  for (const request of [
    { store: true, stream: true },
    { stream: true, store: true },
  ]) {
    const all = sent('cerebras', 'm', request, true);
    assert.deepEqual(all, { model: 'm', messages: [], stream: true, stream_options: { include_usage: true } });
  }
  const options = { stream: true, stream_options: { include_usage: false } };
  const asked = sent('mistral', 'm', options, true);
  assert.ok(!(asked instanceof GatewayError));
});

test('a parameter of a rule that stands twice is refused, since the host might read the other one', () => {
  const body = Buffer.from('{"model":"m","seed":1,"messages":[],"seed":2}');
  const scan = new ChatScan();
  scan.advance(body, body.length);
  const peeked = scan.result(body);
  assert.ok(!(peeked instanceof GatewayError));
  const rules = chatRules(hostOf('mistral')!, 'm');
  const spliced = splice(body, peeked, { modelId: 'm', askUsage: false, developerAsSystem: false, rules });
  assert.ok(spliced instanceof GatewayError);
  assert.equal(spliced.code, 'ambiguous_parameter');
  assert.equal(spliced.context.param, 'seed');
});

test('each field that our translations have in messages is in the docs, and is taken out for models of OpenAI', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/providers.md'), 'utf8');
  for (const key of TRANSLATIONS_ALONE) assert.ok(page.includes(`\`${key}\``), key);
  const rules = chatRules(OPENAI_MODELS, 'gpt-5');
  const message = Buffer.from(`[{${TRANSLATIONS_ALONE.map((key) => `"${key}":[]`).join()},"role":"assistant"}]`);
  const edits = rules?.messages?.ofObjects(message, 0, message.length);
  assert.ok(Array.isArray(edits) && edits.length === TRANSLATIONS_ALONE.length);
  assert.equal(rules?.maxToolCallIdCharacters, 40);
});
