import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import Anthropic from '@anthropic-ai/sdk';
import { awsEvent } from '../support/aws-events.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type FakeProvider, type ReceivedRequest, sendJson, startProvider } from '../support/provider.ts';
import { startEvents } from '../support/scripted-provider.ts';

/* Anthropic's own SDK as the client, and one host that answers in the form of each vendor, told by the path. */

type Send = (response: ServerResponse) => void;
interface Script {
  readonly whole: Send;
  readonly stream: Send;
}

const ARGUMENTS = '{"city":"Zürich","id":9007199254740993}';
const sse = (event: object, name?: string) =>
  `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(event)}\n\n`;
const streamed =
  (...events: string[]): Send =>
  (response) => {
    startEvents(response);
    response.end(events.join(''));
  };
const json =
  (value: unknown): Send =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(typeof value === 'string' ? value : JSON.stringify(value));
  };

const claudeUsage = { input_tokens: 10, cache_read_input_tokens: 3, cache_creation_input_tokens: 2, output_tokens: 20 };
const claudeEvents: readonly ({ type: string } & Record<string, unknown>)[] = [
  {
    type: 'message_start',
    message: {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'claude-x',
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { ...claudeUsage, output_tokens: 1 },
    },
  },
  { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'I look.' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'EqoB+/=' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'content_block_start', index: 1, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'Grüezi' } },
  { type: 'content_block_stop', index: 1 },
  {
    type: 'content_block_start',
    index: 2,
    content_block: { type: 'tool_use', id: 'toolu_1', name: 'weather', input: {} },
  },
  { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: ARGUMENTS } },
  { type: 'content_block_stop', index: 2 },
  { type: 'message_delta', delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: { output_tokens: 20 } },
  { type: 'message_stop' },
];
const claudeWhole = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"thinking","thinking":"I look.","signature":"EqoB+/="},{"type":"text","text":"Grüezi"},{"type":"tool_use","id":"toolu_1","name":"weather","input":${ARGUMENTS}}],"stop_reason":"tool_use","stop_sequence":null,"usage":${JSON.stringify(claudeUsage)}}`;
const claudeStream = claudeEvents.map((event) => sse(event, event.type)).join('');

const chatUsage = {
  prompt_tokens: 15,
  completion_tokens: 20,
  total_tokens: 35,
  prompt_tokens_details: { cached_tokens: 5 },
};
const chunk = (delta: object, finish: string | null = null) =>
  sse({
    id: 'c1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: ARGUMENTS } };

const geminiUsage = {
  promptTokenCount: 15,
  candidatesTokenCount: 13,
  thoughtsTokenCount: 7,
  cachedContentTokenCount: 5,
};
const geminiParts = [
  { text: 'I look.', thought: true },
  { text: 'Grüezi' },
  { functionCall: { name: 'weather', args: { city: 'Zürich' } }, thoughtSignature: 'c2lnbmVk' },
];
const geminiAnswer = (parts: object[], more: object = {}) => ({
  candidates: [{ content: { role: 'model', parts }, index: 0, ...more }],
  modelVersion: 'gemini-3-pro',
  usageMetadata: geminiUsage,
});

const converseUsage = { inputTokens: 15, outputTokens: 20, totalTokens: 35 };
const frames =
  (...events: Buffer[]): Send =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
    response.end(Buffer.concat(events));
  };
const invokeFrame = (event: object) =>
  awsEvent('chunk', { bytes: Buffer.from(JSON.stringify(event)).toString('base64'), p: 'abcdef' });

const cohereUsage = {
  billed_units: { input_tokens: 8, output_tokens: 2 },
  tokens: { input_tokens: 15, output_tokens: 20 },
};
const co = (value: { type: string } & Record<string, unknown>) => sse(value, value.type);

const SCRIPTS: readonly (readonly [RegExp, Script])[] = [
  [/^\/v1\/messages$/, { whole: json(claudeWhole), stream: streamed(claudeStream) }],
  [
    /chat\/completions$/,
    {
      whole: json({
        id: 'c1',
        object: 'chat.completion',
        created: 1,
        model: 'm',
        choices: [
          {
            index: 0,
            message: { role: 'assistant', content: 'Grüezi', reasoning_content: 'I look.', tool_calls: [call] },
            finish_reason: 'tool_calls',
          },
        ],
        usage: chatUsage,
      }),
      stream: streamed(
        chunk({ role: 'assistant', content: '' }),
        chunk({ reasoning_content: 'I ' }),
        chunk({ reasoning_content: 'look.' }),
        chunk({ content: 'Grüezi' }),
        chunk({ tool_calls: [{ index: 0, ...call, function: { name: 'weather', arguments: '' } }] }),
        chunk({ tool_calls: [{ index: 0, function: { arguments: ARGUMENTS.slice(0, 9) } }] }),
        chunk({ tool_calls: [{ index: 0, function: { arguments: ARGUMENTS.slice(9) } }] }),
        chunk({}, 'tool_calls'),
        sse({ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage: chatUsage }),
        'data: [DONE]\n\n',
      ),
    },
  ],
  [
    /:(stream)?[gG]enerateContent/,
    {
      whole: json(geminiAnswer(geminiParts, { finishReason: 'STOP' })),
      stream: streamed(
        ...geminiParts.map((part, index) =>
          sse(geminiAnswer([part], index === geminiParts.length - 1 ? { finishReason: 'STOP' } : {})),
        ),
      ),
    },
  ],
  [
    /\/converse(-stream)?$/,
    {
      whole: json({
        output: {
          message: {
            role: 'assistant',
            content: [
              { reasoningContent: { reasoningText: { text: 'I look.', signature: 'EqoB+/=' } } },
              { text: 'Grüezi' },
              { toolUse: { toolUseId: 'tooluse_1', name: 'weather', input: { city: 'Zürich' } } },
            ],
          },
        },
        stopReason: 'tool_use',
        usage: converseUsage,
      }),
      stream: frames(
        awsEvent('messageStart', { role: 'assistant' }),
        awsEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { text: 'I look.' } } }),
        awsEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { signature: 'EqoB+/=' } } }),
        awsEvent('contentBlockStop', { contentBlockIndex: 0 }),
        awsEvent('contentBlockDelta', { contentBlockIndex: 1, delta: { text: 'Grüezi' } }),
        awsEvent('contentBlockStop', { contentBlockIndex: 1 }),
        awsEvent('contentBlockStart', {
          contentBlockIndex: 2,
          start: { toolUse: { toolUseId: 'tooluse_1', name: 'weather' } },
        }),
        awsEvent('contentBlockDelta', { contentBlockIndex: 2, delta: { toolUse: { input: '{"city":"Zürich"}' } } }),
        awsEvent('contentBlockStop', { contentBlockIndex: 2 }),
        awsEvent('messageStop', { stopReason: 'tool_use' }),
        awsEvent('metadata', { usage: converseUsage }),
      ),
    },
  ],
  [/\/invoke(-with-response-stream)?$/, { whole: json(claudeWhole), stream: frames(...claudeEvents.map(invokeFrame)) }],
  [
    /^\/v2\/chat$/,
    {
      whole: json({
        id: 'co-1',
        message: {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'I look.' },
            { type: 'text', text: 'Grüezi' },
          ],
          tool_calls: [call],
        },
        finish_reason: 'TOOL_CALL',
        usage: cohereUsage,
      }),
      stream: streamed(
        co({ type: 'message-start', id: 'co-1', delta: { message: { role: 'assistant' } } }),
        co({ type: 'content-start', index: 0, delta: { message: { content: { type: 'thinking', thinking: '' } } } }),
        co({ type: 'content-delta', index: 0, delta: { message: { content: { thinking: 'I look.' } } } }),
        co({ type: 'content-end', index: 0 }),
        co({ type: 'content-start', index: 1, delta: { message: { content: { type: 'text', text: '' } } } }),
        co({ type: 'content-delta', index: 1, delta: { message: { content: { text: 'Grüezi' } } } }),
        co({ type: 'content-end', index: 1 }),
        co({
          type: 'tool-call-start',
          index: 2,
          delta: { message: { tool_calls: { ...call, function: { name: 'weather', arguments: '' } } } },
        }),
        co({
          type: 'tool-call-delta',
          index: 2,
          delta: { message: { tool_calls: { function: { arguments: ARGUMENTS } } } },
        }),
        co({ type: 'tool-call-end', index: 2 }),
        co({ type: 'message-end', delta: { finish_reason: 'TOOL_CALL', usage: cohereUsage } }),
      ),
    },
  ],
];

let provider: FakeProvider;
let gateway: RunningGateway;
let client: Anthropic;

function answer(request: ReceivedRequest, response: ServerResponse): void {
  const { path } = request;
  const said = request.body.toString();
  if (said.includes('fail with 429')) {
    const error = { type: 'error', error: { type: 'rate_limit_error', message: 'Slow down' } };
    sendJson(response, 429, path === '/v1/messages' ? error : { error: { message: 'Slow down', type: 'rate_limit' } });
    return;
  }
  if (said.includes('break off')) {
    startEvents(response);
    response.write(path === '/v1/messages' ? claudeStream.slice(0, 1_000) : chunk({ content: 'half an ans' }), () =>
      response.destroy(),
    );
    return;
  }
  if (said.includes('be silent')) {
    startEvents(response);
    setTimeout(() => response.end(claudeStream), 700);
    return;
  }
  if (path === '/v1/messages/count_tokens') {
    sendJson(response, 200, { input_tokens: 42 });
    return;
  }
  if (path.endsWith(':countTokens')) {
    sendJson(response, 200, { totalTokens: said.includes('"generateContentRequest"') ? 43 : 0 });
    return;
  }
  if (path.endsWith('/count-tokens')) {
    sendJson(response, 200, { inputTokens: said.includes('"converse"') ? 44 : 0 });
    return;
  }
  const script = SCRIPTS.find(([pattern]) => pattern.test(path.split('?')[0]!))?.[1];
  if (script === undefined) sendJson(response, 404, { error: { message: `nothing at ${path}` } });
  else if (/stream/.test(path) || JSON.parse(said).stream === true) script.stream(response);
  else script.whole(response);
}

const auth = { type: 'api-key', api_key: 'sk-of-the-provider' };
const keys = { type: 'access-key-based', access_key_id: 'AKIDEXAMPLE', secret_access_key: 'wJalrXUtnFEMI' };

before(async () => {
  provider = await startProvider(answer);
  const { origin } = provider;
  gateway = await startGateway({
    server: { keepalive_comment_ms: 200, ledger: { metadata_keys: ['session_id', 'agent_id'] } },
    manifests: [
      { type: 'provider-account/anthropic', name: 'anthropic', base_url: origin, auth_data: auth },
      { type: 'provider-account/openai', name: 'openai', base_url: `${origin}/v1`, auth_data: auth },
      {
        type: 'provider-account/google-gemini',
        name: 'gemini',
        base_url: origin,
        auth_data: { type: 'api-key', apiKey: 'g-key' },
      },
      { type: 'provider-account/aws-bedrock', name: 'bedrock', base_url: origin, region: 'us-east-1', auth_data: keys },
      { type: 'provider-account/cohere', name: 'cohere', base_url: origin, auth_data: auth },
    ],
  });
  client = new Anthropic({ baseURL: gateway.url, apiKey: KEY, maxRetries: 0 });
});
after(async () => {
  await gateway?.stop();
  await provider?.close();
});

const TOOLS = [
  {
    name: 'weather',
    description: 'Tells the weather.',
    input_schema: { type: 'object' as const, properties: { city: { type: 'string' } }, required: ['city'] },
  },
];
const asked = (model: string, content: Anthropic.MessageParam['content'] = 'Is it warm?') => ({
  model,
  max_tokens: 1_000,
  system: 'Be brief.',
  tools: TOOLS,
  messages: [{ role: 'user' as const, content }],
});

const MODELS = {
  'anthropic/claude-x': { signature: 'EqoB+/=', input: 10, read: 3 },
  'openai/gpt-4o': { signature: 'sluice.unsigned', input: 10, read: 5 },
  'gemini/gemini-3-pro': { signature: 'sluice.unsigned', input: 10, read: 5 },
  'bedrock/amazon.nova-2-lite-v1:0': { signature: 'EqoB+/=', input: 15, read: 0 },
  'bedrock/us.anthropic.claude-x': { signature: 'EqoB+/=', input: 10, read: 3 },
  'cohere/command-a-reasoning': { signature: 'sluice.unsigned', input: 15, read: 0 },
} as const;

function check(message: Anthropic.Message, expected: (typeof MODELS)[keyof typeof MODELS]): void {
  const [thinking, text, tool] = message.content;
  assert.deepEqual(thinking, { type: 'thinking', thinking: 'I look.', signature: expected.signature });
  assert.equal(text?.type === 'text' && text.text, 'Grüezi');
  assert.ok(tool?.type === 'tool_use');
  assert.equal(tool.name, 'weather');
  assert.match(tool.id, /^[A-Za-z0-9_-]+$/);
  assert.equal((tool.input as { city: string }).city, 'Zürich');
  assert.equal(message.stop_reason, 'tool_use');
  assert.equal(message.role, 'assistant');
  const { input_tokens, cache_read_input_tokens, output_tokens } = message.usage;
  assert.deepEqual([input_tokens, cache_read_input_tokens ?? 0, output_tokens], [expected.input, expected.read, 20]);
}

describe('the SDK of Anthropic asks every wire', () => {
  for (const [model, expected] of Object.entries(MODELS)) {
    test(`${model} answers whole and streamed with thoughts, text, a call, its reason and its counts`, async () => {
      check(await client.messages.create(asked(model)), expected);
      const stream = client.messages.stream(asked(model));
      let text = '';
      stream.on('text', (delta) => {
        text += delta;
      });
      check(await stream.finalMessage(), expected);
      assert.equal(text, 'Grüezi');
    });

    test(`${model} takes back what it said, with the result of its call`, async () => {
      const first = await client.messages.create(asked(model));
      const [, , call] = first.content;
      assert.ok(call?.type === 'tool_use');
      const result = { type: 'tool_result' as const, tool_use_id: call.id, content: '12 degrees' };
      const { messages, ...others } = asked(model);
      const next = [
        ...messages,
        { role: 'assistant' as const, content: first.content },
        { role: 'user' as const, content: [result] },
      ];
      check(await client.messages.create({ ...others, messages: next }), expected);
    });
  }
});

describe('bytes pass where the target speaks the form', () => {
  const body =
    '{"model":"anthropic/claude-x", "max_tokens":10,\n "messages":[{"role":"user","content":"hi"}],"unknown_field":[1.0], "stream":true}';
  const post = (path: string, text: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    fetch(gateway.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...headers },
      body: text,
    });

  test('betas, version and fields that nobody knows go to Anthropic byte for byte, and its stream comes back so', async () => {
    const response = await post('/v1/messages?beta=true', body, {
      'anthropic-beta': 'claude-code-20250219,oauth-2025-04-20',
      'anthropic-version': '2023-06-01',
    });
    assert.equal(await response.text(), claudeStream);
    const { headers, body: sent } = provider.requests.at(-1)!;
    assert.equal(headers['anthropic-beta'], 'claude-code-20250219,oauth-2025-04-20');
    assert.equal(headers['anthropic-version'], '2023-06-01');
    assert.equal(headers['x-api-key'], 'sk-of-the-provider');
    assert.equal(sent.toString(), body.replace('anthropic/claude-x', 'claude-x'));
  });

  test('Claude on Bedrock gets the form in its envelope, and its frames become the events that are in them', async () => {
    const response = await post('/messages', body.replace('anthropic/claude-x', 'bedrock/us.anthropic.claude-x'), {
      'anthropic-beta': 'claude-code-20250219,context-1m-2025-08-07',
    });
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    assert.equal(await response.text(), claudeStream);
    const { path, body: sent, headers } = provider.requests.at(-1)!;
    assert.equal(path, '/model/us.anthropic.claude-x/invoke-with-response-stream');
    assert.equal(headers['anthropic-beta'], undefined);
    assert.equal(
      sent.toString(),
      '{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["context-1m-2025-08-07"], "max_tokens":10,\n "messages":[{"role":"user","content":"hi"}],"unknown_field":[1.0]}',
    );
  });

  test('bodies may be compressed with gzip or zstd', async () => {
    for (const [encoding, compressed] of [
      ['gzip', gzipSync(body)],
      ['zstd', zstdCompressSync(body)],
    ] as const) {
      const response = await post('/v1/messages', new Uint8Array(compressed), { 'content-encoding': encoding });
      assert.equal(await response.text(), claudeStream, encoding);
    }
  });

  test('silence before the first content is filled with pings, which the SDK skips', async () => {
    const text = await (await post('/v1/messages', body.replace('"hi"', '"be silent"'))).text();
    assert.ok(text.startsWith('event: ping\ndata: {"type": "ping"}\n\n'));
    assert.ok(text.endsWith(claudeStream));
    check(
      await client.messages.stream(asked('anthropic/claude-x', 'be silent')).finalMessage(),
      MODELS['anthropic/claude-x'],
    );
  });
});

describe('errors are in the form', () => {
  test('a refusal of the gateway, and one of a provider, are the classes of the SDK, with the id of the exchange', async () => {
    const unknown = await client.messages.create(asked('nobody/x')).catch((error) => error);
    assert.ok(unknown instanceof Anthropic.NotFoundError);
    const said = unknown.error as { type: string; error: { type: string }; request_id: string };
    assert.equal(said.type, 'error');
    assert.equal(said.error.type, 'not_found_error');
    assert.match(said.request_id, /^ex_/);
    const stranger = new Anthropic({ baseURL: gateway.url, authToken: 'wrong', maxRetries: 0 });
    assert.ok((await stranger.messages.create(asked('x')).catch((e) => e)) instanceof Anthropic.AuthenticationError);
    for (const model of ['anthropic/claude-x', 'openai/gpt-4o', 'cohere/command-a']) {
      const limited = await client.messages.create(asked(model, 'fail with 429')).catch((error) => error);
      assert.ok(limited instanceof Anthropic.RateLimitError, model);
      assert.match(limited.message, /Slow down/);
    }
  });

  test('an answer that breaks off ends with whole events and an error that the SDK raises', async () => {
    for (const model of ['anthropic/claude-x', 'openai/gpt-4o']) {
      const stream = client.messages.stream(asked(model, 'break off'));
      const error = await stream.finalMessage().catch((raised) => raised);
      assert.ok(error instanceof Anthropic.APIError, `${model}: ${error}`);
    }
  });

  test('a tool that Anthropic alone runs is refused by name elsewhere, and passes there', async () => {
    const search = { type: 'web_search_20250305', name: 'web_search' };
    const request = { ...asked('openai/gpt-4o'), tools: [search] } as never;
    const error = await client.messages.create(request).catch((raised) => raised);
    assert.ok(error instanceof Anthropic.BadRequestError);
    assert.match(error.message, /web_search_20250305/);
    await client.messages.create({ ...asked('anthropic/claude-x'), tools: [search] } as never);
    const servers = { ...asked('gemini/gemini-3-pro'), mcp_servers: [{ type: 'url', url: 'https://x', name: 'x' }] };
    const refused = await client.messages.create(servers as never).catch((raised) => raised);
    assert.match(refused.message, /mcp_servers/);
  });
});

describe('what agents need besides', () => {
  test('tokens are counted by the provider where it counts them, and elsewhere estimated, which a header says; neither costs anything', async () => {
    const { model: _model, max_tokens: _max, ...prompt } = asked('');
    for (const [model, tokens] of [
      ['anthropic/claude-x', 42],
      ['gemini/gemini-3-pro', 43],
      ['bedrock/us.anthropic.claude-x', 44],
    ] as const) {
      const told = await client.messages.countTokens({ ...prompt, model }).withResponse();
      assert.equal(told.data.input_tokens, tokens);
      assert.equal(told.response.headers.get('x-sluice-estimated'), null);
    }
    const guessed = await client.messages.countTokens({ ...prompt, model: 'openai/gpt-4o' }).withResponse();
    assert.equal(guessed.response.headers.get('x-sluice-estimated'), 'input_tokens');
    assert.ok(guessed.data.input_tokens > 20 && guessed.data.input_tokens < 200, String(guessed.data.input_tokens));
    const counted = () => gateway.records({ 'http.route': '/messages/count_tokens' });
    await eventually('both are in the log', () => counted().length === 4);
    for (const record of counted()) assert.equal(record['sluice.cost.usd'], 0);
  });

  test('models are listed in the form that the client speaks, page by page', async () => {
    const ids: string[] = [];
    for await (const model of client.models.list({ limit: 2 })) {
      assert.equal(model.type, 'model');
      ids.push(model.id);
      if (ids.length === 5) break;
    }
    assert.equal(new Set(ids).size, 5);
    const plain = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${KEY}` } });
    assert.equal(((await plain.json()) as { object: string }).object, 'list');
    const shown = await client.models.retrieve('anthropic/claude-x');
    assert.equal(shown.id, 'anthropic/claude-x');
  });

  test('probes are answered without a key', async () => {
    assert.equal((await fetch(gateway.url, { method: 'HEAD' })).status, 200);
    assert.equal((await fetch(`${gateway.url}/api/hello`)).status, 200);
  });

  test('the ids of session and agent are metadata of the request', async () => {
    await client.messages.create(asked('openai/gpt-4o'), {
      headers: { 'x-claude-code-session-id': 'session-1', 'x-claude-code-agent-id': 'agent-7' },
    });
    await eventually('the log names the session', () =>
      gateway.records({ 'http.route': '/messages' }).some((record) => JSON.stringify(record).includes('session-1')),
    );
    assert.equal(provider.requests.at(-1)?.headers['x-claude-code-session-id'], undefined);
  });

  test('the attribution line goes to Anthropic, and to nobody else', async () => {
    const line = 'x-anthropic-billing-header: cc_version=2.1.0; cch=12345;';
    const system = [
      { type: 'text' as const, text: line },
      { type: 'text' as const, text: 'Be brief.' },
    ];
    await client.messages.create({ ...asked('anthropic/claude-x'), system });
    assert.match(provider.requests.at(-1)!.body.toString(), /billing-header/);
    for (const model of ['openai/gpt-4o', 'gemini/gemini-3-pro', 'bedrock/amazon.nova-2-lite-v1:0']) {
      await client.messages.create({ ...asked(model), system });
      const sent = provider.requests.at(-1)!.body.toString();
      assert.doesNotMatch(sent, /billing-header/);
      assert.match(sent, /Be brief\./);
    }
  });
});
