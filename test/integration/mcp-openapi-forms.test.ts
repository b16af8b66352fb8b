import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { type RunningGateway, startGateway } from '../support/gateway.ts';
import { modernClient } from '../support/mcp-clients.ts';

/** A form as the API read it: of each field its texts, or name, type and content of its files. */
type ReadForm = Record<string, (string | readonly [string, string, string])[]>;

const asked: { url: string; contentType: string; form: ReadForm | undefined; body: string }[] = [];
let api: Server;
let gateway: RunningGateway;
let connected: Awaited<ReturnType<typeof modernClient>>;

const file = { type: 'string', format: 'binary' };
const content = (type: string, schema: object, encoding?: object) => ({
  operationId: type.replaceAll(/\W+/g, '_'),
  requestBody: { required: true, content: { [type]: { schema, ...(encoding && { encoding }) } } },
});
const document = {
  openapi: '3.1.0',
  info: { title: 'Forms', version: '1' },
  paths: {
    '/upload': {
      post: content(
        'multipart/form-data',
        {
          type: 'object',
          properties: {
            title: { type: 'string' },
            tags: { type: 'array', items: { type: 'string' } },
            about: { type: 'object' },
            photo: { ...file, description: 'A picture.' },
            pages: { type: 'array', items: { type: 'string', contentMediaType: 'application/pdf' } },
            raw: {},
          },
          required: ['title'],
        },
        { photo: { contentType: 'image/png, image/jpeg' }, raw: { contentType: 'application/x-raw' } },
      ),
    },
    '/pairs': {
      post: content(
        'application/x-www-form-urlencoded',
        {
          type: 'object',
          properties: { items: { type: 'array' }, joined: { type: 'array' }, card: { type: 'object' } },
        },
        { joined: { explode: false }, card: { style: 'deepObject' } },
      ),
    },
    '/bytes': { put: content('application/octet-stream', file) },
    '/pets/{id}': {
      get: {
        operationId: 'pet',
        parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
      },
    },
    '/search': {
      get: {
        operationId: 'search',
        parameters: [{ name: 'filter', in: 'query', style: 'deepObject', schema: { type: 'object' } }],
      },
    },
  },
};

async function readForm(contentType: string, body: Buffer): Promise<ReadForm | undefined> {
  if (!contentType.includes('form')) return undefined;
  const headers = { 'content-type': contentType };
  const form = await new Request('http://x', { method: 'POST', headers, body: new Uint8Array(body) }).formData();
  const read: ReadForm = {};
  for (const [name, value] of form) {
    read[name] ??= [];
    read[name].push(typeof value === 'string' ? value : [value.name, value.type, await value.text()]);
  }
  return read;
}

before(async () => {
  api = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const contentType = request.headers['content-type'] ?? '';
    const form = await readForm(contentType, body);
    asked.push({ url: request.url ?? '', contentType, form, body: body.toString() });
    response.setHeader('content-type', 'application/json');
    response.end('{"ok":true}');
  });
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
  gateway = await startGateway({
    server: { mcp: { max_message_bytes: 65_536 } },
    manifests: [
      {
        type: 'mcp-server/openapi',
        name: 'forms',
        description: 'Forms.',
        url: `http://127.0.0.1:${(api.address() as AddressInfo).port}`,
        openapi_spec_source: { type: 'inline', openapi_spec: document },
        enable_all_tools: true,
        collaborators: [{ subject: 'team:everyone', role_id: 'mcp-server-user' }],
      },
    ],
  });
  connected = await modernClient(`${gateway.url}/mcp/v1/forms/mcp`);
});
after(async () => {
  await connected?.client.close();
  await gateway?.[Symbol.asyncDispose]();
  api?.close();
});

async function send(name: string, args: object): Promise<(typeof asked)[number]> {
  const result = await connected.client.callTool({ name, arguments: { ...args } });
  assert.deepEqual(result.structuredContent, { ok: true });
  return asked.at(-1)!;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

test('a model sees that a field of a form is a file, and how it may give one', async () => {
  const { tools } = await connected.client.listTools();
  const upload = tools.find(({ name }) => name === 'multipart_form_data');
  const body = JSON.parse(JSON.stringify(upload?.inputSchema.properties?.['body']));
  assert.match(body.properties.photo.description, /^A picture\. A file: its text, or a data URL/);
  assert.ok(body.properties.pages.items.anyOf && body.properties.raw.anyOf);
  assert.deepEqual([body.properties.title, body.required], [{ type: 'string' }, ['title']]);
  assert.deepEqual(upload?.inputSchema.required, ['body']);
});

test('a form with files reaches an API as it was meant, whether a file came as base64, a data URL or text', async () => {
  const { form, contentType } = await send('multipart_form_data', {
    body: {
      title: 'Grüße "x"\r\nContent-Type: evil',
      tags: ['a', 'b'],
      about: { size: 1 },
      photo: `data:image/png;base64,${base64('picture')}`,
      pages: [
        { base64: base64('page 1'), filename: 'one".pdf\r\nx: y', content_type: 'application/pdf' },
        { text: 'page 2' },
        'page 3',
      ],
      raw: { base64: base64('raw') },
      beside: 7,
    },
  });
  assert.match(contentType, /^multipart\/form-data; boundary=/);
  assert.deepEqual(form, {
    title: ['Grüße "x"\r\nContent-Type: evil'],
    tags: ['a', 'b'],
    about: ['{"size":1}'],
    photo: [['photo', 'image/png', 'picture']],
    pages: [
      ['one".pdf\r\nx: y', 'application/pdf', 'page 1'],
      ['pages', 'text/plain; charset=utf-8', 'page 2'],
      ['pages', 'text/plain; charset=utf-8', 'page 3'],
    ],
    raw: [['raw', 'application/x-raw', 'raw']],
    beside: ['7'],
  });
});

test('a form of pairs repeats lists, or joins them, and writes objects as its document says', async () => {
  const { form, contentType } = await send('application_x_www_form_urlencoded', {
    body: { items: ['a b', 'c&d'], joined: [1, 2], card: { number: '4', exp: { year: 30 } }, other: { x: 1 } },
  });
  assert.equal(contentType, 'application/x-www-form-urlencoded');
  assert.deepEqual(form, {
    items: ['a b', 'c&d'],
    joined: ['1,2'],
    'card[number]': ['4'],
    'card[exp][year]': ['30'],
    other: ['{"x":1}'],
  });
  const { url } = await send('search', { filter: { name: 'Rex', tags: ['x', 'y'] } });
  assert.deepEqual(
    [...new URL(url, 'http://x').searchParams],
    [
      ['filter[name]', 'Rex'],
      ['filter[tags]', 'x'],
      ['filter[tags]', 'y'],
    ],
  );
});

test('a body of bytes is a file as well', async () => {
  const { body, contentType } = await send('application_octet_stream', { body: { base64: base64('bytes') } });
  assert.deepEqual([body, contentType], ['bytes', 'application/octet-stream']);
});

test('arguments that make no form are refused with the field and what is allowed, and nothing is sent', async () => {
  const before = asked.length;
  const refused = (name: string, args: object, why: RegExp) =>
    assert.rejects(connected.client.callTool({ name, arguments: { ...args } }), why);
  const upload = (photo: unknown) => ({ body: { title: 'x', photo } });
  await refused('multipart_form_data', {}, /`body` is missing/);
  await refused('multipart_form_data', { body: 'title=x' }, /must be an object: each of its keys is a field/);
  await refused('multipart_form_data', upload({ base64: 'no base64!' }), /`body\.photo` is no valid base64/);
  await refused('multipart_form_data', upload('data:image/png;base64,%%%'), /`body\.photo` is no valid base64/);
  await refused('multipart_form_data', upload({ base64: '', text: '' }), /either `base64` or `text`/);
  await refused('multipart_form_data', upload(7), /`body\.photo` must be text, a data URL/);
  await refused(
    'multipart_form_data',
    upload({ text: 'x', content_type: 'image/png\r\nx: y' }),
    /`content_type` of the file `body\.photo` is no media type/,
  );
  await refused(
    'multipart_form_data',
    { body: { title: 'x', pages: ['fine', { filename: 'x' }] } },
    /`body\.pages\[1\]` must be text/,
  );
  assert.equal(asked.length, before);
});

test('a form that grows over the bound of a message is refused with the setting', async () => {
  // Pairs write each of these characters as three.
  const body = { items: ['&'.repeat(40_000)] };
  await assert.rejects(
    connected.client.callTool({ name: 'application_x_www_form_urlencoded', arguments: { body } }),
    /mcp\.max_message_bytes: 65536/,
  );
});

test('an argument that fits into no path is refused, and what looks like one is one part of it', async () => {
  const pet = (id: string) => connected.client.callTool({ name: 'pet', arguments: { id } });
  await pet('a/b?c#d ü');
  assert.equal(asked.at(-1)?.url, '/pets/a%2Fb%3Fc%23d%20%C3%BC');
  const before = asked.length;
  for (const id of ['..', 'a/../b', '%2e%2E', 'x\ud800', '\udfffx'])
    await assert.rejects(pet(id), /`id` is no part of a path/);
  assert.equal(asked.length, before);
});
