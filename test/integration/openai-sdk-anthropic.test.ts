import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { byModel, startEvents } from '../support/scripted-provider.ts';

const messages = [
  { role: 'system' as const, content: 'Be brief.' },
  { role: 'user' as const, content: 'hi' },
];
const tools = ['weather', 'time'].map((name) => ({
  type: 'function' as const,
  function: { name, description: name, parameters: { type: 'object', properties: {} } },
}));

const usage = { input_tokens: 10, cache_read_input_tokens: 3, cache_creation_input_tokens: 2, output_tokens: 1 };
const message = (content: object[], stop: string | null) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-sonnet-4-5',
  content,
  stop_reason: stop,
  stop_sequence: null,
  usage: { ...usage, output_tokens: 20 },
});
const calls = [
  { type: 'tool_use', id: 'toolu_a', name: 'weather', input: { city: 'Zürich' } },
  { type: 'tool_use', id: 'toolu_b', name: 'time', input: { zone: 'CET' } },
];
const event = (value: { type: string } & Record<string, unknown>) =>
  `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
const opening = event({
  type: 'message_start',
  message: { ...message([], null), usage },
});
const closing = (stop: string) =>
  event({ type: 'message_delta', delta: { stop_reason: stop, stop_sequence: null }, usage: { output_tokens: 20 } }) +
  event({ type: 'message_stop' });
const block = (index: number, start: object, deltas: object[]) =>
  event({ type: 'content_block_start', index, content_block: start }) +
  deltas.map((delta) => event({ type: 'content_block_delta', index, delta })).join('') +
  event({ type: 'content_block_stop', index });
const argumentsOf = (pieces: string[]) => pieces.map((piece) => ({ type: 'input_json_delta', partial_json: piece }));

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  provider = await startProvider(
    byModel({
      'claude-text': (request, response) => {
        if (!JSON.parse(request.body.toString()).stream) {
          sendJson(response, 200, message([{ type: 'text', text: 'Grüezi' }], 'end_turn'));
          return;
        }
        startEvents(response);
        response.write(opening + event({ type: 'ping' }));
        response.write(
          block(0, { type: 'text', text: '' }, [
            { type: 'text_delta', text: 'Grü' },
            { type: 'text_delta', text: 'ezi' },
          ]),
        );
        response.end(closing('end_turn'));
      },
      'claude-tools': (request, response) => {
        if (!JSON.parse(request.body.toString()).stream) {
          sendJson(response, 200, message(calls, 'tool_use'));
          return;
        }
        startEvents(response);
        response.write(opening);
        response.write(
          block(
            0,
            { type: 'tool_use', id: 'toolu_a', name: 'weather', input: {} },
            argumentsOf(['', '{"city": "Zür', 'ich"}']),
          ),
        );
        response.write(
          block(1, { type: 'tool_use', id: 'toolu_b', name: 'time', input: {} }, argumentsOf(['{"zone"', ': "CET"}'])),
        );
        response.end(closing('tool_use'));
      },
      'claude-thinks': (request, response) => {
        if (!JSON.parse(request.body.toString()).stream) {
          const thought = { type: 'thinking', thinking: 'hm', signature: 's1' };
          const hidden = { type: 'redacted_thinking', data: 'x' };
          sendJson(response, 200, message([thought, hidden, { type: 'text', text: 'Grüezi' }], 'pause_turn'));
          return;
        }
        startEvents(response);
        response.write(opening);
        response.write(
          block(0, { type: 'thinking', thinking: '', signature: '' }, [
            { type: 'thinking_delta', thinking: 'hm' },
            { type: 'signature_delta', signature: 's1' },
          ]),
        );
        response.write(block(1, { type: 'redacted_thinking', data: 'x' }, []));
        response.write(block(2, { type: 'text', text: '' }, [{ type: 'text_delta', text: 'Grüezi' }]));
        response.end(closing('pause_turn'));
      },
      'claude-busy': (_request, response) =>
        sendJson(
          response,
          429,
          { type: 'error', error: { type: 'rate_limit_error', message: 'slow down' } },
          { 'retry-after': '9', 'anthropic-ratelimit-requests-remaining': '0' },
        ),
      'claude-overloaded': (_request, response) => {
        startEvents(response);
        response.end(event({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }));
      },
      'claude-breaks': (_request, response) => {
        startEvents(response);
        response.write(opening + block(0, { type: 'text', text: '' }, [{ type: 'text_delta', text: 'half an ans' }]));
        response.end(event({ type: 'error', error: { type: 'api_error', message: 'Internal server error' } }));
      },
    }),
  );
  gateway = await startGateway({
    manifests: [
      {
        type: 'provider-account/anthropic',
        name: 'anthropic',
        base_url: provider.origin,
        auth_data: { type: 'api-key', api_key: 'sk-ant-secret' },
      },
    ],
  });
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});
disposeAfter(() => [gateway, provider]);

describe('the openai SDK against a model of Anthropic', () => {
  test('the openai SDK creates a completion by a request of the Messages API', async () => {
    const answer = await client.chat.completions.create({ model: 'anthropic/claude-text', messages, max_tokens: 50 });
    assert.equal(answer.object, 'chat.completion');
    assert.equal(answer.choices[0]?.message.content, 'Grüezi');
    assert.equal(answer.choices[0]?.finish_reason, 'stop');
    assert.equal(answer.usage?.prompt_tokens, 15);
    assert.equal(answer.usage?.completion_tokens, 20);
    assert.equal(answer.usage?.prompt_tokens_details?.cached_tokens, 3);
    const sent = provider.requests.at(-1)!;
    assert.equal(sent.path, '/v1/messages');
    assert.equal(sent.headers['x-api-key'], 'sk-ant-secret');
    assert.equal(sent.headers.authorization, undefined);
    const body = JSON.parse(sent.body.toString());
    assert.equal(body.model, 'claude-text');
    assert.equal(body.max_tokens, 50);
    assert.deepEqual(body.system, [{ type: 'text', text: 'Be brief.' }]);
    assert.deepEqual(body.messages, [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }]);
  });

  test('the openai SDK reads a translated stream, with usage only where it asked for it', async () => {
    for (const asked of [true, false]) {
      const stream = await client.chat.completions.create({
        model: 'anthropic/claude-text',
        messages,
        stream: true,
        ...(asked ? { stream_options: { include_usage: true } } : {}),
      });
      let text = '';
      let finish: string | undefined;
      const usages: unknown[] = [];
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? '';
        finish = chunk.choices[0]?.finish_reason ?? finish;
        if (chunk.usage) usages.push([chunk.usage.prompt_tokens, chunk.usage.completion_tokens]);
      }
      assert.equal(text, 'Grüezi');
      assert.equal(finish, 'stop');
      assert.deepEqual(usages, asked ? [[15, 20]] : []);
    }
  });

  test('with x-tfy-strict-openai a translated answer has the fields of OpenAI only, whole and streamed', async () => {
    const keysOf = (value: object) => Object.keys(value).toSorted();
    for (const strict of ['true', 'false']) {
      const request = { model: 'anthropic/claude-thinks', messages };
      const options = { headers: { 'x-tfy-strict-openai': strict } };
      const whole = await client.chat.completions.create(request, options);
      const own = ['content', 'refusal', 'role'];
      const added = strict === 'true' ? [] : ['reasoning_content', 'thinking_blocks'];
      assert.deepEqual(keysOf(whole.choices[0]!.message), [...own, ...added].toSorted());
      assert.equal(whole.choices[0]!.message.content, 'Grüezi');
      assert.equal(whole.choices[0]!.finish_reason, strict === 'true' ? 'length' : 'pause');
      const stream = await client.chat.completions.create({ ...request, stream: true }, options);
      const names = new Set<string>();
      let text = '';
      let finish: string | null | undefined;
      for await (const { choices } of stream) {
        for (const name of keysOf(choices[0]!.delta)) names.add(name);
        text += choices[0]!.delta.content ?? '';
        finish = choices[0]!.finish_reason ?? finish;
      }
      assert.deepEqual([...names].toSorted(), ['content', ...added, 'role'].toSorted());
      assert.equal(text, 'Grüezi');
      assert.equal(finish, strict === 'true' ? 'length' : 'pause');
    }
  });

  test('the openai SDK gets parallel tool calls of an Anthropic model, whole and streamed', async () => {
    const whole = await client.chat.completions.create({ model: 'anthropic/claude-tools', messages, tools });
    const streamed = await client.chat.completions
      .stream({ model: 'anthropic/claude-tools', messages, tools })
      .finalChatCompletion();
    for (const answer of [whole, streamed]) {
      const choice = answer.choices[0]!;
      assert.equal(choice.finish_reason, 'tool_calls');
      assert.deepEqual(
        choice.message.tool_calls?.map((call) => call.type === 'function' && [call.id, call.function.name]),
        [
          ['toolu_a', 'weather'],
          ['toolu_b', 'time'],
        ],
      );
      assert.deepEqual(
        choice.message.tool_calls?.map((call) => call.type === 'function' && JSON.parse(call.function.arguments)),
        [{ city: 'Zürich' }, { zone: 'CET' }],
      );
    }
  });

  test('results of parallel tool calls that the openai SDK sends go back to Anthropic in one message', async () => {
    await client.chat.completions.create({
      model: 'anthropic/claude-text',
      tools,
      messages: [
        ...messages,
        {
          role: 'assistant',
          content: null,
          tool_calls: calls.map((call) => ({
            id: call.id,
            type: 'function' as const,
            function: { name: call.name, arguments: JSON.stringify(call.input) },
          })),
        },
        { role: 'tool', tool_call_id: 'toolu_a', content: 'rain' },
        { role: 'tool', tool_call_id: 'toolu_b', content: 'noon' },
      ],
    });
    const { messages: sent } = JSON.parse(provider.requests.at(-1)!.body.toString());
    assert.deepEqual(
      sent.map((each: { role: string }) => each.role),
      ['user', 'assistant', 'user'],
    );
    assert.deepEqual(sent[1].content, calls);
    assert.deepEqual(
      sent[2].content.map((each: { tool_use_id: string }) => each.tool_use_id),
      ['toolu_a', 'toolu_b'],
    );
  });

  test('the openai SDK raises RateLimitError with the headers of Anthropic', async () => {
    await assert.rejects(
      async () => client.chat.completions.create({ model: 'anthropic/claude-busy', messages }),
      (error) => {
        assert.ok(error instanceof OpenAI.RateLimitError);
        assert.equal(error.headers.get('retry-after'), '9');
        return true;
      },
    );
  });

  test('the openai SDK raises an error with the right status where a translated stream begins with an error event', async () => {
    await assert.rejects(
      async () => client.chat.completions.create({ model: 'anthropic/claude-overloaded', messages, stream: true }),
      (error) => error instanceof OpenAI.InternalServerError && error.status === 503,
    );
  });

  test('the openai SDK raises an error in the middle of a translated stream that breaks, and never sees a clean end', async () => {
    const stream = await client.chat.completions.create({ model: 'anthropic/claude-breaks', messages, stream: true });
    let text = '';
    await assert.rejects(async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    }, /Internal server error/);
    assert.equal(text, 'half an ans');
  });
});
