import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { type FakeProvider, type ReceivedRequest, sendJson, startProvider } from '../support/provider.ts';
import { sdkRefusal } from '../support/sdk-refusal.ts';

/** A vector that tells which text it is of. */
const vectorOf = (text: string): number[] => [text.length, -0.5];
const base64Of = (numbers: readonly number[]): string =>
  Buffer.from(new Float32Array(numbers).buffer).toString('base64');
const SCORES = [
  { index: 1, score: 0.9 },
  { index: 0, score: 0.25 },
];

function answerOf({ path, body }: ReceivedRequest): object {
  const asked = JSON.parse(body.toString());
  if (path === '/v2/embed') {
    const vectors = asked.texts.map(vectorOf);
    const embeddings = asked.embedding_types[0] === 'base64' ? { base64: vectors.map(base64Of) } : { float: vectors };
    return { id: 'e', texts: asked.texts, embeddings, meta: { billed_units: { input_tokens: asked.texts.length } } };
  }
  if (path === '/embedding/text') {
    return { embeddings: asked.texts.map(vectorOf), usage: { prompt_tokens: 7, total_tokens: 7 }, model: asked.model };
  }
  if (path === '/embeddings') {
    const data = asked.input.map((text: string, index: number) => ({
      object: 'embedding',
      embedding: vectorOf(text),
      index,
    }));
    return { object: 'list', data, model: asked.model, usage: { total_tokens: 9 } };
  }
  if (path.endsWith(':rank')) return { records: SCORES.map(({ index, score }) => ({ id: String(index), score })) };
  if (path === '/v2/rerank') {
    return {
      id: 'r',
      results: SCORES.map(({ index, score }) => ({ index, relevance_score: score })),
      meta: { billed_units: { search_units: 1 } },
    };
  }
  if (path === '/rerank' && 'queries' in asked) {
    return { results: SCORES.map(({ index, score }) => ({ index, relevanceScore: score })) };
  }
  return {
    object: 'list',
    data: SCORES.map(({ index, score }) => ({ index, relevance_score: score })),
    model: asked.model,
    usage: { total_tokens: 26 },
  };
}

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  provider = await startProvider((request, response) => sendJson(response, 200, answerOf(request)));
  const account = (kind: string, more: object = {}) => ({
    type: `provider-account/${kind}`,
    name: kind,
    base_url: provider.origin,
    auth_data: { type: 'api-key', api_key: `sk-${kind}` },
    ...more,
  });
  gateway = await startGateway({
    manifests: [
      account('cohere'),
      account('nomic'),
      account('openai-compatible', { name: 'voyage', host: 'voyage' }),
      account('aws-bedrock', { region: 'eu-central-1' }),
      account('google-vertex', { project_id: 'p-1', region: 'us-central1' }),
    ],
  });
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});

disposeAfter(() => [gateway, provider]);

const lastBody = () => JSON.parse(provider.requests.at(-1)!.body.toString());
const embed = (model: string, more: object = {}) =>
  client.embeddings.create({
    model,
    input: ['one', 'three'],
    encoding_format: 'float',
    ...more,
  } as OpenAI.EmbeddingCreateParams);

async function rerank(model: string, more: object = {}) {
  const response = await fetch(`${gateway.url}/v2/rerank`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, query: 'what is ruby', documents: ['Paris', 'Ruby'], ...more }),
  });
  return {
    status: response.status,
    answer: (await response.json()) as { results: unknown; error?: { param: string } },
  };
}

describe('vectors and ranks of vendors with forms of their own', () => {
  test('Cohere is asked in its words, for the encoding that the client reads, 96 texts at a time', async () => {
    const { data, usage } = await embed('cohere/embed-v4.0', { input_type: 'query', dimensions: 512 });
    assert.deepEqual(
      data.map(({ embedding }) => embedding),
      [vectorOf('one'), vectorOf('three')],
    );
    assert.equal(usage.prompt_tokens, 2);
    assert.deepEqual(lastBody(), {
      model: 'embed-v4.0',
      input_type: 'search_query',
      embedding_types: ['float'],
      output_dimension: 512,
      texts: ['one', 'three'],
    });
    const packed = await embed('cohere/embed-v4.0', { input_type: 'search_document', encoding_format: 'base64' });
    assert.equal(packed.data[0]?.embedding as unknown, base64Of(vectorOf('one')));
    assert.deepEqual(lastBody().embedding_types, ['base64']);
    const many = Array.from({ length: 200 }, (_, at) => 'x'.repeat(at + 1));
    const before = provider.requests.length;
    const all = await embed('cohere/embed-v4.0', { input: many, input_type: 'clustering' });
    assert.equal(provider.requests.length - before, 3);
    assert.deepEqual(
      all.data.map(({ index, embedding }) => [index, embedding[0]]),
      many.map((_, at) => [at, at + 1]),
    );
    assert.equal(all.usage.prompt_tokens, 200);
    assert.deepEqual(await sdkRefusal(embed('cohere/embed-v4.0')), [400, 'input_type']);
    assert.deepEqual(await sdkRefusal(embed('cohere/embed-v4.0', { input: [[1, 2]], input_type: 'query' })), [
      400,
      'input',
    ]);
  });

  test('Nomic and Voyage are asked in their words', async () => {
    const nomic = await embed('nomic/nomic-embed-text-v1.5', { input_type: 'search_query', dimensions: 256 });
    assert.deepEqual(nomic.data[1]?.embedding, vectorOf('three'));
    assert.equal(nomic.usage.prompt_tokens, 7);
    assert.deepEqual(lastBody(), {
      model: 'nomic-embed-text-v1.5',
      texts: ['one', 'three'],
      task_type: 'search_query',
      dimensionality: 256,
    });
    const voyage = await embed('voyage/voyage-3.5', { input_type: 'passage', dimensions: 1024, truncation: false });
    assert.deepEqual(voyage.data[0]?.embedding, vectorOf('one'));
    assert.equal(voyage.usage.prompt_tokens, 9);
    assert.deepEqual(lastBody(), {
      model: 'voyage-3.5',
      input: ['one', 'three'],
      input_type: 'document',
      output_dimension: 1024,
      truncation: false,
    });
    assert.deepEqual(await sdkRefusal(embed('voyage/voyage-3.5', { input_type: 'clustering' })), [400, 'input_type']);
  });

  test('documents are ranked by Cohere, Voyage, Bedrock and Vertex, each in its words', async () => {
    const expected = SCORES.map(({ index, score }) => ({ index, relevance_score: score }));
    for (const model of [
      'cohere/rerank-v3.5',
      'voyage/rerank-2.5',
      'aws-bedrock/cohere.rerank-v3-5:0',
      'google-vertex/semantic-ranker-default-004',
    ]) {
      const { status, answer } = await rerank(model, { top_n: 2 });
      assert.deepEqual([status, answer.results], [200, expected], model);
    }
    const sent = provider.requests.slice(-4).map(({ path, body }) => ({ path, body: JSON.parse(body.toString()) }));
    assert.deepEqual(
      sent.map(({ path }) => path),
      [
        '/v2/rerank',
        '/rerank',
        '/rerank',
        '/v1/projects/p-1/locations/global/rankingConfigs/default_ranking_config:rank',
      ],
    );
    assert.equal(sent[1]?.body.top_k, 2);
    assert.deepEqual(sent[2]?.body.rerankingConfiguration.bedrockRerankingConfiguration, {
      modelConfiguration: { modelArn: 'arn:aws:bedrock:eu-central-1::foundation-model/cohere.rerank-v3-5:0' },
      numberOfResults: 2,
    });
    assert.deepEqual(sent[3]?.body, {
      model: 'semantic-ranker-default-004',
      query: 'what is ruby',
      records: [
        { id: '0', content: 'Paris' },
        { id: '1', content: 'Ruby' },
      ],
      topN: 2,
      ignoreRecordDetailsInResponse: true,
    });
    const { status, answer } = await rerank('aws-bedrock/cohere.rerank-v3-5:0', { return_documents: true });
    assert.deepEqual([status, answer.error?.param], [400, 'return_documents']);
  });

  test('units that these vendors count are metered', async () => {
    const headers = { 'x-request-id': 'counted' };
    await client.embeddings.create({ model: 'voyage/voyage-3.5', input: ['one'] }, { headers });
    assert.equal((await recordOf(gateway, 'counted'))['gen_ai.usage.input_tokens'], 9);
  });
});
