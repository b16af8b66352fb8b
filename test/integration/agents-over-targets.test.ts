import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { fiveAccounts, startFiveProviders } from '../support/five-providers.ts';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type FakeProvider, startProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';

/* Messages and Responses behind virtual models: another vendor stands in, and a session stays where its prompt is cached. */

let provider: FakeProvider;
let broken: FakeProvider;
let gateway: RunningGateway;
let openai: OpenAI;
let anthropic: Anthropic;

const CLAUDE = 'claude/claude-sonnet-4-5';
const GEMINI = 'gemini/gemini-2.5-flash';
const TWINS = ['twin-a/gpt-oss', 'twin-b/gpt-oss'];

function virtual(name: string, type: string, targets: readonly object[], more: object = {}): object {
  return {
    type: 'integration/model/virtual',
    name,
    model_types: ['chat'],
    routing_config: { type, load_balance_targets: targets, ...more },
  };
}

const inOrder = (name: string, ...targets: readonly string[]) =>
  virtual(
    name,
    'priority-based-routing',
    targets.map((target, priority) => ({ target, priority, retry_config: { attempts: 0 } })),
  );

before(async () => {
  provider = await startFiveProviders();
  broken = await startProvider((_request, response) => {
    response.writeHead(529, { 'content-type': 'application/json' });
    response.end('{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}');
  });
  const key = { type: 'api-key', api_key: 'sk' };
  gateway = await startGateway({
    manifests: [
      ...fiveAccounts(provider),
      ...TWINS.map((twin) => openAccount(twin.split('/')[0]!, `${provider.origin}/v1`)),
      { type: 'provider-account/anthropic', name: 'busy-claude', base_url: broken.origin, auth_data: key },
      openAccount('busy', `${broken.origin}/v1`, {
        integrations: [
          { name: 'gpt', type: 'integration/model/openai', model_id: 'gpt-5-nano', model_types: ['chat', 'responses'] },
        ],
      }),
      {
        type: 'provider-account/virtual-model',
        name: 'group',
        integrations: [
          inOrder('claude-first', 'busy-claude/claude-sonnet-4-5', GEMINI),
          inOrder('chats-first', 'busy/gpt', CLAUDE),
          inOrder('own-last', 'busy-claude/claude-sonnet-4-5', 'own/gpt'),
          virtual(
            'sticky',
            'weight-based-routing',
            TWINS.map((target) => ({ target, weight: 50 })),
            {
              sticky_routing: {
                ttl_seconds: 60,
                session_identifiers: [{ source: 'metadata', key: 'session_id' }],
              },
            },
          ),
          virtual(
            'sticky-by-cache-key',
            'weight-based-routing',
            TWINS.map((target) => ({ target, weight: 50 })),
            {
              sticky_routing: {
                ttl_seconds: 60,
                session_identifiers: [{ source: 'metadata', key: 'prompt_cache_key' }],
              },
            },
          ),
        ],
      },
    ],
  });
  openai = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
  anthropic = new Anthropic({ apiKey: KEY, baseURL: gateway.url, maxRetries: 0 });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await provider?.[Symbol.asyncDispose]();
  await broken?.[Symbol.asyncDispose]();
});

const weather = {
  name: 'weather',
  input_schema: { type: 'object' as const, properties: { city: { type: 'string' } } },
};

describe('another vendor stands in', () => {
  for (const [model, answers] of [
    ['group/claude-first', GEMINI],
    ['group/chats-first', CLAUDE],
    ['group/own-last', 'own/gpt'],
  ] as const) {
    test(`a stream of Messages is answered by ${answers} where the first target of ${model} is overloaded`, async () => {
      const asked = { model, max_tokens: 100, messages: [{ role: 'user' as const, content: 'Hi' }] };
      const { data, response } = await anthropic.messages.create({ ...asked, stream: true }).withResponse();
      const types: string[] = [];
      for await (const { type } of data) types.push(type);
      assert.equal(response.headers.get('x-tfy-resolved-model'), answers);
      assert.equal(types.at(-1), 'message_stop');
    });

    test(`a stream of Responses is answered by ${answers} where the first target of ${model} is overloaded`, async () => {
      const stream = openai.responses.stream({ model, input: 'Hi', store: false });
      assert.ok((await stream.finalResponse()).output_text.length > 0);
      const { response } = await openai.responses.create({ model, input: 'Hi', store: false }).withResponse();
      assert.equal(response.headers.get('x-tfy-resolved-model'), answers);
    });
  }

  test('a loop of tools goes on where its vendor was exchanged in the middle', async () => {
    const messages: Anthropic.MessageParam[] = [{ role: 'user', content: 'How is the weather in Bern?' }];
    const asked = { max_tokens: 4_000, tools: [weather] };
    const called = await anthropic.messages.create({ ...asked, model: CLAUDE, messages });
    const call = called.content.find((block) => block.type === 'tool_use');
    assert.ok(call);
    messages.push({ role: 'assistant', content: called.content });
    messages.push({
      role: 'user',
      content: [{ type: 'tool_result', tool_use_id: call.id, content: '12 degrees' }],
    });
    const answered = await anthropic.messages.create({ ...asked, model: 'group/claude-first', messages });
    assert.match(JSON.stringify(answered.content), /Grüezi/);
  });

  test('an overload of all targets is told in the form of the client, with the status that the SDK retries', async () => {
    const model = 'busy-claude/claude-sonnet-4-5';
    const asked = anthropic.messages.create({ model, max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] });
    await assert.rejects(asked, (error) => error instanceof Anthropic.APIError && error.status === 503);
    const response = openai.responses.create({ model: 'busy/gpt', input: 'Hi' });
    await assert.rejects(response, (error) => error instanceof OpenAI.APIError && error.status === 503);
  });
});

describe('a session stays where its prompt is cached', () => {
  async function targets(sessions: number, ask: (session: string) => Promise<Response>): Promise<string[]> {
    const chosen: string[] = [];
    for (let session = 0; session < sessions; session += 1) {
      const of = new Set<string>();
      for (let turn = 0; turn < 4; turn += 1) {
        const response = await ask(`session-${session}`);
        of.add(response.headers.get('x-tfy-resolved-model') ?? '');
        await response.arrayBuffer();
      }
      assert.equal(of.size, 1, `session ${session} was answered by ${[...of].join(' and ')}`);
      chosen.push(...of);
    }
    return chosen;
  }

  function post(path: string, headers: Record<string, string>, body: object): Promise<Response> {
    const all = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...headers };
    return fetch(gateway.url + path, { method: 'POST', headers: all, body: JSON.stringify(body) });
  }

  const message = { role: 'user', content: 'Hi' };
  for (const [agent, ask] of [
    [
      'Claude Code',
      (session: string) =>
        post(
          '/v1/messages',
          { 'x-claude-code-session-id': session, 'anthropic-version': '2023-06-01' },
          { model: 'group/sticky', max_tokens: 9, messages: [message] },
        ),
    ],
    [
      'Codex',
      (session: string) =>
        post('/v1/responses', { 'session-id': session }, { model: 'group/sticky', input: 'Hi', store: false }),
    ],
    [
      'an agent of OpenAI’s form that names a cache key',
      (session: string) =>
        post(
          '/v1/chat/completions',
          {},
          { model: 'group/sticky-by-cache-key', messages: [message], prompt_cache_key: session },
        ),
    ],
    [
      'a client of Responses that names a cache key',
      (session: string) =>
        post(
          '/v1/responses',
          {},
          { model: 'group/sticky-by-cache-key', input: 'Hi', store: false, prompt_cache_key: session },
        ),
    ],
  ] as const) {
    test(`every turn of a session of ${agent} goes to one target, and sessions spread over all`, async () => {
      const chosen = await targets(16, ask);
      assert.deepEqual([...new Set(chosen)].toSorted(), TWINS);
    });
  }
});
