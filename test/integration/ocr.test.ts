import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { before, describe, test } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { type FakeProvider, sendJson, startProvider } from '../support/provider.ts';

/* Written after https://docs.mistral.ai/api/endpoint/ocr: two pages, read alone and annotated as well. */
const fixture = (name: string) => readFileSync(new URL(`../fixtures/ocr/${name}.json`, import.meta.url), 'utf8');
const TWO_PAGES = fixture('two-pages');
const ANNOTATED = fixture('annotated');
const CARD = '4111 1111 1111 1111';
const PDF = Buffer.from('%PDF-1.7 of the test');
const DATA_URL = `data:application/pdf;base64,${PDF.toString('base64')}`;
/** More than is held before an answer is passed on. */
const LARGE_BYTES = 3_000_000;

let provider: FakeProvider;
let files: { readonly origin: string } & AsyncDisposable;
let gateway: RunningGateway;

async function startFiles(): Promise<typeof files> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/pdf' }).end(PDF);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

before(async () => {
  files = await startFiles();
  provider = await startProvider((request, response) => {
    const asked = JSON.parse(request.body.toString());
    if (asked.model === 'busy') sendJson(response, 503, { message: 'no room here' });
    else if (asked.model === 'broken') sendJson(response, 200, { error: { message: 'cannot be read', code: 422 } });
    else if (asked.model === 'large') {
      const { usage_info, ...rest } = JSON.parse(TWO_PAGES);
      rest.pages[0].images[0].image_base64 = 'A'.repeat(LARGE_BYTES);
      sendJson(response, 200, { ...rest, usage_info });
    } else {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(asked.document_annotation_format ? ANNOTATED : TWO_PAGES);
    }
  });
  const { origin } = provider;
  const cost = { metric: 'per_1000_pages', value: { pages: 1000, annotated_pages: 3000 } };
  const model = (kind: string, name: string, more: object = {}) => ({
    name,
    type: `integration/model/${kind}`,
    model_id: name,
    model_types: ['ocr'],
    ...more,
  });
  const key = (api_key: string) => ({ type: 'api-key', api_key });
  const mistral = (name: string, models: object[]) => ({
    type: 'provider-account/mistral-ai',
    name,
    base_url: `${origin}/v1`,
    auth_data: key('sk-mistral'),
    integrations: models,
  });
  const guard = {
    type: 'integration/guardrail-config/tfy-pii',
    name: 'cards',
    operation: 'mutate',
    config: { pii_categories: ['CreditCardNumber'] },
  };
  const budget = (name: string) => ({
    type: 'tenant-budget-config',
    name,
    when: { models: { in: [`m/${name}`] } },
    // A page costs a dollar here.
    limits: { cost_per_day: 4 },
    applies_to: { type: 'aggregate' },
    mode: 'enforce',
  });
  gateway = await startGateway({
    keys: [
      { name: 'test', key: KEY, subject: 'virtualaccount:test' },
      { name: 'narrow', key: 'sk-narrow', subject: 'virtualaccount:narrow', models: ['m/priced'] },
    ],
    server: { media: { private_hosts: ['127.0.0.1'] } },
    manifests: [
      mistral('m', [
        model('mistral-ai', 'mistral-ocr-2512'),
        ...['priced', 'large', 'spent', 'named'].map((name) => model('mistral-ai', name, { cost })),
        ...['busy', 'broken'].map((name) => model('mistral-ai', name, { cost })),
        model('mistral-ai', 'chats', { model_types: ['chat'] }),
      ]),
      {
        type: 'provider-account/azure-foundry',
        name: 'azure',
        integrations: [
          model('azure-foundry', 'mistral-document-ai-2505', {
            auth_data: key('key-of-azure'),
            azure_endpoint: `${origin}/providers/mistral/azure/ocr`,
            cost,
          }),
          model('azure-foundry', 'serverless', { auth_data: key('key-of-azure'), azure_endpoint: `${origin}/v1` }),
        ],
      },
      {
        type: 'provider-account/google-vertex',
        name: 'vertex',
        base_url: origin,
        project_id: 'p-1',
        region: 'us-central1',
        auth_data: key('key-of-vertex'),
        integrations: [model('vertex', 'mistral-ocr-2505')],
      },
      {
        type: 'provider-account/virtual-model',
        name: 'v',
        integrations: [
          {
            name: 'papers',
            type: 'integration/model/virtual',
            model_types: ['ocr'],
            routing_config: {
              type: 'priority-based-routing',
              load_balance_targets: [
                { target: 'm/busy', priority: 0 },
                { target: 'azure/mistral-document-ai-2505', priority: 1 },
              ],
            },
          },
        ],
      },
      { type: 'provider-account/guardrail-config-group', name: 'g', integrations: [guard] },
      budget('spent'),
      budget('named'),
    ],
  });
});
disposeAfter(() => [gateway, provider, files]);

const post = (body: unknown, headers: Record<string, string> = {}, key = KEY): Promise<Response> =>
  fetch(`${gateway.url}/v1/ocr`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
const errorOf = async (response: Response) => JSON.parse(await response.text()).error;
const lastSent = () => provider.requests.at(-1)!;
const document = { type: 'document_url', document_url: 'https://example.com/a.pdf' };

describe('OCR', () => {
  test('a document is read by Mistral, bytes pass, and its pages are metered and priced', async () => {
    const request = { document, include_image_base64: false };
    const answer = await post({ model: 'm/priced', ...request }, { 'x-request-id': 'read' });
    assert.equal(answer.status, 200, await answer.clone().text());
    assert.equal(await answer.text(), TWO_PAGES);
    const { path, body, headers } = lastSent();
    assert.deepEqual([path, headers['authorization']], ['/v1/ocr', 'Bearer sk-mistral']);
    assert.deepEqual(JSON.parse(body.toString()), { model: 'priced', ...request });
    const record = await recordOf(gateway, 'read');
    assert.equal(record['sluice.usage.pages'], 2);
    assert.equal(record['sluice.cost.usd'], 2);
    assert.equal(record['sluice.usage.source'], 'provider');
    assert.equal(record['gen_ai.usage.output_tokens'], undefined);
  });

  test('pages have a list price, and those that are annotated another one', async () => {
    const model = 'm/mistral-ocr-2512';
    await (await post({ model, document }, { 'x-request-id': 'listed' })).text();
    assert.equal((await recordOf(gateway, 'listed'))['sluice.cost.usd'], 0.004);
    const document_annotation_format = { type: 'json_schema', json_schema: { name: 'a', schema: {} } };
    await (await post({ model, document, document_annotation_format }, { 'x-request-id': 'noted' })).text();
    const noted = await recordOf(gateway, 'noted');
    assert.equal(noted['sluice.usage.annotated_pages'], 2);
    assert.equal(noted['sluice.cost.usd'], 0.01);
  });

  test('the pages of an answer with large images are metered as those of a small one', async () => {
    const answer = await post({ model: 'm/large', document }, { 'x-request-id': 'large' });
    assert.ok((await answer.text()).length > LARGE_BYTES);
    assert.equal((await recordOf(gateway, 'large'))['sluice.usage.pages'], 2);
  });

  test('a failure inside a 200 has its status, and no page of it is charged', async () => {
    const answer = await post({ model: 'm/broken', document }, { 'x-request-id': 'broken' });
    assert.equal(answer.status, 422);
    assert.equal((await recordOf(gateway, 'broken'))['sluice.cost.usd'], undefined);
  });

  test('Azure gets the bytes of a document that is named by its address, at its own path and with a bearer', async () => {
    const model = 'azure/mistral-document-ai-2505';
    const answer = await post(
      { model, document: { type: 'document_url', document_url: `${files.origin}/bill.pdf` }, pages: [0] },
      { 'x-request-id': 'azure' },
    );
    assert.equal(answer.status, 200, await answer.clone().text());
    assert.equal(await answer.text(), TWO_PAGES);
    const { path, body, headers } = lastSent();
    assert.deepEqual(
      [path, headers['authorization'], headers['api-key']],
      ['/providers/mistral/azure/ocr', 'Bearer key-of-azure', undefined],
    );
    assert.deepEqual(JSON.parse(body.toString()), {
      model: 'mistral-document-ai-2505',
      document: { type: 'document_url', document_url: DATA_URL, document_name: 'bill.pdf' },
      pages: [0],
    });
    assert.equal((await recordOf(gateway, 'azure'))['sluice.usage.pages'], 2);
  });

  test('a serverless deployment and Vertex get the bytes that the client sends, each at its path', async () => {
    const picture = { type: 'image_url', image_url: { url: 'data:image/jpg;base64,AAAA' } };
    for (const [model, path] of [
      ['azure/serverless', '/v1/ocr'],
      [
        'vertex/mistral-ocr-2505',
        '/v1/projects/p-1/locations/us-central1/publishers/mistralai/models/mistral-ocr-2505:rawPredict',
      ],
    ] as const) {
      const answer = await post({ model, document: picture });
      assert.equal(await answer.text(), TWO_PAGES, model);
      assert.equal(lastSent().path.split('?')[0], path);
      assert.deepEqual(JSON.parse(lastSent().body.toString()), {
        model: model.split('/')[1],
        document: { type: 'image_url', image_url: 'data:image/jpeg;base64,AAAA' },
      });
    }
  });

  test('a file of Mistral’s is refused by name where another provider reads the document', async () => {
    const model = 'vertex/mistral-ocr-2505';
    const refused = await errorOf(await post({ model, document: { type: 'file', file_id: 'f-1' } }));
    assert.deepEqual([refused.code, refused.param], ['unsupported_parameter', 'document.file_id']);
  });

  test('a request without a document, or with what is none, is refused by name', async () => {
    const bad: [object, string, string][] = [
      [{ model: 'm/priced' }, 'missing_parameter', 'document'],
      [{ model: 'm/priced', document: 'a.pdf' }, 'invalid_parameter', 'document'],
      [{ model: 'azure/serverless', document: { type: 'pdf' } }, 'invalid_parameter', 'document.type'],
      [
        { model: 'azure/serverless', document: { type: 'document_url', document_url: '/tmp/a.pdf' } },
        'invalid_parameter',
        'document.document_url',
      ],
    ];
    for (const [body, code, param] of bad) {
      const answer = await post(body);
      assert.equal(answer.status, 400);
      const error = await errorOf(answer);
      assert.deepEqual([error.code, error.param], [code, param]);
    }
  });

  test('a key reads documents with its own models alone, and a model that chats reads none', async () => {
    assert.equal((await post({ model: 'm/priced', document }, {}, 'sk-narrow')).status, 200);
    assert.equal((await post({ model: 'm/large', document }, {}, 'sk-narrow')).status, 403);
    assert.notEqual((await post({ model: 'm/chats', document })).status, 200);
  });

  test('a virtual model falls back to another provider, which gets the document in its own way', async () => {
    const answer = await post(
      { model: 'v/papers', document: { type: 'document_url', document_url: DATA_URL } },
      { 'x-request-id': 'fell' },
    );
    assert.equal(answer.status, 200, await answer.clone().text());
    assert.equal(answer.headers.get('x-tfy-resolved-model'), 'azure/mistral-document-ai-2505');
    assert.equal((await recordOf(gateway, 'fell'))['sluice.usage.pages'], 2);
  });

  test('guards of an answer read the Markdown of its pages and its annotation', async () => {
    const headers = { 'x-tfy-guardrails': JSON.stringify({ llm_output_guardrails: ['g/cards'] }) };
    const answer = await post({ model: 'm/priced', document, document_annotation_format: {} }, headers);
    assert.equal(answer.status, 200, await answer.clone().text());
    const text = await answer.text();
    assert.ok(!text.includes(CARD), text);
    const { pages, document_annotation, usage_info } = JSON.parse(text);
    assert.match(pages[0].markdown, /^# Invoice 17\n\nPaid by .+\.\n\n!\[img-0\.jpeg\]/);
    assert.equal(pages[1].markdown, 'Total: 12.00 EUR');
    assert.match(document_annotation, /holder/);
    assert.equal(usage_info.pages_processed, 2);
  });

  test('a budget holds the pages that a request names, and what documents of its model usually have', async () => {
    const named = async (pages: unknown, id: string) => {
      const answer = await post({ model: 'm/named', document, pages }, { 'x-request-id': id });
      await answer.text();
      return answer.status;
    };
    assert.equal(await named([0, 1], 'two-pages'), 200);
    // Two of four dollars are spent.
    await recordOf(gateway, 'two-pages');
    for (const pages of [[0, 1, 2], '0-2', ['0-1', 9]]) assert.equal(await named(pages, 'too-many'), 429);
    assert.equal(await named('3', 'one-page'), 200);
    // A guess alone refuses nobody: the first document of a model.
    const id = { 'x-request-id': 'first' };
    assert.equal((await post({ model: 'm/spent', document }, id)).status, 200);
    await recordOf(gateway, 'first');
    // What was seen is held twice.
    assert.equal((await post({ model: 'm/spent', document })).status, 429);
    assert.equal(
      (await post({ model: 'm/spent', document: { type: 'image_url', image_url: 'https://a.b/c' } })).status,
      200,
    );
  });

  test('lines of a batch read documents', async () => {
    const client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    const line = { custom_id: 'one', method: 'POST', url: '/v1/ocr', body: { model: 'm/priced', document } };
    const file = await toFile(Buffer.from(`${JSON.stringify(line)}\n`), 'in.jsonl');
    const { id: input_file_id } = await client.files.create({ file, purpose: 'batch' });
    const endpoint = '/v1/ocr' as OpenAI.BatchCreateParams['endpoint'];
    const { id } = await client.batches.create({ input_file_id, endpoint, completion_window: '24h' });
    let batch = await client.batches.retrieve(id);
    await eventually(
      'the batch ended',
      async () => {
        batch = await client.batches.retrieve(id);
        return batch.status === 'completed';
      },
      30_000,
    );
    const output = await (await client.files.content(batch.output_file_id!)).text();
    assert.deepEqual(JSON.parse(output).response.body, JSON.parse(TWO_PAGES));
  });
});
