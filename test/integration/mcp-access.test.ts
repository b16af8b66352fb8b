import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { legacyClient, modernClient, textOf } from '../support/mcp-clients.ts';
import { legacyHttpServer, remote, type TestServer } from '../support/mcp-servers.ts';

const keys = ['ada', 'bob', 'eve'].map((name) => ({
  name,
  key: `key of ${name}`,
  subject: `user:${name}@example.com`,
}));
const keyOf = (name: string) => `key of ${name}`;
const user = (name: string) => ({ subject: `user:${name}@example.com`, role_id: 'mcp-server-user' });

let server: TestServer;
let gateway: RunningGateway;

before(async () => {
  server = await legacyHttpServer();
  gateway = await startGateway({
    keys,
    server: { operator: { host: '127.0.0.1', port: 0, admin_key: 'admin' } },
    manifests: [
      remote('closed', server.url, { collaborators: [user('ada')] }),
      remote('tools', server.url, {
        collaborators: [user('ada'), user('bob'), user('eve')],
        tool_settings: [
          { name: 'fail', disabled: true },
          { name: 'echo', description: 'Told by the gateway.' },
          { name: 'add', annotations: { readOnlyHint: true } },
        ],
        tool_access: [
          { subjects: ['user:ada@example.com'], tools: ['@all'] },
          { subjects: ['user:bob@example.com'], tools: ['@read-only'] },
          { subjects: ['user:eve@example.com'], tools: ['des*'], metadata: { env: 'dev' } },
        ],
      }),
      {
        type: 'gateway-rate-limiting-config',
        rules: [
          { id: 'tool', when: { models: ['mcp:limited/echo'] }, limit_to: 2, unit: 'requests_per_hour' },
          { id: 'models', when: { models: ['*'] }, limit_to: 0, unit: 'requests_per_hour' },
        ],
      },
      remote('limited', server.url, { collaborators: [user('ada')] }),
      {
        type: 'mcp-server/virtual',
        name: 'both',
        description: 'Both.',
        collaborators: [{ subject: 'team:everyone', role_id: 'mcp-server-user' }],
        servers: [{ name: 'closed', enabled_tools: ['echo'] }, { name: 'tools' }],
      },
    ],
  });
});
disposeAfter(() => [gateway, server]);

async function toolsOf(name: string, path: string, headers = {}): Promise<string[]> {
  const { client } = await modernClient(`${gateway.url}${path}`, { key: keyOf(name), headers });
  try {
    return (await client.listTools()).tools.map((tool) => tool.name).sort();
  } finally {
    await client.close();
  }
}

async function call(name: string, path: string, tool: string, headers = {}): Promise<string> {
  const { client } = await legacyClient(`${gateway.url}${path}`, { key: keyOf(name), headers });
  try {
    return textOf(await client.callTool({ name: tool, arguments: { text: 'x', a: 1, b: 2 } }));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await client.close();
  }
}

test('a server that somebody may not use looks to them as if it were not there', async () => {
  const answers = [];
  for (const name of ['closed', 'nowhere']) {
    const answer = await fetch(`${gateway.url}/mcp/v1/${name}/mcp`, {
      method: 'POST',
      headers: { authorization: `Bearer ${keyOf('bob')}`, 'content-type': 'application/json' },
      body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    });
    answers.push([answer.status, (await answer.text()).replace(name, 'NAME')]);
  }
  assert.deepEqual(answers[0], answers[1]);
  assert.equal(answers[0]?.[0], 404);
  assert.ok((await toolsOf('ada', '/mcp/v1/closed/mcp')).includes('echo'));
});

test('the admin API names the tools of a server as soon as a client listed them', async () => {
  await toolsOf('ada', '/mcp/v1/closed/mcp');
  const headers = { authorization: 'Bearer admin' };
  const answer = await fetch(`${gateway.operatorUrl}/admin/mcp-servers`, { headers });
  const { data } = (await answer.json()) as { data: { name: string; tools: string[] | null }[] };
  assert.ok(data.find(({ name }) => name === 'closed')?.tools?.includes('destroy'));
});

test('a tool that somebody may not use is neither listed nor called', async () => {
  const path = '/mcp/v1/tools/mcp';
  assert.deepEqual(await toolsOf('ada', path), ['add', 'ask', 'destroy', 'echo', 'progress', 'wait']);
  assert.deepEqual(await toolsOf('bob', path), ['add', 'echo']);
  assert.deepEqual(await toolsOf('eve', path), []);
  assert.deepEqual(await toolsOf('eve', path, { 'x-tfy-metadata': '{"env":"dev"}' }), ['destroy']);
  assert.equal(await call('bob', path, 'add'), '3');
  assert.match(await call('bob', path, 'destroy'), /Unknown tool: destroy/);
  assert.match(await call('ada', path, 'fail'), /Unknown tool: fail/);
  assert.match(await call('eve', path, 'destroy'), /Unknown tool/);
  assert.equal(await call('eve', path, 'destroy', { 'x-tfy-metadata': '{"env":"dev"}' }), 'gone');
});

test('a tool is told of as its setting says', async () => {
  const { client } = await legacyClient(`${gateway.url}/mcp/v1/tools/mcp`, { key: keyOf('ada') });
  const { tools } = await client.listTools();
  await client.close();
  assert.equal(tools.find(({ name }) => name === 'echo')?.description, 'Told by the gateway.');
  assert.equal(tools.find(({ name }) => name === 'add')?.annotations?.readOnlyHint, true);
});

test('a virtual server gives nobody a tool that its own server does not give them, and its names are steady', async () => {
  const ofAda = await toolsOf('ada', '/mcp/v1/both/mcp');
  const ofBob = await toolsOf('bob', '/mcp/v1/both/mcp');
  assert.equal(ofAda.filter((name) => name.startsWith('echo_')).length, 2);
  assert.deepEqual(
    ofBob.map((name) => name.replace(/_[0-9a-f]{8}$/, '')),
    ['add', 'echo'],
  );
  assert.ok(ofBob.every((name) => ofAda.includes(name) && name.length <= 64));
  assert.deepEqual(await toolsOf('ada', '/mcp/v1/both/mcp'), ofAda);
  const [add] = ofBob;
  assert.equal(await call('bob', '/mcp/v1/both/mcp', add!), '3');
  const ofClosed = ofAda.find((name) => name.startsWith('echo_') && !ofBob.includes(name));
  assert.match(await call('bob', '/mcp/v1/both/mcp', ofClosed!), /Unknown tool/);
});

test('/mcp has the tools of all servers that the caller may use', async () => {
  assert.deepEqual(
    (await toolsOf('bob', '/mcp')).map((name) => name.replace(/_[0-9a-f]{8}$/, '')),
    ['add', 'echo'],
  );
  assert.equal((await toolsOf('ada', '/mcp')).filter((name) => name.startsWith('echo_')).length, 3);
});

test('a rate limit that names a tool holds for it, and one of models for no tool', async () => {
  const path = '/mcp/v1/limited/mcp';
  assert.equal(await call('ada', path, 'echo'), 'old: x');
  assert.equal(await call('ada', path, 'echo'), 'old: x');
  assert.match(await call('ada', path, 'echo'), /rate limit.*tool/i);
  for (let count = 0; count < 3; count += 1) assert.equal(await call('ada', path, 'add'), '3');
});

test('the older paths of the reference product lead to the same servers', async () => {
  for (const path of ['/api/llm/mcp/tools/server', '/tenant/mcp/tools/server']) {
    assert.deepEqual(await toolsOf('bob', path), ['add', 'echo'], path);
  }
});

test('a call of a tool leaves a record of who, what, how long and with which outcome', async () => {
  await call('bob', '/mcp/v1/tools/mcp', 'add');
  await eventually(
    'a record of the call',
    () => gateway.records({ 'gen_ai.request.model': 'mcp:tools/add' }).length > 0,
  );
});

test('the admin API says how each server is, and metrics count its calls', async () => {
  await call('ada', '/mcp/v1/tools/mcp', 'echo');
  const answer = await fetch(`${gateway.operatorUrl}/admin/mcp-servers`, {
    headers: { authorization: 'Bearer admin' },
  });
  const { data } = (await answer.json()) as { data: { name: string; status: string; era: string; tools: string[] }[] };
  const tools = data.find(({ name }) => name === 'tools');
  assert.deepEqual([tools?.status, tools?.era], ['up', 'streamable-http']);
  assert.ok(tools?.tools.includes('destroy'));
  await eventually(
    'a count of calls',
    async () => (await gateway.metric('mcp_tool_calls_total', { server: 'tools' })) > 0,
  );
});
