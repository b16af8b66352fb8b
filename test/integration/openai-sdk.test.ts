import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, selfHosted, startGateway } from '../support/gateway.ts';
import { chunkEvent, completion, DONE_EVENT, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { byModel, gate, givenUp, openAccount, startEvents } from '../support/scripted-provider.ts';

const messages = [{ role: 'user' as const, content: 'hi' }];
const refusal = (message: string, more: object = {}) => ({
  error: { message, type: 'invalid_request_error', ...more },
});

const toolCalls = [
  { id: 'call_a', type: 'function', function: { name: 'weather', arguments: '{"city":"Zürich"}' } },
  { id: 'call_b', type: 'function', function: { name: 'time', arguments: '{"zone":"CET"}' } },
];
const calling = (index: number, call: object) => chunkEvent({ tool_calls: [{ index, ...call }] });

const aborted = gate<number>();
let flakyTries: number[] = [];
let busyAnswers: Record<string, string> = {};

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  provider = await startProvider(
    byModel({
      whole: (_request, response) => sendJson(response, 200, completion('hello')),
      stream: (_request, response) => {
        startEvents(response);
        response.end(
          chunkEvent({ role: 'assistant', content: '' }) +
            chunkEvent({ content: 'Hel' }) +
            chunkEvent({ content: 'lo' }) +
            chunkEvent({}, 'stop') +
            DONE_EVENT,
        );
      },
      'tools-whole': (_request, response) =>
        sendJson(response, 200, {
          ...completion(''),
          choices: [
            {
              index: 0,
              message: { role: 'assistant', content: null, tool_calls: toolCalls },
              finish_reason: 'tool_calls',
            },
          ],
        }),
      'tools-stream': (_request, response) => {
        startEvents(response);
        response.write(chunkEvent({ role: 'assistant', content: null }));
        response.write(calling(0, { id: 'call_a', type: 'function', function: { name: 'weather', arguments: '' } }));
        response.write(calling(1, { id: 'call_b', type: 'function', function: { name: 'time', arguments: '' } }));
        // Interleaved, as parallel calls may come.
        for (const [index, piece] of [
          [0, '{"city"'],
          [1, '{"zone":'],
          [0, ':"Zür'],
          [1, '"CET"}'],
          [0, 'ich"}'],
        ] as const)
          response.write(calling(index, { function: { arguments: piece } }));
        response.end(chunkEvent({}, 'tool_calls') + DONE_EVENT);
      },
      endless: (_request, response) => {
        startEvents(response);
        response.write(chunkEvent({ role: 'assistant', content: 'first' }));
        givenUp(response).then(aborted.open);
      },
      busy: (_request, response) => sendJson(response, 429, refusal('slow down'), busyAnswers),
      flaky: (_request, response) => {
        flakyTries.push(performance.now());
        if (flakyTries.length < 2) sendJson(response, 429, refusal('slow down'), { 'retry-after': '1' });
        else sendJson(response, 200, completion('at last'));
      },
      bad: (_request, response) =>
        sendJson(response, 400, refusal('top_k is not known', { param: 'top_k', code: 'unknown_parameter' })),
      s500: (_request, response) => sendJson(response, 500, refusal('boom')),
      s503: (_request, response) => sendJson(response, 503, refusal('full')),
      s529: (_request, response) => sendJson(response, 529, refusal('full')),
      s401: (_request, response) => sendJson(response, 401, refusal('your key sk-of-the-provider is wrong')),
      silent: () => {},
    }),
  );
  const url = `${provider.origin}/v1`;
  gateway = await startGateway({
    server: { timeouts: { first_byte_ms: 300 } },
    keys: [
      { name: 'test', key: KEY, subject: 'virtualaccount:test' },
      { name: 'narrow', key: 'narrow key', subject: 'user:n@example.com', models: ['listed/*'] },
    ],
    manifests: [openAccount('p', url), selfHosted('listed', url, ['whole', 'deep/er:v1'])],
  });
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});
disposeAfter(() => [gateway, provider]);

describe('the openai SDK against the gateway', () => {
  test('the openai SDK creates a completion', async () => {
    const answer = await client.chat.completions.create({ model: 'p/whole', messages });
    assert.equal(answer.choices[0]?.message.content, 'hello');
    assert.equal(answer.usage?.total_tokens, 12);
  });

  test('the openai SDK reads a stream with for await', async () => {
    const stream = await client.chat.completions.create({ model: 'p/stream', messages, stream: true });
    let text = '';
    let finish: string | null | undefined;
    for await (const chunk of stream) {
      assert.equal(chunk.usage, undefined);
      text += chunk.choices[0]?.delta.content ?? '';
      finish = chunk.choices[0]?.finish_reason ?? finish;
    }
    assert.equal(text, 'Hello');
    assert.equal(finish, 'stop');
  });

  test('the openai SDK gets parallel tool calls of a whole answer as they were', async () => {
    const answer = await client.chat.completions.create({ model: 'p/tools-whole', messages });
    assert.deepEqual(answer.choices[0]?.message.tool_calls, toolCalls);
  });

  test('the openai SDK gets parallel tool calls of a stream with their index, id and argument bytes', async () => {
    const runner = client.chat.completions.stream({ model: 'p/tools-stream', messages });
    const message = await runner.finalMessage();
    assert.deepEqual(
      message.tool_calls?.map(
        (call) => call.type === 'function' && [call.id, call.function.name, call.function.arguments],
      ),
      toolCalls.map((call) => [call.id, call.function.name, call.function.arguments]),
    );
  });

  test('a stream that the openai SDK aborts cancels the attempt at the provider', async () => {
    const stream = await client.chat.completions.create({ model: 'p/endless', messages, stream: true });
    for await (const chunk of stream) {
      assert.equal(chunk.choices[0]?.delta.content, 'first');
      break;
    }
    await aborted.promise;
  });

  test('the openai SDK raises AuthenticationError for a wrong key', async () => {
    const stranger = new OpenAI({ apiKey: 'wrong', baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    const error = await failure(stranger.chat.completions.create({ model: 'p/whole', messages }));
    assert.ok(error instanceof OpenAI.AuthenticationError);
    assert.equal(error.code, 'invalid_api_key');
  });

  test('the openai SDK raises NotFoundError for an unknown model, with near names', async () => {
    const error = await failure(client.chat.completions.create({ model: 'listed/whol', messages }));
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.code, 'model_not_found');
    assert.match(error.message, /listed\/whole/);
  });

  test('the openai SDK raises PermissionDeniedError for a model that the key may not use', async () => {
    const narrow = new OpenAI({ apiKey: 'narrow key', baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    const error = await failure(narrow.chat.completions.create({ model: 'p/whole', messages }));
    assert.ok(error instanceof OpenAI.PermissionDeniedError);
    const allowed = await narrow.chat.completions.create({ model: 'listed/whole', messages });
    assert.equal(allowed.choices[0]?.message.content, 'hello');
  });

  test('the openai SDK raises RateLimitError for a 429 of the provider, with its rate headers', async () => {
    busyAnswers = { 'retry-after': '7', 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '6s' };
    const error = await failure(client.chat.completions.create({ model: 'p/busy', messages }));
    assert.ok(error instanceof OpenAI.RateLimitError);
    assert.match(error.message, /slow down/);
    assert.equal(error.headers.get('retry-after'), '7');
    assert.equal(error.headers.get('x-ratelimit-remaining-requests'), '0');
    assert.equal(error.headers.get('x-ratelimit-reset-requests'), '6s');
  });

  test('the openai SDK raises BadRequestError for a wrong parameter, and names it', async () => {
    const ours = await failure(client.chat.completions.create({ model: 'p/whole', messages: 'hi' as never }));
    assert.ok(ours instanceof OpenAI.BadRequestError);
    assert.equal(ours.param, 'messages');
    const theirs = await failure(client.chat.completions.create({ model: 'p/bad', messages }));
    assert.ok(theirs instanceof OpenAI.BadRequestError);
    assert.deepEqual([theirs.param, theirs.code], ['top_k', 'unknown_parameter']);
    assert.match(theirs.message, /top_k is not known/);
  });

  test('the openai SDK raises InternalServerError for 502, 503 and 504', async () => {
    for (const [model, status] of [
      ['p/s500', 502],
      ['p/s503', 503],
      ['p/s529', 503],
      ['p/silent', 504],
    ] as const) {
      const error = await failure(client.chat.completions.create({ model, messages }));
      assert.ok(error instanceof OpenAI.InternalServerError, model);
      assert.equal(error.status, status, model);
    }
  });

  test('the openai SDK gets 502 and nothing of the credential where the provider refuses the gateway’s own', async () => {
    const error = await failure(client.chat.completions.create({ model: 'p/s401', messages }));
    assert.ok(error instanceof OpenAI.InternalServerError);
    assert.equal(error.status, 502);
    assert.doesNotMatch(JSON.stringify(error.error) + error.message, /sk-of-the-provider|your key/);
  });

  test('the openai SDK waits as the provider’s retry-after says, and succeeds with maxRetries', async () => {
    flakyTries = [];
    const answer = await client.chat.completions.create({ model: 'p/flaky', messages }, { maxRetries: 2 });
    assert.equal(answer.choices[0]?.message.content, 'at last');
    assert.equal(flakyTries.length, 2);
    const waited = flakyTries[1]! - flakyTries[0]!;
    assert.ok(waited >= 990 && waited < 3000, `waited ${waited} ms`);
  });

  test('the openai SDK lists the models that a key may use, and retrieves one whose id has slashes', async () => {
    const narrow = new OpenAI({ apiKey: 'narrow key', baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    const ids: string[] = [];
    for await (const model of narrow.models.list()) ids.push(model.id);
    assert.deepEqual(ids.sort(), ['listed/deep/er:v1', 'listed/whole']);
    // The SDK sends the slashes percent-encoded.
    const model = await client.models.retrieve('listed/deep/er:v1');
    assert.equal(model.id, 'listed/deep/er:v1');
    assert.equal(model.object, 'model');
    const hidden = await failure(narrow.models.retrieve('p/whole'));
    assert.ok(hidden instanceof OpenAI.NotFoundError);
  });
});

type ApiFailure = InstanceType<typeof OpenAI.APIError>;

async function failure(promise: PromiseLike<unknown>): Promise<ApiFailure> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof OpenAI.APIError, String(error));
    return error;
  }
  assert.fail('it was answered');
}
