import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import OpenAI from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  provider = await startProvider(({ path }, response) => {
    if (path.includes('count_tokens')) sendJson(response, 200, { input_tokens: 17 });
    else if (path.endsWith('/messages')) {
      const content = [{ type: 'text', text: 'Ada asked about locks.' }];
      const usage = { input_tokens: 5, output_tokens: 7 };
      const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude' };
      sendJson(response, 200, { ...message, content, stop_reason: 'end_turn', usage });
    } else if (path.includes('countTokens')) sendJson(response, 200, { totalTokens: 19 });
    else if (path.endsWith('/responses')) {
      sendJson(response, 200, { id: 'resp_1', object: 'response', status: 'completed', output: [], usage: null });
    } else sendJson(response, 200, completion('Ada asked about locks.'));
  });
  const key = { type: 'api-key', api_key: 'sk-other' };
  const integrations = [
    { name: 'gpt', type: 'integration/model/openai', model_id: 'gpt-5', model_types: ['chat', 'responses'] },
  ];
  gateway = await startGateway({
    manifests: [
      openAccount('chats', `${provider.origin}/v1`),
      openAccount('own', `${provider.origin}/v1`, { integrations }),
      { type: 'provider-account/anthropic', name: 'claude', base_url: provider.origin, auth_data: key },
      {
        type: 'provider-account/google-gemini',
        name: 'gemini',
        base_url: `${provider.origin}/v1beta`,
        auth_data: { type: 'api-key', apiKey: 'sk-of-gemini' },
      },
    ],
  });
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});
disposeAfter(() => [gateway, provider]);

const lastRequest = () => JSON.parse(provider.requests.at(-1)!.body.toString());
const CONVERSATION = [
  { role: 'user' as const, content: 'I am Ada. What is a lock?' },
  { type: 'function_call' as const, call_id: 'c1', name: 'look_up', arguments: '{"word":"lock"}' },
  { type: 'function_call_output' as const, call_id: 'c1', output: 'A chamber with gates.' },
  { role: 'assistant' as const, content: 'A chamber between two gates.' },
];

for (const model of ['chats/m', 'claude/claude-sonnet-4-5'])
  test(`a conversation is made short by ${model}, and is gone on from over any provider`, async () => {
    const compacted = await client.responses.compact({ model, input: CONVERSATION });
    assert.equal(compacted.object, 'response.compaction');
    assert.deepEqual(
      compacted.output.map(({ type }) => type),
      ['message', 'compaction'],
    );
    assert.equal(compacted.usage?.total_tokens, 12);
    const asked = JSON.stringify(lastRequest());
    assert.match(asked, /A chamber with gates/);
    assert.match(asked, /look_up/);
    assert.equal(lastRequest().tools, undefined);
    const input = [...(compacted.output as OpenAI.Responses.ResponseInputItem[]), CONVERSATION[0]!];
    await client.responses.create({ model: 'chats/m', input });
    assert.match(JSON.stringify(lastRequest().messages), /Summary of the conversation so far:.*Ada asked about locks/);
    await client.responses.create({ model: 'own/gpt', input });
    assert.ok(!provider.requests.at(-1)!.body.includes('sluice.1.'), 'no other vendor sees what we carry');
    assert.match(provider.requests.at(-1)!.body.toString(), /Summary of the conversation so far:/);
  });

test('a compaction that another provider made is refused by name where it cannot be read', async () => {
  const input = [{ type: 'compaction' as const, encrypted_content: 'gAAAAABk' }, CONVERSATION[0]!];
  await assert.rejects(client.responses.create({ model: 'chats/m', input }), { status: 400, param: 'input[0].type' });
  await client.responses.create({ model: 'own/gpt', input });
  assert.equal(lastRequest().input[0].encrypted_content, 'gAAAAABk');
});

test('a body that cannot be a request is refused by name where tokens are estimated or a summary is asked for', async () => {
  const refused = async (path: string, body: object) => {
    const response = await fetch(`${gateway.url}/v1/responses${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'chats/m', ...body }),
    });
    const { error } = (await response.json()) as { error: { code: string; param: string; message: string } };
    return [response.status, error.code, error.param, error.message] as const;
  };
  const at = async (...given: Parameters<typeof refused>) => (await refused(...given)).slice(0, 3);
  assert.deepEqual(await at('/input_tokens', {}), [400, 'missing_parameter', 'input']);
  assert.deepEqual(await at('/input_tokens', { input: 5 }), [400, 'invalid_parameter', 'input']);
  assert.deepEqual(await at('/input_tokens', { input: [{ type: 'nope' }] }), [
    400,
    'invalid_parameter',
    'input[0].type',
  ]);
  assert.deepEqual(await at('/compact', { input: [] }), [400, 'invalid_parameter', 'input']);
  assert.deepEqual(await at('', { input: 'Hi', conversation: 5 }), [400, 'invalid_parameter', 'conversation']);
  const [, , , message] = await refused('', { input: 5 });
  assert.match(message, /`input` must be a text or a list of items, not 5\./);
});

test('the answer before is made short by its id', async () => {
  const first = await client.responses.create({ model: 'chats/m', input: 'My name is Ada.' });
  await client.responses.compact({ model: 'chats/m', previous_response_id: first.id });
  assert.match(JSON.stringify(lastRequest()), /My name is Ada/);
});

test('tokens are counted by a provider that counts, and else estimated, which is said', async () => {
  const count = async (model: string) => {
    const { data, response } = await client.responses.inputTokens.count({ model, input: CONVERSATION }).withResponse();
    assert.equal(data.object, 'response.input_tokens');
    return { tokens: data.input_tokens, estimated: response.headers.get('x-sluice-estimated') };
  };
  assert.deepEqual(await count('claude/claude-sonnet-4-5'), { tokens: 17, estimated: null });
  assert.equal(lastRequest().max_tokens, undefined);
  assert.deepEqual(await count('gemini/gemini-2.5-flash'), { tokens: 19, estimated: null });
  const { tokens, estimated } = await count('chats/m');
  assert.ok(tokens > 20 && tokens < 80, `${tokens}`);
  assert.equal(estimated, 'input_tokens');
});
