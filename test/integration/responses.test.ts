import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import type { ResponseStreamEvent } from 'openai/resources/responses/responses';
import { z } from 'zod';
import { awsEvent } from '../support/aws-events.ts';
import { KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import {
  chunkEvent,
  completion,
  DONE_EVENT,
  type FakeProvider,
  type ReceivedRequest,
  sendJson,
  startProvider,
  USAGE_EVENT,
} from '../support/provider.ts';
import { fromResponseStream } from '../support/response-answer.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

/* Five providers at one address, each in its own form; each streams a text, or calls the tool that it is given. */

const fixture = (file: string) => readFileSync(join(import.meta.dirname, '../fixtures', file));
const passed = { whole: fixture('responses/text.json'), stream: fixture('responses/text.sse') };
const event = (value: { type: string; [field: string]: unknown }) =>
  `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;

type Reply = (response: ServerResponse, asked: Asked) => void;
interface Asked {
  readonly stream: boolean;
  readonly calls: boolean;
}

const chat: Reply = (response, { stream, calls }) => {
  const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Bern"}' } };
  if (!stream) {
    const message = calls ? { role: 'assistant', content: null, tool_calls: [call] } : undefined;
    const made = { ...completion('Grüezi') } as { choices: object[] };
    if (message) made.choices = [{ index: 0, message, finish_reason: 'tool_calls' }];
    sendJson(response, 200, made);
    return;
  }
  startEvents(response);
  if (calls) {
    response.write(chunkEvent({ tool_calls: [{ index: 0, ...call, function: { name: 'weather', arguments: '' } }] }));
    for (const piece of ['{"city"', ':"Bern"}']) {
      response.write(chunkEvent({ tool_calls: [{ index: 0, function: { arguments: piece } }] }));
    }
    response.end(chunkEvent({}, 'tool_calls') + USAGE_EVENT + DONE_EVENT);
  } else {
    const words = chunkEvent({ content: 'Grü' }) + chunkEvent({ content: 'ezi' });
    response.end(words + chunkEvent({}, 'stop') + USAGE_EVENT + DONE_EVENT);
  }
};

const claude: Reply = (response, { stream, calls }) => {
  const usage = { input_tokens: 5, output_tokens: 7 };
  const content = calls
    ? [
        { type: 'thinking', thinking: 'I look it up.', signature: 'Sig+/==' },
        { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Bern' } },
      ]
    : [{ type: 'text', text: 'Grüezi' }];
  const stop = calls ? 'tool_use' : 'end_turn';
  const message = {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude',
    content,
    stop_reason: stop,
    usage,
  };
  if (!stream) {
    sendJson(response, 200, message);
    return;
  }
  startEvents(response);
  response.write(event({ type: 'message_start', message: { ...message, content: [], stop_reason: null } }));
  const deltas = calls
    ? [
        [
          { type: 'thinking', thinking: '', signature: '' },
          { type: 'thinking_delta', thinking: 'I look it up.' },
        ],
        [
          { ...content[1], input: {} },
          { type: 'input_json_delta', partial_json: '{"city":"Bern"}' },
        ],
      ]
    : [
        [
          { type: 'text', text: '' },
          { type: 'text_delta', text: 'Grüezi' },
        ],
      ];
  for (const [index, [block, delta]] of deltas.entries()) {
    response.write(event({ type: 'content_block_start', index, content_block: block }));
    response.write(event({ type: 'content_block_delta', index, delta }));
    if (calls && index === 0) {
      const signature = { type: 'signature_delta', signature: 'Sig+/==' };
      response.write(event({ type: 'content_block_delta', index, delta: signature }));
    }
    response.write(event({ type: 'content_block_stop', index }));
  }
  response.write(event({ type: 'message_delta', delta: { stop_reason: stop }, usage: { output_tokens: 7 } }));
  response.end(event({ type: 'message_stop' }));
};

const gemini: Reply = (response, { stream, calls }) => {
  const parts = calls
    ? [{ functionCall: { name: 'weather', args: { city: 'Bern' } }, thoughtSignature: 'CiQB' }]
    : [{ text: 'Grüezi' }];
  const usageMetadata = { promptTokenCount: 5, candidatesTokenCount: 7, totalTokenCount: 12 };
  const answer = { candidates: [{ content: { role: 'model', parts }, finishReason: 'STOP', index: 0 }], usageMetadata };
  if (!stream) sendJson(response, 200, answer);
  else {
    startEvents(response);
    response.end(`data: ${JSON.stringify(answer)}\r\n\r\n`);
  }
};

const bedrock: Reply = (response, { stream, calls }) => {
  const usage = { inputTokens: 5, outputTokens: 7, totalTokens: 12 };
  const toolUse = { toolUseId: 'tooluse_1', name: 'weather' };
  const stopReason = calls ? 'tool_use' : 'end_turn';
  if (!stream) {
    const content = calls ? [{ toolUse: { ...toolUse, input: { city: 'Bern' } } }] : [{ text: 'Grüezi' }];
    sendJson(response, 200, { output: { message: { role: 'assistant', content } }, stopReason, usage });
    return;
  }
  response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
  const delta = calls ? { toolUse: { input: '{"city":"Bern"}' } } : { text: 'Grüezi' };
  const frames = [
    awsEvent('messageStart', { role: 'assistant' }),
    ...(calls ? [awsEvent('contentBlockStart', { contentBlockIndex: 0, start: { toolUse } })] : []),
    awsEvent('contentBlockDelta', { contentBlockIndex: 0, delta }),
    awsEvent('contentBlockStop', { contentBlockIndex: 0 }),
    awsEvent('messageStop', { stopReason }),
    awsEvent('metadata', { usage }),
  ];
  response.end(Buffer.concat(frames));
};

const responses: Reply = (response, { stream }) => {
  response.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' });
  response.end(stream ? passed.stream : passed.whole);
};

function answer(request: ReceivedRequest, response: ServerResponse): void {
  const { path } = request;
  const body = JSON.parse(request.body.toString());
  const text = JSON.stringify(body);
  const asked = {
    stream: body.stream === true || /stream/i.test(path),
    // Not behind a result.
    calls: /weather/.test(text) && !/12 degrees/.test(text),
  };
  if (text.includes('break off')) {
    startEvents(response);
    response.write(chunkEvent({ content: 'Half' }));
    setImmediate(() => response.destroy());
  } else if (path.endsWith('/responses')) responses(response, asked);
  else if (path.endsWith('/chat/completions')) chat(response, asked);
  else if (path.endsWith('/messages')) claude(response, asked);
  else if (path.includes('enerateContent')) gemini(response, asked);
  else bedrock(response, asked);
}

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  provider = await startProvider(answer);
  const { origin } = provider;
  const key = (name: string) => ({ type: 'api-key', api_key: name });
  gateway = await startGateway({
    manifests: [
      openAccount('own', `${origin}/v1`, {
        integrations: [
          { name: 'gpt', type: 'integration/model/openai', model_id: 'gpt-5-nano', model_types: ['chat', 'responses'] },
        ],
      }),
      openAccount('chats', `${origin}/v1`),
      { type: 'provider-account/anthropic', name: 'claude', base_url: origin, auth_data: key('sk-of-claude') },
      {
        type: 'provider-account/google-gemini',
        name: 'gemini',
        base_url: `${origin}/v1beta`,
        auth_data: { type: 'api-key', apiKey: 'sk-of-gemini' },
      },
      {
        type: 'provider-account/aws-bedrock',
        name: 'bedrock',
        region: 'us-east-1',
        base_url: origin,
        auth_data: key('sk-of-bedrock'),
      },
    ],
  });
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await provider?.[Symbol.asyncDispose]();
});

const lastRequest = () => JSON.parse(provider.requests.at(-1)!.body.toString());
const weather = {
  type: 'function' as const,
  name: 'weather',
  description: 'of a city',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  strict: false,
};
const TRANSLATED = [
  'chats/gpt-oss',
  'claude/claude-sonnet-4-5',
  'gemini/gemini-2.5-flash',
  'bedrock/amazon.nova-pro-v1:0',
];

describe('a provider that has this form', () => {
  test('a stream passes byte for byte, and its usage is in the record', async () => {
    const body = { model: 'own/gpt', input: 'Hi', stream: true, unknown: 1.5 };
    const response = await fetch(`${gateway.url}/v1/responses`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', 'x-request-id': 'passed-1' },
      body: JSON.stringify(body),
    });
    assert.equal(response.status, 200);
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), passed.stream);
    assert.equal(provider.requests.at(-1)!.path, '/v1/responses');
    assert.equal(provider.requests.at(-1)!.body.toString(), JSON.stringify({ ...body, model: 'gpt-5-nano' }));
    const record = await recordOf(gateway, 'passed-1');
    assert.equal(record['gen_ai.usage.input_tokens'], 69);
    assert.equal(record['gen_ai.usage.output_tokens'], 31);
    assert.equal(record['gen_ai.usage.cache_read.input_tokens'], 16);
  });

  test('a whole response passes byte for byte', async () => {
    const { data, response } = await client.responses.create({ model: 'own/gpt', input: 'Hi' }).withResponse();
    assert.match(data.output_text, /^A sluice/);
    assert.equal(response.headers.get('x-tfy-resolved-model'), 'own/gpt');
  });
});

for (const model of TRANSLATED) {
  describe(`asked of ${model}`, () => {
    test('a whole response is what the SDK reads', async () => {
      const response = await client.responses.create({
        model,
        instructions: 'Be brief.',
        input: [{ role: 'user', content: [{ type: 'input_text', text: 'Hi' }] }],
        max_output_tokens: 4_000,
        metadata: { team: 'a' },
        store: false,
      });
      assert.equal(response.output_text, 'Grüezi');
      assert.equal(response.status, 'completed');
      assert.equal(response.instructions, 'Be brief.');
      assert.deepEqual(response.metadata, { team: 'a' });
      assert.deepEqual([response.usage?.input_tokens, response.usage?.output_tokens], [5, 7]);
      assert.match(JSON.stringify(lastRequest()), /Be brief\./);
    });

    test('a stream has every event in its order, and the SDK puts it together', async () => {
      const raw = await client.responses.create({ model, input: 'Hi', stream: true }).asResponse();
      const bytes = Buffer.from(await raw.arrayBuffer());
      assert.equal(fromResponseStream(bytes).content, 'Grüezi');
      assert.equal(fromResponseStream(bytes).finish, 'stop');

      const seen: ResponseStreamEvent[] = [];
      const stream = client.responses.stream({ model, input: 'Hi' });
      stream.on('event', (each) => seen.push(each as ResponseStreamEvent));
      const response = await stream.finalResponse();
      assert.equal(response.output_text, 'Grüezi');
      assert.equal(seen.at(-1)?.type, 'response.completed');
      assert.deepEqual([response.usage?.input_tokens, response.usage?.output_tokens], [5, 7]);
    });

    test('a tool is called, and its result goes back with all that its vendor wants to see again', async () => {
      const input: OpenAI.Responses.ResponseInput = [{ role: 'user', content: 'How is it in Bern?' }];
      const asked = { model, tools: [weather], reasoning: { effort: 'low' as const }, max_output_tokens: 4_000 };
      const called = await client.responses.stream({ ...asked, input }).finalResponse();
      const call = called.output.find((item) => item.type === 'function_call');
      assert.ok(call);
      assert.equal(call.name, 'weather');
      assert.deepEqual(JSON.parse(call.arguments), { city: 'Bern' });
      assert.equal(called.status, 'completed');

      const result = { type: 'function_call_output' as const, call_id: call.call_id, output: '12 degrees' };
      const history = called.output as OpenAI.Responses.ResponseInput;
      const next = await client.responses.create({ ...asked, input: [...input, ...history, result] });
      assert.equal(next.output_text, 'Grüezi');
      const sent = JSON.stringify(lastRequest());
      assert.doesNotMatch(sent, /sluice/);
      if (model.startsWith('claude')) assert.match(sent, /"signature":"Sig\+\/=="/);
      if (model.startsWith('gemini')) assert.match(sent, /"thoughtSignature":"CiQB"/);
    });
  });
}

describe('of what only this form has', () => {
  test('structured output is parsed by the SDK', async () => {
    const format = zodTextFormat(z.object({ city: z.string() }), 'place');
    const failing = client.responses.parse({ model: TRANSLATED[0]!, input: 'Where?', text: { format } });
    // The provider of this test answers no JSON: the SDK tried to parse it.
    await assert.rejects(failing, SyntaxError);
    const { response_format: sent } = lastRequest();
    assert.equal(sent.json_schema.name, 'place');
    assert.deepEqual(sent.json_schema.schema.required, ['city']);
  });

  test('a tool that the provider of the model has not is refused by name', async () => {
    for (const model of TRANSLATED) {
      const asked = client.responses.create({
        model,
        input: 'Hi',
        tools: [{ type: 'file_search', vector_store_ids: [] }],
      });
      await assert.rejects(asked, { status: 400, param: 'tools[0].type' });
    }
  });

  test('a custom tool is a function elsewhere, and its call is a custom call again', async () => {
    const model = TRANSLATED[0]!;
    const custom = { type: 'custom' as const, name: 'weather', description: 'Takes a city.' };
    const response = await client.responses.create({ model, input: 'weather', tools: [custom] });
    const [call] = response.output;
    assert.equal(call?.type, 'custom_tool_call');
    assert.equal(lastRequest().tools[0].function.parameters.required[0], 'input');
    const history = response.output as OpenAI.Responses.ResponseInput;
    const result = { type: 'custom_tool_call_output' as const, call_id: 'call_1', output: '12 degrees' };
    await client.responses.create({
      model,
      input: [{ role: 'user', content: 'Hi' }, ...history, result],
      tools: [custom],
    });
    const { messages } = lastRequest();
    assert.equal(messages[1].tool_calls[0].function.name, 'weather');
    assert.equal(messages[2].role, 'tool');
  });

  test('a stream that breaks off ends with response.failed behind an error that the SDK raises', async () => {
    const model = TRANSLATED[0]!;
    const raw = await client.responses.create({ model, input: 'break off', stream: true }).asResponse();
    let text = '';
    await assert.rejects(async () => {
      for await (const bytes of raw.body!) text += Buffer.from(bytes).toString();
    });
    const events = text
      .split('\n')
      .filter((line) => line.startsWith('data: '))
      .map((line) => JSON.parse(line.slice(6)));
    const types = events.map(({ type }) => type);
    assert.deepEqual(types.slice(-2), ['response.output_item.done', 'response.failed']);
    assert.ok(types.includes('error'));
    assert.equal(events.at(-1).response.status, 'failed');
    assert.equal(events.at(-1).response.output[0].content[0].text, 'Half');

    const stream = await client.responses.create({ model, input: 'break off', stream: true });
    await assert.rejects(async () => {
      for await (const each of stream) assert.ok(each.type);
    }, OpenAI.APIError);
  });

  test('what a request lacks is told in the words of its form', async () => {
    const asked = (body: object) => client.post('/responses', { body });
    await assert.rejects(asked({ model: TRANSLATED[0] }), { status: 400, param: 'input' });
    await assert.rejects(asked({ input: 'Hi' }), { status: 400, param: 'model' });
    await assert.rejects(asked({ model: TRANSLATED[0], input: [{ type: 'computer_call' }] }), {
      status: 400,
      param: 'input[0].type',
    });
    await assert.rejects(asked({ model: TRANSLATED[0], input: 'Hi', prompt: { id: 'pmpt_1' } }), {
      status: 400,
      param: 'prompt',
    });
  });
});
