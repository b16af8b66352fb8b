import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { awsEvent, awsException, awsMessage } from '../support/aws-events.ts';
import { fromStream } from '../support/chat-answer.ts';
import { ask, ChatStream, errorOf, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import {
  chunkEvent,
  DONE_EVENT,
  type FakeProvider,
  type ReceivedRequest,
  sendJson,
  startProvider,
  USAGE_EVENT,
} from '../support/provider.ts';
import { signatureFault } from '../support/signed-request.ts';
import { startSts, stsEnvironment } from '../support/sts-server.ts';

/* A Bedrock that checks signatures as AWS's SDKs make them, and answers by the model in the path. */

const KEYS = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: 'SeSSionToKen+/==',
};
const scopeOf = (region: string) => ({ region, service: 'bedrock' });
const ARN = 'arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/a1b2';

const usage = { inputTokens: 5, outputTokens: 7, totalTokens: 12 };
const text = (value: string) => awsEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { text: value } });
const start = awsEvent('messageStart', { role: 'assistant' });
const end = [awsEvent('messageStop', { stopReason: 'end_turn' }), awsEvent('metadata', { usage })];
const whole = (content: object[], stopReason = 'end_turn', more: object = {}) => ({
  output: { message: { role: 'assistant', content } },
  stopReason,
  usage,
  ...more,
});

function sendFrames(response: ServerResponse, ...frames: Buffer[]): void {
  response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
  response.end(Buffer.concat(frames));
}

const throttled = awsException('throttlingException', { message: 'Too many tokens, please wait.' });
const damaged = (frame: Buffer) => {
  const bytes = Buffer.from(frame);
  bytes[bytes.length - 6]! ^= 0x40;
  return bytes;
};

const scripts: Record<string, (response: ServerResponse) => void> = {
  text: (response) => sendJson(response, 200, whole([{ text: 'Grüezi' }])),
  'text-stream': (response) => sendFrames(response, start, text('Grü'), text('ezi'), ...end),
  [ARN]: (response) => sendJson(response, 200, whole([{ text: 'by profile' }])),
  thinking: (response) => sendJson(response, 200, whole([{ text: '12 degrees' }])),
  'thinking-stream': (response) =>
    sendFrames(
      response,
      start,
      ...[{ text: 'I look ' }, { text: 'it up.' }, { signature: 'EqoBCkgIBxABGAIqQ+/=' }].map((reasoningContent) =>
        awsEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent } }),
      ),
      awsEvent('contentBlockStop', { contentBlockIndex: 0 }),
      awsEvent('contentBlockStart', {
        contentBlockIndex: 1,
        start: { toolUse: { toolUseId: 'tooluse_1', name: 'weather' } },
      }),
      ...['{"city":"Zü', 'rich"}'].map((input) =>
        awsEvent('contentBlockDelta', { contentBlockIndex: 1, delta: { toolUse: { input } } }),
      ),
      awsEvent('contentBlockStop', { contentBlockIndex: 1 }),
      awsEvent('messageStop', { stopReason: 'tool_use' }),
      awsEvent('metadata', { usage }),
    ),
  'throttled-first-stream': (response) => sendFrames(response, start, throttled),
  'throttled-late-stream': (response) => sendFrames(response, start, text('half an ans'), throttled),
  'failed-late-stream': (response) =>
    sendFrames(
      response,
      start,
      text('half an ans'),
      awsMessage(
        { ':message-type': 'error', ':error-code': 'InternalFailure', ':error-message': 'An internal server error.' },
        Buffer.alloc(0),
      ),
    ),
  'unavailable-first-stream': (response) =>
    sendFrames(response, awsException('serviceUnavailableException', { message: 'Come again.' })),
  'damaged-first-stream': (response) => sendFrames(response, damaged(start)),
  'damaged-late-stream': (response) => sendFrames(response, start, text('half an ans'), damaged(text('lost')), ...end),
  throttled: (response) =>
    sendJson(response, 429, { message: 'Too many requests, please wait before trying again.' }, { 'retry-after': '7' }),
  invalid: (response) =>
    sendJson(response, 400, { message: 'messages.1.content.0: Invalid `signature` in `thinking` block' }),
  'denied-model': (response) => sendJson(response, 403, { message: "You don't have access to the model." }),
  stale: (response) => sendJson(response, 400, { message: `Signature expired: ${KEYS.sessionToken} is now earlier` }),
  unknown: (response) => sendJson(response, 404, { message: 'Could not resolve the foundation model.' }),
  busy: (response) => sendJson(response, 503, { message: 'Bedrock is unable to process your request.' }),
  flex: (response) => sendJson(response, 200, whole([{ text: 'late' }], 'end_turn', { serviceTier: { type: 'flex' } })),
};

/** Mantle: OpenAI's form and Anthropic's, each below a path of its own. */
async function answerAsMantle(request: ReceivedRequest, response: ServerResponse): Promise<void> {
  const fault = await signatureFault(request, KEYS, { region: 'eu-west-1', service: 'bedrock-mantle' });
  if (fault) sendJson(response, 401, { error: { message: fault } });
  else if (request.path === '/anthropic/v1/messages') {
    const said = [{ type: 'text', text: 'from Claude' }];
    sendJson(response, 200, {
      type: 'message',
      content: said,
      stop_reason: 'end_turn',
      usage: { input_tokens: 1, output_tokens: 2 },
    });
  } else {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(MANTLE_STREAM);
  }
}

const MANTLE_STREAM =
  chunkEvent({ role: 'assistant', content: 'from Mantle' }) + chunkEvent({}, 'stop') + USAGE_EVENT + DONE_EVENT;

async function answer(request: ReceivedRequest, response: ServerResponse): Promise<void> {
  if (!request.path.startsWith('/model/')) {
    await answerAsMantle(request, response);
    return;
  }
  const [, , model = '', operation] = request.path.split('/').map(decodeURIComponent);
  if (request.headers.authorization === 'Bearer bedrock-key') {
    sendJson(response, 200, whole([{ text: 'by key' }]));
    return;
  }
  const region = model === 'text-in-tokyo' ? 'ap-northeast-1' : 'eu-west-1';
  const fault = await signatureFault(request, KEYS, scopeOf(region));
  if (fault) sendJson(response, 403, { message: fault });
  else if (model === 'text-in-tokyo') sendJson(response, 200, whole([{ text: 'Tokyo' }]));
  else {
    const script = scripts[operation === 'converse-stream' ? `${model}-stream` : model];
    if (script) script(response);
    else sendJson(response, 404, { message: `no script for ${request.path}` });
  }
}

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  provider = await startProvider((request, response) => void answer(request, response));
  const type = 'provider-account/aws-bedrock';
  const keys = {
    type: 'access-key-based',
    access_key_id: KEYS.accessKeyId,
    secret_access_key: KEYS.secretAccessKey,
    session_token: KEYS.sessionToken,
  };
  const account = { type, region: 'eu-west-1', base_url: provider.origin };
  const model = (name: string, model_id: string, more: object = {}) => ({
    name,
    model_id,
    type: 'integration/model/bedrock',
    model_types: ['chat'],
    ...more,
  });
  gateway = await startGateway({
    manifests: [
      { ...account, name: 'aws', auth_data: keys },
      {
        ...account,
        name: 'wrong',
        auth_data: { ...keys, secret_access_key: 'another+secret+of+forty+characters+12345' },
      },
      { ...account, type: 'provider-account/aws-bedrock-mantle', name: 'mantle', auth_data: keys },
      { ...account, name: 'bearer', auth_data: { type: 'api-key', api_key: 'bedrock-key' } },
      {
        ...account,
        name: 'listed',
        auth_data: keys,
        integrations: [
          model('here', 'text'),
          model('tokyo', 'text-in-tokyo', { region: 'ap-northeast-1' }),
          model('profile', ARN),
        ],
      },
    ],
  });
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});
disposeAfter(() => [gateway, provider]);

const asked = (model: string, more: object = {}) => ask(gateway, { model, messages, ...more });

describe('the openai SDK against Bedrock', () => {
  test('a completion is created by a signed Converse request', async () => {
    const completion = await client.chat.completions.create({
      model: 'aws/text',
      messages: [{ role: 'user', content: 'hi' }],
    });
    assert.equal(completion.choices[0]?.message.content, 'Grüezi');
    assert.equal(completion.choices[0]?.finish_reason, 'stop');
    assert.equal(completion.usage?.total_tokens, 12);
    assert.equal(provider.requests.at(-1)?.path, '/model/text/converse');
  });

  test('a stream of frames is a stream of chunks', async () => {
    const stream = await client.chat.completions.create({
      model: 'aws/text',
      messages: [{ role: 'user', content: 'hi' }],
      stream: true,
    });
    let content = '';
    for await (const chunk of stream) content += chunk.choices[0]?.delta.content ?? '';
    assert.equal(content, 'Grüezi');
    assert.equal(provider.requests.at(-1)?.path, '/model/text/converse-stream');
  });
});

test('a turn with signed thinking, a call, an image, a document and a cache mark goes on as Bedrock gave it', async () => {
  const cache_control = { type: 'ephemeral' };
  const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object' } } }];
  const first = await asked('aws/thinking', { tools, stream: true });
  const said = fromStream(Buffer.from(await first.arrayBuffer()));
  assert.deepEqual([said.reasoning, said.finish], ['I look it up.', 'tool_calls']);
  const second = await asked('aws/thinking', {
    tools,
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'hi', cache_control },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
          { type: 'file', file: { filename: 'a.csv', file_data: 'data:text/csv;base64,AAAA' } },
        ],
      },
      {
        role: 'assistant',
        content: null,
        thinking_blocks: said.thinkingBlocks,
        tool_calls: said.toolCalls.map(({ id, name, arguments: text }) => ({
          id,
          type: 'function',
          function: { name, arguments: text },
        })),
      },
      { role: 'tool', tool_call_id: said.toolCalls[0]!.id, content: '12 °C' },
    ],
  });
  assert.equal(second.status, 200);
  const { messages: turns } = JSON.parse(provider.requests.at(-1)!.body.toString());
  assert.deepEqual(turns, [
    {
      role: 'user',
      content: [
        { text: 'hi' },
        { cachePoint: { type: 'default' } },
        { image: { format: 'png', source: { bytes: 'AAAA' } } },
        { document: { format: 'csv', name: 'a', source: { bytes: 'AAAA' } } },
      ],
    },
    {
      role: 'assistant',
      content: [
        { reasoningContent: { reasoningText: { text: 'I look it up.', signature: 'EqoBCkgIBxABGAIqQ+/=' } } },
        { toolUse: { toolUseId: 'tooluse_1', name: 'weather', input: { city: 'Zürich' } } },
      ],
    },
    { role: 'user', content: [{ toolResult: { toolUseId: 'tooluse_1', content: [{ text: '12 °C' }] } }] },
  ]);
});

describe('authorisation of Bedrock', () => {
  test('an API key of Bedrock goes out as a bearer token, unsigned', async () => {
    const response = await asked('bearer/text');
    assert.equal(response.status, 200);
    assert.equal(provider.requests.at(-1)?.headers['x-amz-date'], undefined);
  });

  test('a model of another region is signed for that region, and an ARN is signed as it is encoded', async () => {
    for (const [model, content] of [
      ['listed/here', 'Grüezi'],
      ['listed/tokyo', 'Tokyo'],
      ['listed/profile', 'by profile'],
    ] as const) {
      const response = await asked(model);
      assert.equal(response.status, 200, model);
      const { choices } = JSON.parse(await response.text());
      assert.equal(choices[0].message.content, content);
    }
  });

  test('a request of megabytes, which another thread translates, is signed over all of it', async () => {
    const response = await asked('aws/text', { messages: [{ role: 'user', content: 'ü'.repeat(1_500_000) }] });
    assert.equal(response.status, 200);
    assert.ok((provider.requests.at(-1)?.body.length ?? 0) > 3_000_000);
  });

  test('headers that a client sends are not signed, and its credentials do not reach Bedrock', async () => {
    const response = await ask(
      gateway,
      { model: 'aws/text', messages },
      {
        headers: {
          traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
          'x-amz-security-token': 'mine',
        },
      },
    );
    assert.equal(response.status, 200);
    const { headers } = provider.requests.at(-1)!;
    assert.match(String(headers.authorization), /SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,/);
    assert.equal(headers['x-amz-security-token'], KEYS.sessionToken);
  });

  test('a refused signature is the account’s fault, and neither keys nor session token are read in the answer or the log', async () => {
    const response = await ask(
      gateway,
      { model: 'wrong/text', messages },
      { headers: { 'x-request-id': 'wrong-secret' } },
    );
    const error = await errorOf(response);
    assert.deepEqual([response.status, error.code], [502, 'upstream_credential']);
    const line = JSON.stringify(await recordOf(gateway, 'wrong-secret'));
    assert.match(line, /request signature we calculated/);
    for (const secret of [KEYS.sessionToken, KEYS.accessKeyId]) {
      assert.ok(!JSON.stringify(error).includes(secret));
      assert.ok(!line.includes(secret), secret);
    }
  });
});

describe('Bedrock Mantle', () => {
  for (const [model, path] of [
    ['openai.gpt-oss-20b', '/v1/chat/completions'],
    ['openai.gpt-5.6-sol', '/openai/v1/chat/completions'],
  ] as const) {
    test(`a stream of ${model} is passed byte for byte, signed as Mantle wants it`, async () => {
      const response = await asked(`mantle/${model}`, { stream: true, stream_options: { include_usage: true } });
      assert.equal(await response.text(), MANTLE_STREAM);
      const received = provider.requests.at(-1)!;
      assert.equal(received.path, path);
      assert.equal(JSON.parse(received.body.toString()).model, model);
    });
  }

  test('Claude is asked in its own form', async () => {
    const response = await asked('mantle/anthropic.claude-haiku-4-5');
    assert.equal(JSON.parse(await response.text()).choices[0].message.content, 'from Claude');
    assert.equal(provider.requests.at(-1)!.headers['anthropic-version'], '2023-06-01');
  });
});

describe('what Bedrock refuses', () => {
  for (const [model, status, code] of [
    ['throttled', 429, 'upstream_rate_limited'],
    ['denied-model', 502, 'upstream_credential'],
    ['stale', 502, 'upstream_credential'],
    ['unknown', 404, 'upstream_rejected'],
    ['busy', 503, 'upstream_overloaded'],
  ] as const) {
    test(`the refusal of \`${model}\` is ${status} for the client`, async () => {
      const response = await asked(`aws/${model}`);
      assert.equal(response.status, status);
      assert.equal((await errorOf(response)).code, code);
      if (status === 429) assert.equal(response.headers.get('retry-after'), '7');
    });
  }

  test('a signature of reasoning that Bedrock refuses is the client’s own fault, in Bedrock’s words', async () => {
    const response = await asked('aws/invalid');
    assert.equal(response.status, 400);
    assert.match((await errorOf(response)).message, /Invalid `signature` in `thinking` block/);
  });
});

describe('exceptions within a stream of Bedrock', () => {
  for (const [model, status, code] of [
    ['throttled-first', 429, 'upstream_rate_limited'],
    ['unavailable-first', 503, 'upstream_overloaded'],
    ['damaged-first', 502, 'upstream_protocol'],
  ] as const) {
    test(`\`${model}\` before any content has its own status`, async () => {
      const response = await asked(`aws/${model}`, { stream: true });
      assert.equal(response.status, status);
      assert.equal((await errorOf(response)).code, code);
    });
  }

  for (const [model, words] of [
    ['throttled-late', /Too many tokens, please wait/],
    ['failed-late', /An internal server error/],
    ['damaged-late', /checksum of an event of its stream is wrong/],
  ] as const) {
    test(`\`${model}\` behind content is an error event, and the stream is cut`, async () => {
      const stream = new ChatStream(gateway, { model: `aws/${model}`, messages, stream: true });
      assert.equal(await stream.ended(), 'cut');
      const said = stream.text();
      assert.match(said, /half an ans/);
      assert.match(said.slice(said.indexOf('data: {"error"')), words);
      assert.ok(!said.includes('[DONE]') && !said.includes('lost'));
    });
  }
});

test('a tier that Bedrock says it served is in the record, and its unknown price makes the cost unknown', async () => {
  const response = await ask(
    gateway,
    { model: 'aws/flex', messages, service_tier: 'flex' },
    { headers: { 'x-request-id': 'served-flex' } },
  );
  assert.equal(response.status, 200);
  assert.deepEqual(JSON.parse(provider.requests.at(-1)!.body.toString()).serviceTier, { type: 'flex' });
  const record = await recordOf(gateway, 'served-flex');
  assert.equal(Object.entries(record).find(([name]) => name.includes('service_tier'))?.[1], 'flex');
});

test('a role’s keys are renewed ahead of their end; while that fails the old ones stay, and then the account has none', async (t) => {
  const LIFE_MS = 4_000;
  const keysOf = (number: number) => ({ ...KEYS, sessionToken: `${KEYS.sessionToken}${number}`, lifeMs: LIFE_MS });
  const sts = await startSts(keysOf(1));
  t.after(() => sts[Symbol.asyncDispose]());
  const roleProvider = await startProvider(async (request, response) => {
    const sessionToken = String(request.headers['x-amz-security-token']);
    const fault = await signatureFault(request, { ...KEYS, sessionToken }, scopeOf('eu-west-1'));
    sendJson(response, fault ? 403 : 200, fault ? { message: fault } : whole([{ text: sessionToken.slice(-1) }]));
  });
  t.after(() => roleProvider[Symbol.asyncDispose]());
  const auth_data = {
    type: 'assumed-role-based',
    assumed_role_arn: 'arn:aws:iam::123456789012:role/r',
    external_id: 'x',
  };
  const account = { type: 'provider-account/aws-bedrock', name: 'role', region: 'eu-west-1', auth_data };
  const roleGateway = await startGateway({
    environment: stsEnvironment(sts),
    manifests: [{ ...account, base_url: roleProvider.origin }],
  });
  t.after(() => roleGateway[Symbol.asyncDispose]());
  const said = async (): Promise<string> => {
    const response = await ask(roleGateway, { model: 'role/m', messages });
    if (response.status !== 200) return (await errorOf(response)).code;
    return JSON.parse(await response.text()).choices[0].message.content;
  };
  await eventually('the first keys are there', async () => (await said()) === '1');
  sts.next = keysOf(2);
  await eventually('the next keys are used', async () => (await said()) === '2');
  sts.next = 'User: arn:aws:iam::1:user/g is not authorized to perform: sts:AssumeRole';
  const calls = sts.asked.length;
  await eventually('it was tried to renew them', () => sts.asked.length > calls);
  assert.equal(await said(), '2');
  await eventually('they ended', async () => (await said()) === 'account_token_missing');
  assert.match(roleGateway.output(), /cannot be renewed; it is used until it ends/);
  assert.match(roleGateway.output(), /not authorized to perform: sts:AssumeRole/);
  assert.ok(!roleGateway.output().includes(KEYS.secretAccessKey) && !roleGateway.output().includes('gateway-secret'));
});
