import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { type RunningGateway, startGateway } from '../support/gateway.ts';
import { CLIENTS, legacyClient, modernClient, textOf } from '../support/mcp-clients.ts';

const everybody = [{ subject: 'team:everyone', role_id: 'mcp-server-user' }];
const program = fileURLToPath(new URL('../support/stdio-server.ts', import.meta.url));
const asked: { method: string; url: string; headers: Record<string, unknown>; body: string }[] = [];
let api: Server;
let gateway: RunningGateway;

const document = {
  openapi: '3.1.0',
  info: { title: 'Pets', version: '1' },
  paths: {
    '/pets/{id}': {
      parameters: [{ $ref: '#/components/parameters/id' }],
      get: {
        operationId: 'get pet',
        summary: 'Gets a pet.',
        parameters: [
          { name: 'fields', in: 'query', schema: { type: 'array', items: { type: 'string' } } },
          { name: 'x-trace', in: 'header', schema: { type: 'string' } },
          { name: 'authorization', in: 'header', schema: { type: 'string' } },
        ],
      },
      delete: { operationId: 'deletePet', summary: 'Deletes a pet.' },
    },
    '/pets': {
      post: {
        operationId: 'addPet',
        description: 'Adds a pet.',
        requestBody: {
          required: true,
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Pet' } } },
        },
      },
    },
  },
  components: {
    parameters: { id: { name: 'id', in: 'path', required: true, schema: { type: 'string' } } },
    schemas: {
      Pet: { type: 'object', properties: { name: { type: 'string' }, parent: { $ref: '#/components/schemas/Pet' } } },
    },
  },
};

before(async () => {
  api = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    asked.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
    response.setHeader('content-type', 'application/json');
    if (request.url?.startsWith('/v1/pets/none')) response.statusCode = 404;
    if (request.url === '/openapi.yaml') response.setHeader('content-type', 'application/yaml');
    const documents: Record<string, string> = {
      '/openapi.json': JSON.stringify(document),
      '/openapi.yaml': stringify(document),
      '/broken.yaml': 'paths: [',
    };
    response.end(documents[request.url ?? ''] ?? '{"name":"Rex"}');
  });
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
  gateway = await startGateway({
    server: { threads: 2 },
    environment: { SECRET_OF_THE_GATEWAY: 'never' },
    manifests: [
      {
        type: 'mcp-server/openapi',
        name: 'pets',
        description: 'Pets.',
        url: `${url}/v1`,
        openapi_spec_source: { type: 'remote', url: `${url}/openapi.json` },
        enable_all_tools: true,
        auth_data: { type: 'header', headers: { 'x-key': 'of the API' }, auth_level: 'global' },
        tool_settings: [{ method: 'delete', path: '/pets/{id}', name: 'remove_pet', description: 'Removes.' }],
        collaborators: everybody,
      },
      ...[
        { name: 'yaml', openapi_spec_source: { type: 'remote', url: `${url}/openapi.yaml` } },
        { name: 'yaml-inline', openapi_spec_source: { type: 'inline', openapi_spec: stringify(document) } },
        { name: 'yaml-broken', openapi_spec_source: { type: 'remote', url: `${url}/broken.yaml` } },
      ].map((more) => ({
        type: 'mcp-server/openapi',
        description: 'In YAML.',
        url: `${url}/v1`,
        enable_all_tools: true,
        collaborators: everybody,
        ...more,
      })),
      {
        type: 'mcp-server/openapi',
        name: 'one',
        description: 'One.',
        url: `${url}/v1/?version=2`,
        openapi_spec_source: { type: 'inline', openapi_spec: document },
        tool_settings: [{ method: 'get', path: '/pets/{id}', name: 'pet', description: 'A pet.' }],
        collaborators: everybody,
      },
      {
        type: 'mcp-server/stdio',
        name: 'process',
        description: 'A process.',
        command: process.execPath,
        args: [program],
        auth_data: { type: 'env', env: { TOKEN: 'of the server' } },
        collaborators: everybody,
      },
      {
        type: 'mcp-server/stdio',
        name: 'nothing',
        description: '',
        command: '/no/such/program',
        collaborators: everybody,
      },
    ],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  api?.close();
});

const at = (name: string) => `${gateway.url}/mcp/v1/${name}/mcp`;

test('every operation of an OpenAPI document is a tool, with what it refers to put in', async () => {
  const { client } = await legacyClient(at('pets'));
  const { tools } = await client.listTools();
  await client.close();
  assert.deepEqual(
    tools.map(({ name, annotations }) => [name, annotations?.readOnlyHint, annotations?.destructiveHint]),
    [
      ['get_pet', true, undefined],
      ['remove_pet', false, true],
      ['addPet', false, undefined],
    ],
  );
  const [get, , add] = tools;
  assert.deepEqual(Object.keys(get?.inputSchema.properties ?? {}), ['id', 'fields', 'x-trace']);
  assert.deepEqual(get?.inputSchema.required, ['id']);
  assert.match(JSON.stringify(add?.inputSchema), /"body":\{"type":"object","properties":\{"name"/);
});

test('the arguments of a tool become path, query, headers and body of its operation', async () => {
  const { client } = await modernClient(at('pets'));
  const since = asked.length;
  const got = await client.callTool({ name: 'get_pet', arguments: { id: 'a/b', fields: ['x', 'y'], 'x-trace': 't' } });
  await client.callTool({ name: 'addPet', arguments: { body: { name: 'Rex' } } });
  const missing = await client.callTool({ name: 'get_pet', arguments: { id: 'none' } });
  await client.close();
  assert.deepEqual(got.structuredContent, { name: 'Rex' });
  const [first, second] = asked.slice(since);
  assert.deepEqual([first?.method, first?.url], ['GET', '/v1/pets/a%2Fb?fields=x&fields=y']);
  assert.deepEqual([first?.headers['x-trace'], first?.headers['x-key']], ['t', 'of the API']);
  assert.deepEqual([second?.method, second?.url, second?.body], ['POST', '/v1/pets', '{"name":"Rex"}']);
  assert.equal(missing.isError, true);
  assert.match(textOf(missing), /^HTTP 404/);
});

test('an argument leads to no operation but its own, and only listed operations are tools', async () => {
  const { client } = await legacyClient(at('one'));
  const { tools } = await client.listTools();
  assert.deepEqual(
    tools.map(({ name }) => name),
    ['pet'],
  );
  const since = asked.length;
  for (const id of ['.', '..', '../secrets', 'a/../../secrets', '..\\x', '..%2fx', '%2e%2e/x', 'a/%2E.']) {
    await assert.rejects(client.callTool({ name: 'pet', arguments: { id } }), /is no part of a path/, id);
  }
  assert.equal(asked.length, since);
  await client.callTool({ name: 'pet', arguments: { id: 'a..b/...' } });
  // The query of the base address stays, and stands where a query does.
  assert.equal(asked.at(-1)?.url, '/v1/pets/a..b%2F...?version=2');
  await assert.rejects(client.callTool({ name: 'pet', arguments: {} }), /`id` is missing/);
  await assert.rejects(client.callTool({ name: 'addPet', arguments: {} }), /Unknown tool/);
  await client.close();
});

for (const [era, connect] of Object.entries(CLIENTS)) {
  test(`a client of the ${era} era uses a server that is a process, which gets only the environment that is configured`, async () => {
    const { client } = await connect(at('process'));
    assert.equal(textOf(await client.callTool({ name: 'echo', arguments: { text: 'x' } })), 'process: x');
    const environment = JSON.parse(textOf(await client.callTool({ name: 'environment', arguments: {} })));
    await client.close();
    assert.equal(environment.TOKEN, 'of the server');
    assert.equal(environment.SECRET_OF_THE_GATEWAY, undefined);
  });
}

test('a program that does not exist is an error of its server, and is not started again at once', async () => {
  await assert.rejects(legacyClient(at('nothing')), /process ended|cannot be started/);
  await assert.rejects(legacyClient(at('nothing')), /started again in/);
});

test('an OpenAPI document may be YAML, at an address and inline; one that is neither is an error of its server', async () => {
  for (const name of ['yaml', 'yaml-inline']) {
    const { client } = await modernClient(at(name));
    const { tools } = await client.listTools();
    await client.close();
    assert.deepEqual(tools.map((tool) => tool.name).sort(), ['addPet', 'deletePet', 'get_pet'], name);
  }
  const { client } = await modernClient(at('yaml-broken'));
  await assert.rejects(client.listTools(), /neither JSON nor YAML/);
  await client.close();
});
