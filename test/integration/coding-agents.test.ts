import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { disposeAfter } from '../support/dispose-after.ts';
import { fiveAccounts, startFiveProviders, TRANSLATED } from '../support/five-providers.ts';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import type { FakeProvider } from '../support/provider.ts';

/*
 * Requests as Claude Code 2.1.332, Codex 0.171.0 and an agent of OpenAI's form write them, in small: a turn that calls a
 * tool, and the turn with its result, over each provider. The clients themselves are in docs/clients.md.
 */

let provider: FakeProvider;
let gateway: RunningGateway;

before(async () => {
  provider = await startFiveProviders();
  gateway = await startGateway({ manifests: fiveAccounts(provider) });
});
disposeAfter(() => [gateway, provider]);

const SESSION = '0b291548-34cb-46a4-be0e-32c82d397294';
const schema = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
};
const QUESTION = 'How is the weather in Bern?';
const RESULT = '12 degrees';

// biome-ignore lint/suspicious/noExplicitAny: as JSON.parse gives it.
type Json = any;

interface Agent {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The body of a turn behind all items so far. */
  body(model: string, items: readonly Json[]): object;
  readonly question: Json;
  /** Items of the answer that go back, and the id of its one call. */
  read(events: readonly Json[]): { items: Json[]; callId: string | undefined; text: string };
  result(callId: string): Json;
}

const claudeCode: Agent = {
  path: '/v1/messages?beta=true',
  headers: {
    'x-claude-code-session-id': SESSION,
    'anthropic-version': '2023-06-01',
    'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27',
    'user-agent': 'claude-cli/2.1.332 (external, sdk-cli)',
    'x-app': 'cli',
    'anthropic-dangerous-direct-browser-access': 'true',
  },
  body: (model, messages) => ({
    model,
    messages,
    system: [
      { type: 'text', text: 'x-anthropic-billing-header: cc_version=2.1.332.18b; cc_entrypoint=sdk-cli;' },
      { type: 'text', text: 'You are an agent.', cache_control: { type: 'ephemeral' } },
      { type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral', ttl: '1h' } },
    ],
    tools: [
      { name: 'weather', description: 'of a city', input_schema: schema },
      { name: 'DeferredToolPlaceholder', description: 'Later.', input_schema: schema, defer_loading: true },
    ],
    metadata: { user_id: JSON.stringify({ device_id: 'd'.repeat(64), account_uuid: '', session_id: SESSION }) },
    max_tokens: 32_000,
    thinking: { budget_tokens: 31_999, type: 'enabled', display: 'omitted' },
    context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
    stream: true,
  }),
  question: { role: 'user', content: [{ type: 'text', text: QUESTION, cache_control: { type: 'ephemeral' } }] },
  read(events) {
    const content: Json[] = [];
    let written = '';
    for (const { type, index, content_block: block, delta } of events) {
      if (type === 'content_block_start') {
        content[index] = { ...block };
        written = '';
      } else if (type === 'content_block_delta') {
        const into = content[index];
        if (delta.type === 'text_delta') into.text += delta.text;
        else if (delta.type === 'thinking_delta') into.thinking += delta.thinking;
        else if (delta.type === 'signature_delta') into.signature = delta.signature;
        else if (delta.type === 'input_json_delta') written += delta.partial_json;
      } else if (type === 'content_block_stop' && written !== '') content[index].input = JSON.parse(written);
    }
    assert.equal(events.at(-1).type, 'message_stop');
    const call = content.find(({ type }) => type === 'tool_use');
    const text = content.flatMap(({ text: said }) => said ?? []).join('');
    return { items: [{ role: 'assistant', content }], callId: call?.id, text };
  },
  result: (id) => ({
    role: 'user',
    content: [{ tool_use_id: id, type: 'tool_result', content: RESULT, is_error: false }],
  }),
};

const codex: Agent = {
  path: '/v1/responses',
  headers: {
    'session-id': SESSION,
    'thread-id': SESSION,
    'x-client-request-id': SESSION,
    originator: 'codex_exec',
    'x-codex-turn-metadata': JSON.stringify({ session_id: SESSION }),
    'user-agent': 'codex_exec/0.171.0 (Debian 12.0.0; x86_64)',
  },
  body: (model, input) => ({
    model,
    stream: true,
    input: [
      {
        type: 'message',
        id: `msg_${SESSION}`,
        role: 'developer',
        content: [{ type: 'input_text', text: 'Be brief.' }],
      },
      ...input,
    ],
    tools: [
      { type: 'function', name: 'weather', description: 'of a city', strict: false, parameters: schema },
      {
        type: 'namespace',
        name: 'multi_agent_v1',
        description: 'Sub-agents.',
        tools: [
          { type: 'function', name: 'spawn_agent', description: 'Begins one.', strict: false, parameters: schema },
        ],
      },
      { type: 'custom', name: 'apply_patch', description: 'Patches files.' },
    ],
    tool_choice: 'auto',
    parallel_tool_calls: true,
    reasoning: { summary: 'auto' },
    store: false,
    include: ['reasoning.encrypted_content'],
    prompt_cache_key: SESSION,
    client_metadata: { thread_id: SESSION },
  }),
  question: { type: 'message', role: 'user', content: [{ type: 'input_text', text: QUESTION }] },
  read(events) {
    assert.deepEqual(
      events.map(({ sequence_number: number }) => number),
      events.map((_event, index) => index),
    );
    const last = events.at(-1);
    assert.equal(last.type, 'response.completed');
    const { output } = last.response;
    const call = output.find(({ type }: Json) => type === 'function_call');
    const said = output.flatMap(({ content }: Json) => content ?? []).flatMap(({ text }: Json) => text ?? []);
    return { items: output, callId: call?.call_id, text: said.join('') };
  },
  result: (id) => ({ type: 'function_call_output', call_id: id, output: RESULT }),
};

const openAiAgent: Agent = {
  path: '/v1/chat/completions',
  headers: {},
  body: (model, messages) => ({
    model,
    messages: [{ role: 'system', content: 'Be brief.' }, ...messages],
    tools: [
      { type: 'function', function: { name: 'weather', description: 'of a city', parameters: schema, strict: true } },
    ],
    tool_choice: 'auto',
    stream: true,
    stream_options: { include_usage: true },
  }),
  question: { role: 'user', content: QUESTION },
  read(events) {
    const message: Json = { role: 'assistant', content: '' };
    for (const { choices } of events) {
      const delta = choices[0]?.delta ?? {};
      message.content += delta.content ?? '';
      for (const { index, id, function: called } of delta.tool_calls ?? []) {
        message.tool_calls ??= [];
        message.tool_calls[index] ??= { id, type: 'function', function: { name: called.name, arguments: '' } };
        message.tool_calls[index].function.arguments += called.arguments ?? '';
      }
    }
    assert.ok(events.at(-1).usage);
    return { items: [message], callId: message.tool_calls?.[0]?.id, text: message.content };
  },
  result: (id) => ({ role: 'tool', tool_call_id: id, content: RESULT }),
};

async function ask(agent: Agent, model: string, items: readonly Json[], zstd: boolean): ReturnType<typeof turn> {
  const body = Buffer.from(JSON.stringify(agent.body(model, items)));
  return turn(agent, zstd ? zstdCompressSync(body) : body, zstd ? { 'content-encoding': 'zstd' } : {});
}

async function turn(agent: Agent, body: Buffer, more: Record<string, string>) {
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...agent.headers, ...more };
  const response = await fetch(gateway.url + agent.path, { method: 'POST', headers, body: new Uint8Array(body) });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const data = text.split('\n').filter((line) => line.startsWith('data: ') && line !== 'data: [DONE]');
  return agent.read(data.map((line) => JSON.parse(line.slice(6))));
}

const AGENTS = { 'Claude Code': claudeCode, Codex: codex, 'an agent of OpenAI’s form': openAiAgent };

for (const [name, agent] of Object.entries(AGENTS)) {
  describe(name, () => {
    for (const model of [...TRANSLATED, 'own/gpt']) {
      test(`${name} calls a tool of ${model} and gives it the result`, async () => {
        const items = [agent.question];
        const called = await ask(agent, model, items, false);
        assert.ok(called.callId);
        items.push(...called.items, agent.result(called.callId));
        const { text } = await ask(agent, model, items, agent === codex);
        assert.equal(text, 'Grüezi');
        const sent = provider.requests.at(-1)!;
        assert.match(sent.body.toString(), /12 degrees/);
        const passes = (model.startsWith('claude') && agent === claudeCode) || (model === 'own/gpt' && agent === codex);
        if (!passes) {
          assert.doesNotMatch(sent.body.toString(), /billing-header|clear_thinking|client_metadata/);
        }
      });
    }
  });
}

test('requests of Codex pass to OpenAI as they are, with the reasoning that was sealed there', async () => {
  const called = await ask(codex, 'own/gpt', [codex.question], false);
  assert.ok(called.callId);
  await ask(codex, 'own/gpt', [codex.question, ...called.items, codex.result(called.callId)], true);
  const { input, client_metadata: sent } = JSON.parse(provider.requests.at(-1)!.body.toString());
  assert.deepEqual(sent, { thread_id: SESSION });
  assert.deepEqual(
    input.filter(({ type }: Json) => type === 'reasoning'),
    called.items.filter(({ type }) => type === 'reasoning'),
  );
});

test('agents find the gateway: probes without a path, and models in the form that each speaks', async () => {
  assert.equal((await fetch(gateway.url, { method: 'HEAD' })).status, 200);
  const authorization = `Bearer ${KEY}`;
  const models = async (headers: Record<string, string>) =>
    (await (await fetch(`${gateway.url}/v1/models`, { headers: { authorization, ...headers } })).json()) as Json;
  assert.equal((await models({})).object, 'list');
  assert.equal(typeof (await models({ 'anthropic-version': '2023-06-01' })).has_more, 'boolean');
});
