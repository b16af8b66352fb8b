import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { CohereClient, CohereClientV2 } from 'cohere-ai';
import OpenAI, { APIError } from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, recordOf, selfHosted, startGateway } from '../support/gateway.ts';
import { type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount, startEvents, vendorAccount } from '../support/scripted-provider.ts';

const done = 'data: [DONE]\n\n';
const event = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;
const textEvent = (text: string, reason: string | null = null, index = 0): string =>
  event({
    id: 'cmpl-1',
    object: 'text_completion',
    created: 1_700_000_000,
    model: 'm',
    choices: [{ text, index, logprobs: null, finish_reason: reason }],
  });
const completionUsage = { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 };
const wholeCompletion = (text: string, more: object = {}): object => ({
  id: 'cmpl-1',
  object: 'text_completion',
  created: 1_700_000_000,
  model: 'm',
  choices: [{ text, index: 0, logprobs: null, finish_reason: 'stop' }],
  usage: completionUsage,
  ...more,
});
const usageEvent = event({
  id: 'cmpl-1',
  object: 'text_completion',
  created: 1_700_000_000,
  model: 'm',
  choices: [],
  usage: completionUsage,
});

/** As Cohere writes it: https://docs.cohere.com/reference/rerank */
const RANKED = {
  id: '07734bd2',
  results: [
    { index: 2, relevance_score: 0.999071 },
    { index: 0, relevance_score: 0.32713068 },
  ],
  meta: { api_version: { version: '2' }, billed_units: { search_units: 1 } },
};
const MODERATED = {
  id: 'modr-1',
  model: 'omni-moderation-latest',
  results: [{ flagged: true, categories: { violence: true }, category_scores: { violence: 0.9 } }],
};

let provider: FakeProvider;
let anthropic: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  provider = await startProvider((request, response) => {
    const asked = JSON.parse(request.body.toString());
    if (asked.model === 'failing' || asked.query === 'fail') {
      sendJson(response, 200, { error: { message: 'no room here', code: 503 } });
      return;
    }
    switch (request.path.replace(/^\/v[12]/, '')) {
      case '/moderations':
        sendJson(response, 200, MODERATED);
        return;
      case '/rerank':
        if (asked.texts === undefined) sendJson(response, 200, RANKED);
        else {
          const text = (index: number) => (asked.return_text ? { text: asked.texts[index] } : {});
          sendJson(response, 200, [
            { index: 1, score: 0.2, ...text(1) },
            { index: 0, score: 0.9, ...text(0) },
            { index: 2, score: 0.1, ...text(2) },
          ]);
        }
        return;
      case '/ranking':
        sendJson(response, 200, {
          rankings: [
            { index: 0, logit: -1.5 },
            { index: 1, logit: 4.25 },
          ],
          usage: { prompt_tokens: 9, total_tokens: 9 },
        });
        return;
      case '/embeddings':
        sendJson(response, 200, {
          object: 'list',
          data: [{ object: 'embedding', index: 0, embedding: [0.5] }],
          model: 'm',
          usage: { prompt_tokens: 2, total_tokens: 2 },
        });
        return;
      case '/completions':
        if (!asked.stream) sendJson(response, 200, wholeCompletion('Hello'));
        else if (asked.model === 'whole') sendJson(response, 200, wholeCompletion('Hello'));
        else if (asked.model === 'broken') {
          startEvents(response);
          response.write(textEvent('Hel'), () => response.destroy());
        } else {
          startEvents(response);
          const usage = asked.stream_options?.include_usage ? usageEvent : '';
          response.end(textEvent('Hel') + textEvent('lo') + textEvent('', 'stop') + usage + done);
        }
        return;
      default:
        sendJson(response, 404, { error: { message: `no such path ${request.path}`, type: 'invalid_request_error' } });
    }
  });
  anthropic = await startProvider((request, response) => {
    const { stream } = JSON.parse(request.body.toString());
    const message = {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'claude',
      content: [{ type: 'text', text: 'Hello' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 3, output_tokens: 4 },
    };
    if (!stream) {
      sendJson(response, 200, message);
      return;
    }
    startEvents(response);
    const send = (type: string, value: object): boolean =>
      response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...value })}\n\n`);
    send('message_start', { message: { ...message, content: [], stop_reason: null } });
    send('content_block_start', { index: 0, content_block: { type: 'text', text: '' } });
    for (const text of ['Hel', 'lo']) send('content_block_delta', { index: 0, delta: { type: 'text_delta', text } });
    send('content_block_stop', { index: 0 });
    send('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 4 } });
    send('message_stop', {});
    response.end();
  });
  const house = (name: string, model_server: string, model_types: string[], more: object = {}): object =>
    selfHosted(name, provider.origin, ['m'], { model_server, model_types, ...more });
  gateway = await startGateway({
    server: { demo: true },
    manifests: [
      openAccount('p', `${provider.origin}/v1`),
      selfHosted('priced', `${provider.origin}/v1`, ['ranks', 'failing'], {
        model_types: ['rerank'],
        cost: { metric: 'per_1000_searches', value: 2 },
      }),
      house('tei', 'tei', ['rerank', 'embedding']),
      house('infinity', 'infinity', ['rerank', 'embedding']),
      house('nemo', 'nemo-retriever', ['rerank', 'embedding']),
      house('cohere', 'cohere-rerank-v2', ['rerank']),
      vendorAccount('cohere', provider.origin, { name: 'co' }),
      {
        type: 'provider-account/anthropic',
        name: 'claude',
        base_url: `${anthropic.origin}/v1`,
        auth_data: { type: 'api-key', api_key: 'sk-of-anthropic' },
      },
    ],
  });
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});
disposeAfter(() => [gateway, provider, anthropic]);

const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${gateway.url}/v1${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const jsonOf = async (response: Response) => JSON.parse(await response.text());
const lastSent = () => {
  const { path, body } = provider.requests.at(-1)!;
  return { path, body: JSON.parse(body.toString()) };
};
const documents = ['first', 'second', 'third'];

describe('moderations', () => {
  test('the OpenAI SDK gets the provider’s verdict, and it is free', async () => {
    const { results } = await client.moderations.create(
      { model: 'p/omni-moderation-latest', input: ['I will kill you', 'hello'] },
      { headers: { 'x-request-id': 'moderated' } },
    );
    assert.deepEqual(results, MODERATED.results);
    assert.deepEqual(lastSent(), {
      path: '/v1/moderations',
      body: { model: 'omni-moderation-latest', input: ['I will kill you', 'hello'] },
    });
    const record = await recordOf(gateway, 'moderated');
    assert.equal(record['sluice.cost.usd'], 0);
    assert.equal(record['gen_ai.usage.output_tokens'], 0);
  });

  test('a request without a model asks the one that OpenAI takes, where one account has it', async () => {
    const answer = await post('/moderations', ' { "input": "hello" }');
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('x-tfy-resolved-model'), 'p/omni-moderation-latest');
    assert.equal(provider.requests.at(-1)!.body.toString(), ' {"model":"omni-moderation-latest", "input": "hello" }');
  });
});

describe('rerank', () => {
  test('cohere-ai drives it in both of its versions, and bytes pass', async () => {
    const request = { model: 'priced/ranks', query: 'what?', documents, topN: 2 };
    const v2 = new CohereClientV2({ token: KEY, environment: gateway.url });
    const told = await v2.rerank(request, { headers: { 'x-request-id': 'ranked' } });
    assert.deepEqual(
      told.results.map(({ index, relevanceScore }) => [index, relevanceScore]),
      [
        [2, 0.999071],
        [0, 0.32713068],
      ],
    );
    assert.deepEqual(lastSent(), {
      path: '/v1/rerank',
      body: { model: 'ranks', query: 'what?', documents, top_n: 2 },
    });
    const v1 = new CohereClient({ token: KEY, environment: gateway.url });
    assert.equal((await v1.rerank(request)).results.length, 2);
  });

  test('each of its paths answers', async () => {
    for (const path of ['/rerank', '/v1/rerank', '/v2/rerank']) {
      const answer = await fetch(`${gateway.url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${KEY}` },
        body: JSON.stringify({ model: 'priced/ranks', query: 'q', documents }),
      });
      assert.equal(await answer.text(), JSON.stringify(RANKED), path);
    }
  });

  test('search units are metered and priced', async () => {
    const record = await recordOf(gateway, 'ranked');
    assert.equal(record['sluice.usage.search_units'], 1);
    assert.equal(record['sluice.cost.usd'], 0.002);
    assert.equal(record['sluice.usage.source'], 'provider');
  });

  test('a failure inside a 200 has its status and costs nothing', async () => {
    const answer = await post(
      '/rerank',
      { model: 'priced/failing', query: 'q', documents },
      { 'x-request-id': 'fails' },
    );
    assert.equal(answer.status, 503);
    assert.equal((await recordOf(gateway, 'fails'))['sluice.cost.usd'], undefined);
  });

  test('a request without query or documents is refused by name', async () => {
    for (const [body, param] of [
      [{ documents }, 'query'],
      [{ query: 'q' }, 'documents'],
    ] as const) {
      const answer = await post('/rerank', { model: 'p/m', ...body });
      assert.equal(answer.status, 400);
      assert.equal((await jsonOf(answer)).error.param, param);
    }
  });

  test('TEI is asked in its own form; its scores come back in order, as many as asked', async () => {
    const answer = await jsonOf(
      await post('/rerank', { model: 'tei/m', query: 'q', documents, top_n: 2, return_documents: true }),
    );
    assert.deepEqual(answer.results, [
      { index: 0, relevance_score: 0.9, document: { text: 'first' } },
      { index: 1, relevance_score: 0.2, document: { text: 'second' } },
    ]);
    assert.deepEqual(lastSent(), {
      path: '/rerank',
      body: { query: 'q', texts: documents, return_text: true },
    });
  });

  test('NeMo Retriever is asked for a ranking', async () => {
    const answer = await jsonOf(
      await post('/rerank', { model: 'nemo/m', query: 'q', documents: ['a', { text: 'b' }], truncate: 'END' }),
    );
    assert.deepEqual(answer.results, [
      { index: 1, relevance_score: 4.25 },
      { index: 0, relevance_score: -1.5 },
    ]);
    assert.deepEqual(answer.usage, { prompt_tokens: 9, total_tokens: 9 });
    assert.deepEqual(lastSent(), {
      path: '/v1/ranking',
      body: { model: 'm', query: { text: 'q' }, passages: [{ text: 'a' }, { text: 'b' }], truncate: 'END' },
    });
    const refused = await post('/rerank', { model: 'nemo/m', query: 'q', documents, return_documents: true });
    assert.equal(refused.status, 400);
    assert.equal((await jsonOf(refused)).error.param, 'return_documents');
  });

  test('infinity and servers of Cohere’s second version get the request as it is', async () => {
    for (const [model, path] of [
      ['infinity/m', '/rerank'],
      ['cohere/m', '/v2/rerank'],
    ] as const) {
      const answer = await post('/rerank', { model, query: 'q', documents });
      assert.equal(await answer.text(), JSON.stringify(RANKED));
      assert.deepEqual(lastSent(), { path, body: { model: 'm', query: 'q', documents } });
    }
  });
});

describe('rerank of servers that take texts alone', () => {
  test('a document that is an object goes as its text, and one without a text is refused by its place', async () => {
    const objects = ['a', { text: 'b', title: 't' }, { text: '{c}' }];
    for (const model of ['infinity/m', 'cohere/m', 'co/rerank-v3.5']) {
      const answer = await post('/rerank', { model, query: 'q', documents: objects, top_n: 2, max_tokens_per_doc: 9 });
      assert.equal(await answer.text(), JSON.stringify(RANKED), model);
      const sent = { query: 'q', documents: ['a', 'b', '{c}'], top_n: 2, max_tokens_per_doc: 9 };
      assert.deepEqual(lastSent().body, { model: model.split('/')[1], ...sent }, model);
      const refused = await post('/rerank', { model, query: 'q', documents: ['a', { title: 't' }] });
      assert.equal(refused.status, 400);
      assert.equal((await jsonOf(refused)).error.param, 'documents[1].text');
    }
  });

  test('objects pass to a server that reads them', async () => {
    const objects = [{ text: 'a', title: 't' }];
    await (await post('/rerank', { model: 'priced/ranks', query: 'q', documents: objects })).text();
    assert.deepEqual(lastSent().body.documents, objects);
  });
});

describe('embeddings of servers of one’s own', () => {
  test('each server is asked at its own path', async () => {
    for (const [model, path, input_type] of [
      ['tei/m', '/v1/embeddings', undefined],
      ['infinity/m', '/embeddings', undefined],
      ['nemo/m', '/v1/embeddings', 'passage'],
    ] as const) {
      const answer = await post('/embeddings', { model, input: 'a', input_type: input_type && 'search_document' });
      assert.deepEqual((await jsonOf(answer)).data, [{ object: 'embedding', index: 0, embedding: [0.5] }]);
      const sent = lastSent();
      assert.equal(sent.path, path);
      assert.equal(sent.body.input_type, input_type);
    }
  });

  test('NeMo Retriever wants to be told what a vector is for', async () => {
    const answer = await post('/embeddings', { model: 'nemo/m', input: 'a' });
    assert.equal(answer.status, 400);
    assert.equal((await jsonOf(answer)).error.param, 'input_type');
  });
});

describe('older completions', () => {
  const params = { model: 'p/m', prompt: 'Say hello', max_tokens: 5 };

  test('the OpenAI SDK gets a whole one, and its tokens are metered', async () => {
    const answer = await client.completions.create(params, { headers: { 'x-request-id': 'whole-completion' } });
    assert.equal(answer.choices[0]?.text, 'Hello');
    assert.deepEqual(lastSent(), { path: '/v1/completions', body: { ...params, model: 'm' } });
    const record = await recordOf(gateway, 'whole-completion');
    assert.equal(record['gen_ai.usage.output_tokens'], 7);
  });

  test('a stream passes byte for byte, and is metered though the client did not ask', async () => {
    const answer = await post('/completions', { ...params, stream: true }, { 'x-request-id': 'streamed-completion' });
    assert.equal(await answer.text(), textEvent('Hel') + textEvent('lo') + textEvent('', 'stop') + done);
    assert.deepEqual(lastSent().body.stream_options, { include_usage: true });
    const record = await recordOf(gateway, 'streamed-completion');
    assert.equal(record['gen_ai.usage.output_tokens'], 7);
    assert.equal(record['sluice.usage.source'], 'provider');
  });

  test('a client that asks for usage gets it', async () => {
    const stream = await client.completions.create({
      ...params,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    let usage: unknown;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.text ?? '';
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, 'Hello');
    assert.deepEqual(usage, completionUsage);
  });

  test('JSON where a stream was asked becomes its events', async () => {
    const answer = await post('/completions', { ...params, model: 'p/whole', stream: true });
    const { usage: _usage, ...rest } = wholeCompletion('Hello') as { usage: unknown };
    assert.equal(await answer.text(), event(rest) + done);
  });

  test('a stream that breaks off is an error to the SDK', async () => {
    const stream = await client.completions.create({ ...params, model: 'p/broken', stream: true });
    await assert.rejects(async () => {
      for await (const _chunk of stream) void _chunk;
    });
  });

  test('a provider that only chats is asked by a chat, streamed and not', async () => {
    const whole = await client.completions.create({ ...params, model: 'claude/claude-x', stop: ['.'] });
    assert.equal(whole.object, 'text_completion');
    assert.deepEqual(whole.choices, [{ text: 'Hello', index: 0, logprobs: null, finish_reason: 'stop' }]);
    assert.deepEqual(whole.usage, { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 });
    const sent = JSON.parse(anthropic.requests.at(-1)!.body.toString());
    assert.deepEqual(sent.messages, [{ role: 'user', content: [{ type: 'text', text: 'Say hello' }] }]);
    assert.equal(sent.max_tokens, 5);
    assert.deepEqual(sent.stop_sequences, ['.']);
    const stream = await client.completions.create({
      ...params,
      model: 'claude/claude-x',
      stream: true,
      stream_options: { include_usage: true },
    });
    const texts: string[] = [];
    const reasons: unknown[] = [];
    let usage: unknown;
    for await (const chunk of stream) {
      for (const { text, finish_reason: reason } of chunk.choices) {
        texts.push(text);
        reasons.push(reason);
      }
      usage = chunk.usage ?? usage;
    }
    assert.deepEqual(texts, ['Hel', 'lo', '']);
    assert.deepEqual(reasons, [null, null, 'stop']);
    assert.deepEqual(usage, { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 });
  });

  test('what no chat can express is refused by name', async () => {
    for (const [more, param] of [
      [{ prompt: ['a', 'b'] }, 'prompt'],
      [{ prompt: [1, 2] }, 'prompt'],
      [{ echo: true }, 'echo'],
      [{ best_of: 3 }, 'best_of'],
      [{ suffix: 'end' }, 'suffix'],
      [{ logprobs: 2 }, 'logprobs'],
    ] as const) {
      const asked = { ...params, model: 'claude/claude-x', ...more } as OpenAI.CompletionCreateParamsNonStreaming;
      const error = await client.completions.create(asked).then(
        () => undefined,
        (reason) => reason,
      );
      assert.ok(error instanceof APIError, param);
      assert.equal(error.status, 400);
      assert.equal(error.param, param);
    }
  });
});

describe('the demo account', () => {
  test('vectors are the same each time, near for like texts, and as long as asked', async () => {
    const create = (input: string[], more: object = {}) =>
      client.embeddings.create({ model: 'demo/embedding', input, ...more });
    const { data, usage } = await create(['the cat sat', 'a cat sat here', 'stock prices fell']);
    const [one, near, far] = data.map(({ embedding }) => embedding);
    const dot = (a: number[], b: number[]) => a.reduce((sum, value, at) => sum + value * b[at]!, 0);
    assert.ok(dot(one!, near!) > dot(one!, far!) + 0.2);
    assert.ok(Math.abs(dot(one!, one!) - 1) < 1e-5);
    assert.equal(usage.prompt_tokens, 10);
    assert.deepEqual((await create(['the cat sat'])).data[0]?.embedding, one);
    assert.equal((await create(['the cat sat'], { dimensions: 12 })).data[0]?.embedding.length, 12);
  });

  test('it moderates, reranks and completes', async () => {
    const { results } = await client.moderations.create({ model: 'demo/moderation', input: ['I hate you', 'hello'] });
    assert.deepEqual(
      results.map(({ flagged }) => flagged),
      [true, false],
    );
    const cohere = new CohereClientV2({ token: KEY, environment: gateway.url });
    const ranked = await cohere.rerank({
      model: 'demo/rerank',
      query: 'capital of France',
      documents: ['Cats sleep a lot', 'Paris is the capital of France'],
      topN: 1,
    });
    assert.deepEqual(
      ranked.results.map(({ index }) => index),
      [1],
    );
    const whole = await client.completions.create({ model: 'demo/chat', prompt: 'Hello' });
    assert.match(whole.choices[0]?.text ?? '', /demo of Sluice.*Hello/);
    let text = '';
    for await (const chunk of await client.completions.create({ model: 'demo/chat', prompt: 'Hello', stream: true }))
      text += chunk.choices[0]?.text ?? '';
    assert.equal(text, whole.choices[0]?.text);
  });
});
