import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { legacyClient, modernClient, textOf } from '../support/mcp-clients.ts';
import { legacyHttpServer, remote, type TestServer } from '../support/mcp-servers.ts';

type Connect = typeof legacyClient | typeof modernClient;

async function call(connect: Connect, path: string, text: string, prefix = 'echo'): Promise<string> {
  const connected = await connect(`${gateway.url}${path}`);
  try {
    const { tools } = await connected.client.listTools();
    const { name } = tools.find((tool) => tool.name.startsWith(prefix))!;
    return textOf(await connected.client.callTool({ name, arguments: { text } }));
  } finally {
    await connected.client.close();
  }
}

const everyone = { collaborators: [{ subject: 'team:everyone', role_id: 'mcp-server-user' }] };

let server: TestServer;
let gateway: RunningGateway;

before(async () => {
  server = await legacyHttpServer();
  const regex = (name: string, operation: string, pattern: string): object => ({
    type: 'integration/guardrail-config/regex',
    name,
    operation,
    config: { custom_patterns: [{ pattern, redaction_text: '[GONE]' }] },
  });
  gateway = await startGateway({
    manifests: [
      remote('guarded', server.url, everyone),
      remote('open', server.url, everyone),
      {
        type: 'mcp-server/virtual',
        name: 'code',
        description: 'By code.',
        ...everyone,
        mode: 'code',
        servers: [{ name: 'guarded', enabled_tools: ['echo'] }],
      },
      {
        type: 'provider-account/guardrail-config-group',
        name: 'g',
        integrations: [
          regex('refuse', 'validate', 'forbidden'),
          regex('in', 'mutate', 'secret'),
          regex('out', 'mutate', 'old'),
        ],
      },
      {
        type: 'gateway-guardrails-config',
        rules: [
          {
            id: 'tools',
            when: {
              target: {
                operator: 'or',
                conditions: { mcpTools: { condition: 'in', values: [{ name: 'guarded', enabled_tools: ['echo'] }] } },
              },
            },
            llm_input_guardrails: [],
            llm_output_guardrails: [],
            mcp_tool_pre_invoke_guardrails: ['g/refuse', 'g/in'],
            mcp_tool_post_invoke_guardrails: ['g/out'],
          },
        ],
      },
    ],
  });
});
disposeAfter(() => [gateway, server]);

for (const [era, connect] of Object.entries({ legacy: legacyClient, modern: modernClient })) {
  test(`a ${era} client’s call of a guarded tool is changed on its way in, and its result on its way out`, async () => {
    assert.equal(await call(connect, '/mcp/v1/guarded/mcp', 'a secret word'), '[GONE]: a [GONE] word');
  });

  test(`a ${era} client’s call that a guard refuses reaches no tool`, async () => {
    const before = server.seen.filter(({ body }) => body.includes('forbidden')).length;
    await assert.rejects(call(connect, '/mcp/v1/guarded/mcp', 'forbidden'), /g\/refuse/);
    assert.equal(server.seen.filter(({ body }) => body.includes('forbidden')).length, before);
  });
}

test('a call whose method is written with escapes is guarded as any other', async () => {
  const params = JSON.stringify({ name: 'echo', arguments: { text: 'forbidden' } });
  const before = server.seen.filter(({ body }) => body.includes('forbidden')).length;
  for (const method of [String.raw`tools\/call`, String.raw`tools\u002fcall`]) {
    const answer = await fetch(`${gateway.url}/mcp/v1/guarded/mcp`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      body: `{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}}`,
    });
    assert.equal(answer.status, 400, method);
    assert.match(await answer.text(), /g\/refuse/);
  }
  assert.equal(server.seen.filter(({ body }) => body.includes('forbidden')).length, before);
});

test('a refusal of a tool call bears the id of the request that it answers', async () => {
  for (const id of ['a', 7]) {
    const answer = await fetch(`${gateway.url}/mcp/v1/guarded/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${KEY}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id,
        method: 'tools/call',
        params: { name: 'echo', arguments: { text: 'forbidden' } },
      }),
    });
    assert.equal(answer.status, 400);
    assert.equal(((await answer.json()) as { id: unknown }).id, id);
  }
});

test('other tools and servers are left alone', async () => {
  assert.equal(await call(modernClient, '/mcp/v1/open/mcp', 'a secret word'), 'old: a secret word');
});

test('at the address of all servers rules about any of them hold', async () => {
  assert.match(await call(modernClient, '/mcp', 'a secret word'), /a \[GONE\] word/);
});

test('each call that code makes is guarded by itself, whatever its arguments are made of', async () => {
  const { client } = await modernClient(`${gateway.url}/mcp/v1/code/mcp`);
  const run = async (code: string): Promise<string> =>
    textOf(await client.callTool({ name: 'run_code', arguments: { code } }));
  const found = JSON.parse(textOf(await client.callTool({ name: 'search_tools', arguments: { query: '' } })));
  const name = JSON.stringify(found.tools[0].name);
  const before = server.seen.length;
  const refused = await run(
    `try { await callTool(${name}, {text: "for" + "bidden"}); return "called"; } catch (error) { return error.message; }`,
  );
  assert.match(refused, /guardrail/i);
  assert.ok(!server.seen.slice(before).some(({ body }) => body.includes('tools/call')), 'it reaches no tool');
  const length = await run(`return (await callTool(${name}, {text: "a sec" + "ret"})).length;`);
  assert.equal(Number(length), '[GONE]: a [GONE]'.length, 'code sees what guards left of the result');
  assert.ok(server.seen.slice(before).some(({ body }) => body.includes('a [GONE]')));
  await client.close();
});
