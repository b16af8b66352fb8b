import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, recordOf, selfHosted, startGateway } from '../support/gateway.ts';
import { type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';

const DIMENSIONS = 4;
/** Exact as 32-bit floats, so that nothing is lost on the way. */
const vectorOf = (index: number): number[] => Array.from({ length: DIMENSIONS }, (_, at) => (index + 1) / 2 ** at);
const base64Of = (vector: readonly number[]): string =>
  Buffer.from(Float32Array.from(vector).buffer).toString('base64');

function embeddings(count: number, write: (vector: number[]) => unknown, more: object = {}): object {
  const data = Array.from({ length: count }, (_, index) => ({
    object: 'embedding',
    index,
    embedding: write(vectorOf(index)),
  }));
  return { object: 'list', data, model: 'm', usage: { prompt_tokens: 3 * count, total_tokens: 3 * count }, ...more };
}

/** As providers write it: OpenAI's own spacing, and a key that nobody knows. */
const PASSED = `{\n  "object": "list",\n  "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 1e-3]}],\n  "model": "m", "x": 1.50,\n  "usage": {"prompt_tokens": 8, "total_tokens": 8}\n}\n`;

/** Answers that wait for others. */
const reversed: (() => void)[] = [];
let hangingAsked = 0;
let hangingClosed = 0;
let refusal: (() => void) | undefined;

let provider: FakeProvider;
let gemini: FakeProvider;
let bedrock: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  provider = await startProvider((request, response) => {
    const asked = JSON.parse(request.body.toString());
    const count = Array.isArray(asked.input) && typeof asked.input[0] !== 'number' ? asked.input.length : 1;
    switch (asked.model) {
      case 'bytes':
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(PASSED);
        return;
      // Knows one way of writing vectors, whatever it is asked for.
      case 'floats-only':
        sendJson(
          response,
          200,
          embeddings(count, (vector) => vector),
        );
        return;
      case 'base64-only':
        sendJson(response, 200, embeddings(count, base64Of));
        return;
      case 'failing':
        sendJson(response, 200, { error: { message: 'no room for vectors', code: 429, type: 'quota' } });
        return;
      case 'refusing':
        sendJson(response, 400, {
          error: { message: 'too long an input', type: 'invalid_request_error', param: 'input' },
        });
        return;
      case 'silent':
        sendJson(
          response,
          200,
          embeddings(count, (vector) => vector, { usage: undefined }),
        );
        return;
      case 'large': {
        const wide = Array.from({ length: 1_536 }, (_, at) => at / 1_024);
        sendJson(
          response,
          200,
          embeddings(200, () => wide),
        );
        return;
      }
      default:
        sendJson(response, 200, embeddings(count, asked.encoding_format === 'base64' ? base64Of : (vector) => vector));
    }
  });
  gemini = await startProvider((request, response) => {
    const { requests } = JSON.parse(request.body.toString());
    const texts: string[] = requests.map(
      (each: { content: { parts: { text: string }[] } }) => each.content.parts[0]?.text,
    );
    if (request.path.includes('limited') || texts.includes('refused')) {
      const refuse = () =>
        sendJson(response, 429, { error: { code: 429, message: 'quota', status: 'RESOURCE_EXHAUSTED' } });
      // The aborted request must have come before.
      if (request.path.includes('hanging') && hangingAsked < 2) refusal = refuse;
      else refuse();
      return;
    }
    if (texts.length > 100) {
      sendJson(response, 400, { error: { code: 400, message: 'at most 100', status: 'INVALID_ARGUMENT' } });
      return;
    }
    if (request.path.includes('first-parts') && !texts.includes('0') && !texts.includes('100')) return;
    if (request.path.includes('hanging') && !texts.includes('0')) {
      hangingAsked += 1;
      response.on('close', () => {
        hangingClosed += 1;
      });
      if (hangingAsked === 2) refusal?.();
      return;
    }
    const told = request.path.includes('silent') ? {} : { usageMetadata: { promptTokenCount: 4 * texts.length } };
    const answer = { embeddings: texts.map((text, index) => ({ values: vectorOf(Number(text) || index) })), ...told };
    if (!request.path.includes('reversed')) {
      sendJson(response, 200, answer);
      return;
    }
    // The parts that are asked beside each other are answered last to first.
    reversed.push(() => sendJson(response, 200, answer));
    if (reversed.length < 3) return;
    for (const send of reversed.reverse()) send();
  });
  bedrock = await startProvider((request, response) => {
    const { inputText } = JSON.parse(request.body.toString());
    sendJson(response, 200, { embedding: vectorOf(Number(inputText)), inputTextTokenCount: 2 });
  });
  const cost = { metric: 'per_1000_embedding_tokens', value: 2 };
  gateway = await startGateway({
    manifests: [
      openAccount('p', `${provider.origin}/v1`),
      selfHosted('priced', `${provider.origin}/v1`, ['m', 'silent', 'failing'], { model_types: ['embedding'], cost }),
      selfHosted('chats', `${provider.origin}/v1`, ['only']),
      {
        type: 'provider-account/aws-bedrock',
        name: 'b',
        region: 'us-east-1',
        base_url: bedrock.origin,
        auth_data: { type: 'api-key', api_key: 'sk-of-bedrock' },
      },
      {
        type: 'provider-account/google-gemini',
        name: 'g',
        base_url: `${gemini.origin}/v1beta`,
        auth_data: { type: 'api-key', apiKey: 'sk-of-gemini' },
      },
      {
        type: 'provider-account/google-gemini',
        name: 'sold',
        base_url: `${gemini.origin}/v1beta`,
        auth_data: { type: 'api-key', apiKey: 'sk-of-gemini' },
        integrations: [
          {
            name: 'first-parts',
            type: 'integration/model/gemini',
            model_id: 'first-parts',
            model_types: ['embedding'],
            cost,
          },
        ],
      },
      {
        type: 'provider-account/virtual-model',
        name: 'v',
        integrations: [
          {
            name: 'either',
            type: 'integration/model/virtual',
            model_types: ['embedding'],
            routing_config: {
              type: 'priority-based-routing',
              load_balance_targets: [
                { target: 'sold/first-parts', priority: 0 },
                { target: 'priced/m', priority: 1 },
              ],
            },
          },
        ],
      },
    ],
  });
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});
disposeAfter(() => [gateway, provider, gemini, bedrock]);

const post = (body: unknown, headers: Record<string, string> = {}, base = '/v1'): Promise<Response> =>
  fetch(`${gateway.url}${base}/embeddings`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
const errorOf = async (response: Response): Promise<{ code: string; param: string; message: string }> =>
  JSON.parse(await response.text()).error;
const jsonOf = async (response: Response) => JSON.parse(await response.text());
const vectorsOf = (answer: { data: { embedding: unknown }[] }): unknown[] => answer.data.map((each) => each.embedding);

describe('a provider of the same form', () => {
  test('bytes of request and answer pass, but for the model', async () => {
    const answer = await post({ model: 'p/bytes', input: ['a', [1, 2]], dimensions: 2, custom: 1.0 });
    assert.equal(await answer.text(), PASSED);
    assert.equal(answer.headers.get('x-tfy-resolved-model'), 'p/bytes');
    const sent = provider.requests.at(-1)!;
    assert.equal(sent.path, '/v1/embeddings');
    assert.equal(sent.body.toString(), '{"model":"bytes","input":["a",[1,2]],"dimensions":2,"custom":1}');
  });

  test('each base path answers, a GET does not', async () => {
    for (const base of ['', '/v1', '/api/llm', '/api/llm/v1'])
      assert.equal((await post({ model: 'p/bytes', input: 'a' }, {}, base)).status, 200);
    const wrong = await fetch(`${gateway.url}/v1/embeddings`, { headers: { authorization: `Bearer ${KEY}` } });
    assert.equal(wrong.status, 405);
  });

  test('input tokens are metered and priced, and nothing was generated', async () => {
    await (await post({ model: 'priced/m', input: ['a', 'b'] }, { 'x-request-id': 'metered' })).text();
    const record = await recordOf(gateway, 'metered');
    assert.equal(record['gen_ai.usage.input_tokens'], 6);
    assert.equal(record['gen_ai.usage.output_tokens'], 0);
    assert.equal(record['sluice.usage.source'], 'provider');
    assert.equal(record['sluice.cost.usd'], 0.012);
    assert.equal(record['http.route'], '/embeddings');
  });

  test('the tokens of a provider that tells none are estimated from the input alone', async () => {
    const input = 'The quick brown fox jumps over the lazy dog.';
    await (await post({ model: 'priced/silent', input }, { 'x-request-id': 'silent' })).text();
    const record = await recordOf(gateway, 'silent');
    assert.equal(record['sluice.usage.source'], 'estimate');
    assert.equal(record['gen_ai.usage.input_tokens'], 10);
    assert.equal(record['gen_ai.usage.output_tokens'], 0);
    assert.equal(record['sluice.cost.usd'], 0.02);
  });

  test('a failure inside a 200 has its status and costs nothing', async () => {
    const answer = await post({ model: 'priced/failing', input: 'a' }, { 'x-request-id': 'failing' });
    assert.equal(answer.status, 429);
    assert.match((await errorOf(answer)).message, /no room for vectors/);
    const record = await recordOf(gateway, 'failing');
    assert.equal(record['sluice.cost.usd'], undefined);
  });

  test('the provider’s verdict on an input passes', async () => {
    const answer = await post({ model: 'p/refusing', input: 'a' });
    assert.equal(answer.status, 400);
    const error = await errorOf(answer);
    assert.equal(error.param, 'input');
    assert.match(error.message, /too long an input/);
  });

  test('a request without input, and a model that only chats, are refused by name', async () => {
    const missing = await post({ model: 'p/m' });
    assert.equal(missing.status, 400);
    assert.equal((await errorOf(missing)).param, 'input');
    const chats = await post({ model: 'chats/only', input: 'a' });
    assert.equal(chats.status, 400);
    assert.equal((await errorOf(chats)).code, 'unsupported_operation');
  });
});

describe('vectors come as they were asked for, whatever the provider writes', () => {
  test('the OpenAI SDK reads the same numbers from providers of floats and of base64', async () => {
    for (const model of ['p/m', 'p/floats-only', 'p/base64-only']) {
      const { data } = await client.embeddings.create({ model, input: ['a', 'b'] });
      assert.deepEqual(vectorsOf({ data }), [vectorOf(0), vectorOf(1)], model);
    }
  });

  test('floats are written as base64, and base64 as floats; what stands beside them stays', async () => {
    const base64 = await jsonOf(await post({ model: 'p/floats-only', input: ['a'], encoding_format: 'base64' }));
    assert.deepEqual(base64, embeddings(1, base64Of));
    const floats = await jsonOf(await post({ model: 'p/base64-only', input: ['a'], encoding_format: 'float' }));
    assert.deepEqual(
      floats,
      embeddings(1, (vector) => vector),
    );
  });

  test('bytes pass where no encoding is asked for, or one that the gateway does not know', async () => {
    for (const asked of [{}, { encoding_format: null }, { encoding_format: 'base64_int8' }]) {
      const answer = await post({ model: 'p/base64-only', input: 'a', ...asked });
      assert.equal(await answer.text(), JSON.stringify(embeddings(1, base64Of)));
    }
  });

  test('a large answer is written anew as well, and metered', async () => {
    const answer = await post({ model: 'p/large', input: 'a', encoding_format: 'base64' }, { 'x-request-id': 'large' });
    const { data } = await jsonOf(answer);
    assert.equal(data.length, 200);
    assert.equal(Buffer.from(data[199].embedding, 'base64').readFloatLE(4 * 1_535), 1_535 / 1_024);
    const record = await recordOf(gateway, 'large');
    assert.equal(record['gen_ai.usage.input_tokens'], 600);
  });
});

describe('Gemini', () => {
  test('a request becomes batchEmbedContents, and its answer a list of vectors', async () => {
    const { data, usage, model } = await client.embeddings.create({
      model: 'g/gemini-embedding-2',
      input: ['a', 'b'],
      dimensions: 4,
      input_type: 'search_query',
    } as OpenAI.EmbeddingCreateParams);
    assert.deepEqual(vectorsOf({ data }), [vectorOf(0), vectorOf(1)]);
    assert.deepEqual(
      data.map(({ index, object }) => [index, object]),
      [
        [0, 'embedding'],
        [1, 'embedding'],
      ],
    );
    assert.deepEqual(usage, { prompt_tokens: 8, total_tokens: 8 });
    assert.equal(model, 'g/gemini-embedding-2');
    const sent = gemini.requests.at(-1)!;
    assert.equal(sent.path, '/v1beta/models/gemini-embedding-2:batchEmbedContents');
    assert.equal(sent.headers['x-goog-api-key'], 'sk-of-gemini');
    const asked = (text: string) => ({
      model: 'models/gemini-embedding-2',
      content: { parts: [{ text }] },
      taskType: 'RETRIEVAL_QUERY',
      outputDimensionality: 4,
    });
    assert.deepEqual(JSON.parse(sent.body.toString()), { requests: [asked('a'), asked('b')] });
  });

  test('floats and base64 are written as asked, and a task type of Gemini’s own passes', async () => {
    const request = { model: 'g/e', input: 'a', task_type: 'FACT_VERIFICATION' };
    const floats = await jsonOf(await post(request));
    assert.deepEqual(vectorsOf(floats), [vectorOf(0)]);
    assert.equal(JSON.parse(gemini.requests.at(-1)!.body.toString()).requests[0].taskType, 'FACT_VERIFICATION');
    const base64 = await jsonOf(await post({ ...request, encoding_format: 'base64' }));
    assert.deepEqual(vectorsOf(base64), [base64Of(vectorOf(0))]);
  });

  test('an answer without usage is charged by an estimate of its input', async () => {
    await (await post({ model: 'g/silent', input: 'one two three' }, { 'x-request-id': 'gemini-silent' })).text();
    const record = await recordOf(gateway, 'gemini-silent');
    assert.equal(record['sluice.usage.source'], 'estimate');
    assert.equal(record['gen_ai.usage.input_tokens'], 3);
    assert.equal(record['gen_ai.usage.output_tokens'], 0);
  });

  test('a parameter that it cannot express is refused by name before anything is sent', async () => {
    const before = gemini.requests.length;
    for (const [body, param] of [
      [{ input: [1, 2, 3] }, 'input'],
      [{ input: [[1, 2], [3]] }, 'input'],
      [{ input: [] }, 'input'],
      [{ input: ['a', ''] }, 'input[1]'],
      [{ input: { text: 'a' } }, 'input'],
      [{ input: 'a', encoding_format: 'int8' }, 'encoding_format'],
      [{ input: 'a', dimensions: -1 }, 'dimensions'],
      [{ input: 'a', input_type: 'image' }, 'input_type'],
    ] as const) {
      const answer = await post({ model: 'g/e', ...body });
      assert.equal(answer.status, 400, JSON.stringify(body));
      assert.equal((await errorOf(answer)).param, param, JSON.stringify(body));
    }
    assert.equal(gemini.requests.length, before);
  });

  test('its refusal has its status', async () => {
    const answer = await post({ model: 'g/limited', input: 'a' });
    assert.equal(answer.status, 429);
  });
});

describe('more inputs than a provider takes at once', () => {
  const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index));

  test('they are asked in parts beside each other, joined in order, and their usage is one', async () => {
    const before = gemini.requests.length;
    const { data, usage } = await client.embeddings.create(
      { model: 'g/reversed', input: numbered(250) },
      { headers: { 'x-request-id': 'split' } },
    );
    assert.deepEqual(
      data.map(({ index }) => index),
      numbered(250).map(Number),
    );
    assert.deepEqual(
      vectorsOf({ data }),
      numbered(250).map((text) => vectorOf(Number(text))),
    );
    assert.deepEqual(usage, { prompt_tokens: 1_000, total_tokens: 1_000 });
    const sizes = gemini.requests.slice(before).map(({ body }) => JSON.parse(body.toString()).requests.length);
    assert.deepEqual(sizes.sort(), [100, 100, 50]);
    const record = await recordOf(gateway, 'split');
    assert.equal(record['gen_ai.usage.input_tokens'], 1_000);
    assert.equal(record['sluice.attempts'], 1);
  });

  test('one more than fits is a second part, and a large request is split as well', async () => {
    for (const [count, more] of [
      [101, ''],
      [1_000, ' and so on'.repeat(40)],
    ] as const) {
      const input = numbered(count).map((text) => (more === '' ? text : `${text}${more}`));
      const answer = await post({ model: 'g/e', input });
      assert.equal(answer.status, 200);
      const { data } = await jsonOf(answer);
      assert.equal(data.length, count);
      assert.equal(data.at(-1).index, count - 1);
    }
  });

  test('one part that fails fails the whole with its status, and is named', async () => {
    const answer = await post({ model: 'g/e', input: numbered(250).with(150, 'refused') });
    assert.equal(answer.status, 429);
    assert.match((await errorOf(answer)).message, /Inputs from 101 to 200: quota/);
  });

  test('parts that were answered are billed where another one fails, and where another target answers then', async () => {
    // Four parts are asked at once: the last of six when two were answered, and the others hang.
    const input = numbered(600).with(599, 'refused');
    const failed = await post({ model: 'sold/first-parts', input }, { 'x-request-id': 'parts-alone' });
    assert.equal(failed.status, 429);
    const alone = await recordOf(gateway, 'parts-alone');
    assert.equal(alone['gen_ai.usage.input_tokens'], 800);
    assert.equal(alone['sluice.cost.usd'], 1.6);
    const fallen = await post({ model: 'v/either', input }, { 'x-request-id': 'parts-then' });
    assert.equal(fallen.status, 200, await fallen.clone().text());
    const then = await recordOf(gateway, 'parts-then');
    assert.equal(then['gen_ai.usage.input_tokens'], 1_800);
    assert.equal(then['sluice.cost.usd'], 3.6 + 1.6);
  });

  test('the other parts are aborted where one fails, and where the client leaves', async () => {
    const answer = await post({ model: 'g/hanging', input: numbered(250).with(0, 'refused') });
    assert.equal(answer.status, 429);
    await eventually('both other parts are aborted', () => hangingClosed === 2);
    const leaving = new AbortController();
    const before = gemini.requests.length;
    const left = fetch(`${gateway.url}/v1/embeddings`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}` },
      body: JSON.stringify({ model: 'g/hanging', input: numbered(250) }),
      signal: leaving.signal,
    });
    await eventually('all parts are asked', () => gemini.requests.length === before + 3);
    leaving.abort();
    await assert.rejects(left);
    await eventually('the parts that hang are aborted', () => hangingClosed === 4);
  });

  test('a part that does not come in time is a timeout of the whole', async () => {
    const answer = await post({ model: 'g/hanging', input: numbered(250) }, { 'x-tfy-request-timeout': '200' });
    assert.equal(answer.status, 504);
    await eventually('the parts that hang are aborted', () => hangingClosed === hangingAsked);
  });

  test('more than OpenAI takes is refused by name', async () => {
    const answer = await post({ model: 'g/e', input: numbered(2_049) });
    assert.equal(answer.status, 400);
    assert.match((await errorOf(answer)).message, /2049 entries.*2048/);
  });
});

describe('Bedrock', () => {
  test('Titan takes one text at a time, and many come back in order with the sum of their tokens', async () => {
    const input = Array.from({ length: 11 }, (_, index) => String(index));
    const answer = await client.embeddings.create({ model: 'b/amazon.titan-embed-text-v2:0', input });
    assert.deepEqual(
      vectorsOf(answer),
      input.map((text) => vectorOf(Number(text))),
    );
    assert.deepEqual(answer.usage, { prompt_tokens: 22, total_tokens: 22 });
    assert.equal(bedrock.requests.length, 11);
    const [sent] = bedrock.requests;
    assert.equal(sent?.path, '/model/amazon.titan-embed-text-v2%3A0/invoke');
    assert.equal(sent?.headers.authorization, 'Bearer sk-of-bedrock');
  });

  test('Cohere wants to be told what a vector is for, and a model of another kind is refused', async () => {
    const untold = await post({ model: 'b/cohere.embed-v4:0', input: 'a' });
    assert.equal(untold.status, 400);
    assert.equal((await errorOf(untold)).param, 'input_type');
    const other = await post({ model: 'b/amazon.nova-2-lite-v1:0', input: 'a' });
    assert.equal(other.status, 400);
    assert.equal((await errorOf(other)).code, 'unsupported_operation');
  });
});
