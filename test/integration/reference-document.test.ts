import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type FakeProvider, startProvider } from '../support/provider.ts';
import { noReferenceDocument, referenceDocument } from '../support/recordings.ts';
import { openAccount } from '../support/scripted-provider.ts';

/*
 * Each operation of the reference product's OpenAPI document, with each answer that it names: what is asked is valid by
 * the document, unless it is to be refused, and so is what the gateway answers. One relaxation: null stands for a key
 * that is absent, as OpenAI's API itself writes it (`"logprobs": null`).
 */

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: object }>>;
}
interface Operation {
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content & { readonly $ref?: string }>>;
}

const MP3 = Buffer.from('4944330400000000000a', 'hex');
const chat = { model: 'demo/chat', messages: [{ role: 'user', content: 'hi' }] };
const LINE = JSON.stringify({ custom_id: 'one', method: 'POST', url: '/v1/chat/completions', body: chat });

interface Asked {
  readonly body?: object | undefined;
  readonly form?: Readonly<Record<string, string | Blob>>;
  readonly path?: string;
  readonly key?: string;
  readonly accept?: string;
}
type Cases = Readonly<Record<string, (made: Made) => Asked>>;

/** What earlier requests of this file made. */
interface Made {
  readonly file: string;
  readonly batch: string;
}

const noKey = { key: 'none' };
const upload = { file: new Blob([LINE]), purpose: 'batch' };
const audio = { file: new Blob([MP3]), model: 'demo/transcription', language: 'en', response_format: 'json' };
const speech = { model: 'p/tts', input: 'SOS', voice: 'alloy', response_format: 'mp3', speed: 1 };
const batch = (file: string) => ({ input_file_id: file, endpoint: '/chat/completions', completion_window: '24h' });

const CASES: Readonly<Record<string, Cases>> = {
  'POST /chat/completions': {
    200: () => ({ body: { ...chat, temperature: 0, top_p: 1, n: 1, max_tokens: 50, stop: ['never'], user: 'u' } }),
    '200 text/event-stream': () => ({ body: { ...chat, stream: true }, accept: 'text/event-stream' }),
    400: () => ({ body: { ...chat, messages: 'none' } }),
    401: () => ({ body: chat, ...noKey }),
    429: () => ({ body: { ...chat, model: 'limited/chat' } }),
  },
  'POST /embeddings': {
    200: () => ({ body: { model: 'demo/embedding', input: ['a', 'b'], encoding_format: 'float', dimensions: 8 } }),
    400: () => ({ body: { model: 'demo/embedding' } }),
    401: () => ({ body: { model: 'demo/embedding', input: 'a' }, ...noKey }),
  },
  'POST /images/generations': {
    200: () => ({
      body: { model: 'demo/image', prompt: 'a sluice', n: 1, size: '256x256', response_format: 'b64_json' },
    }),
    400: () => ({ body: { model: 'demo/image' } }),
    401: () => ({ body: { model: 'demo/image', prompt: 'a sluice' }, ...noKey }),
  },
  'POST /audio/speech': {
    200: () => ({ body: speech }),
    400: () => ({ body: { model: 'p/tts' } }),
    401: () => ({ body: speech, ...noKey }),
  },
  'POST /audio/transcriptions': {
    200: () => ({ form: audio }),
    400: () => ({ form: { model: 'demo/transcription' } }),
  },
  'GET /files': {
    200: () => ({ path: '/files?purpose=batch' }),
    401: () => noKey,
  },
  'POST /files': {
    200: () => ({ form: upload }),
    400: () => ({ form: { purpose: 'batch' } }),
    401: () => ({ form: upload, ...noKey }),
  },
  'GET /files/{file_id}': {
    200: ({ file }) => ({ path: `/files/${file}` }),
    404: () => ({ path: '/files/file-none' }),
  },
  'POST /batches': {
    200: ({ file }) => ({ body: batch(file) }),
    400: () => ({ body: batch('file-none') }),
  },
  'GET /batches/{batch_id}': {
    200: (made) => ({ path: `/batches/${made.batch}` }),
    404: () => ({ path: '/batches/batch_none' }),
  },
  'DELETE /files/{file_id}': {
    200: ({ file }) => ({ path: `/files/${file}` }),
    404: () => ({ path: '/files/file-none' }),
  },
  'POST /moderations': { 200: () => ({ body: { model: 'demo/moderation', input: ['a', 'b'] } }) },
  'GET /models': { 200: () => ({}), 401: () => noKey },
  'POST /rerank': {
    200: () => ({ body: { model: 'demo/rerank', query: 'a', documents: ['a', 'b'], top_n: 1 } }),
  },
};

describe('the reference document', { skip: noReferenceDocument }, () => {
  const document = noReferenceDocument === false ? parse(readFileSync(referenceDocument, 'utf8')) : { paths: {} };
  const ajv = new Ajv({ strict: false, validateFormats: false });
  if (noReferenceDocument === false) ajv.addSchema(document, 'document');
  const operations = new Map<string, Operation>(
    Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
    ),
  );
  let gateway: RunningGateway;
  let provider: FakeProvider;
  const made = { file: '', batch: '' };
  disposeAfter(() => [gateway, provider]);

  before(async () => {
    provider = await startProvider((_request, response) => {
      response.writeHead(200, { 'content-type': 'audio/mpeg' }).end(MP3);
    });
    gateway = await startGateway({
      server: { demo: true },
      manifests: [
        openAccount('p', `${provider.origin}/v1`),
        openAccount('limited', `${provider.origin}/v1`),
        {
          type: 'gateway-rate-limiting-config',
          rules: [{ id: 'none', when: { models: ['limited/*'] }, limit_to: 0, unit: 'requests_per_day' }],
        },
      ],
    });
  });

  test('each of its operations has a case for each answer that it names', () => {
    const answers = [...operations].flatMap(([name, { responses }]) =>
      Object.keys(responses).map((status) => `${name} ${status}`),
    );
    const cases = Object.entries(CASES).flatMap(([name, ofName]) =>
      [...new Set(Object.keys(ofName).map((each) => each.slice(0, 3)))].map((status) => `${name} ${status}`),
    );
    assert.deepEqual(cases.toSorted(), answers.toSorted());
  });

  for (const [name, cases] of Object.entries(CASES)) {
    for (const [answer, ask] of Object.entries(cases)) {
      test(`${name} is answered with ${answer} in the form that it describes`, async () => {
        const asked = ask(made);
        const operation = operations.get(name)!;
        const [status = '', type = 'application/json'] = answer.split(' ');
        if (asked.body && status === '200') hold(asked.body, schemaOf(operation.requestBody, 'application/json'));
        const response = await send(gateway, name, asked);
        const told = await response.text();
        assert.equal(response.status, Number(status), told);
        const content = resolved(operation.responses[status]!).content ?? {};
        const [label = ''] = (response.headers.get('content-type') ?? '').split(';');
        assert.ok(label in content, `${label} is none of ${Object.keys(content)}`);
        if (asked.accept !== undefined) assert.equal(label, type);
        if (label !== 'application/json') return;
        const value = JSON.parse(told);
        hold(withoutNulls(value), schemaOf(resolved(operation.responses[status]!), label));
        if (name === 'POST /files' && status === '200') made.file = value.id;
        if (name !== 'POST /batches' || status !== '200') return;
        made.batch = value.id;
        // The file is deleted below.
        await eventually('the end of the batch', async () => {
          const shown = await send(gateway, 'GET /batches', { path: `/batches/${made.batch}` });
          return Reflect.get(Object(await shown.json()), 'status') === 'completed';
        });
      });
    }
  }

  function resolved(response: Operation['responses'][string]): Content {
    return response.$ref === undefined ? response : document.components.responses[response.$ref.split('/').at(-1)!];
  }

  function schemaOf(part: Content | undefined, type: string): object {
    return part?.content?.[type]?.schema ?? {};
  }

  function hold(value: unknown, schema: object): void {
    const fits = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"document#/')));
    assert.ok(fits(value), `${JSON.stringify(fits.errors)}: ${JSON.stringify(value).slice(0, 300)}`);
  }
});

function send(gateway: RunningGateway, name: string, { body, form, path, key, accept }: Asked): Promise<Response> {
  const [method = '', pattern = ''] = name.split(' ');
  const headers = new Headers({ authorization: `Bearer ${key ?? KEY}` });
  if (accept !== undefined) headers.set('accept', accept);
  if (body !== undefined) headers.set('content-type', 'application/json');
  const data = new FormData();
  for (const [part, value] of Object.entries(form ?? {})) data.append(part, value);
  const sent = body === undefined ? form && data : JSON.stringify(body);
  return fetch(`${gateway.url}/api/llm${path ?? pattern}`, { method, headers, ...(sent && { body: sent }) });
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([, each]) => each !== null);
  return Object.fromEntries(kept.map(([key, each]) => [key, withoutNulls(each)]));
}
