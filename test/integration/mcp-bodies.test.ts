import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { legacyClient, textOf } from '../support/mcp-clients.ts';
import { legacyHttpServer, remote, type TestServer } from '../support/mcp-servers.ts';

const ADMIN_KEY = 'admin-key-of-this-test-0123456789';
const CARD = '4111 1111 1111 1111';
const admin = { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY };
const everyone = [{ subject: 'team:everyone', role_id: 'mcp-server-user' }];
const logging = {
  type: 'gateway-global-settings',
  logging_settings: { type: 'header_controlled', log_body_by_default: false },
};
const WANTS = { 'x-tfy-logging-config': '{"enabled":true}' };

// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape, whose fields the tests look at
type Json = any;

let server: TestServer;
let gateway: RunningGateway;
let guarded: RunningGateway;

before(async () => {
  server = await legacyHttpServer();
  const request_log = { redact: [{ preset: 'credit_card' }] };
  const code = {
    type: 'mcp-server/virtual',
    name: 'code',
    description: 'By code.',
    collaborators: everyone,
    mode: 'code',
    servers: [{ name: 'open' }],
  };
  gateway = await startGateway({
    server: { operator: admin, request_log },
    manifests: [remote('open', server.url), code, logging],
  });
  guarded = await startGateway({
    server: { operator: admin },
    manifests: [
      remote('open', server.url),
      logging,
      {
        type: 'provider-account/guardrail-config-group',
        name: 'g',
        integrations: [
          {
            type: 'integration/guardrail-config/regex',
            name: 'in',
            operation: 'mutate',
            config: { custom_patterns: [{ pattern: 'secret', redaction_text: '[GONE]' }] },
          },
          {
            type: 'integration/guardrail-config/regex',
            name: 'refuse',
            operation: 'validate',
            config: { custom_patterns: [{ pattern: 'forbidden', redaction_text: '' }] },
          },
        ],
      },
      {
        type: 'gateway-guardrails-config',
        rules: [
          {
            id: 'tools',
            when: {},
            llm_input_guardrails: [],
            llm_output_guardrails: [],
            mcp_tool_pre_invoke_guardrails: ['g/refuse', 'g/in'],
            mcp_tool_post_invoke_guardrails: [],
          },
        ],
      },
    ],
  });
});
after(async () => {
  for (const each of [gateway, guarded, server]) await each?.[Symbol.asyncDispose]();
});

async function ask(at: RunningGateway, path: string): Promise<{ status: number; body: Json }> {
  const answer = await fetch(`${at.operatorUrl}${path}`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
  return { status: answer.status, body: await answer.json() };
}

/** The newest exchange of a tool, once it is there and `isThere` holds. */
async function logged(at: RunningGateway, model: string, isThere: (one: Json) => boolean = () => true): Promise<Json> {
  let found: Json;
  await eventually(
    `a call of ${model} in the log`,
    async () => {
      const { body } = await ask(at, `/admin/requests?model=${encodeURIComponent(model)}&limit=1`);
      const [first] = body.requests;
      if (first === undefined) return false;
      ({ body: found } = await ask(at, `/admin/requests/${first.id}`));
      return isThere(found);
    },
    10_000,
  );
  return found;
}

async function call(
  at: RunningGateway,
  name: string,
  tool: string,
  args: Record<string, unknown>,
  headers: Record<string, string> = WANTS,
): Promise<string> {
  const { client } = await legacyClient(`${at.url}/mcp/v1/${name}/mcp`, { headers });
  try {
    return textOf(await client.callTool({ name: tool, arguments: args }));
  } finally {
    await client.close();
  }
}

const withBodies = ({ bodies }: Json): boolean => bodies !== null;

test('arguments and result of a tool are kept where the caller says so, with what patterns find blacked out', async () => {
  await call(gateway, 'open', 'echo', { text: `my card ${CARD}` });
  const { bodies } = await logged(gateway, 'mcp:open/echo', withBodies);
  assert.equal(JSON.parse(bodies.request.text).params.arguments.text, 'my card [REDACTED]');
  assert.equal(JSON.parse(bodies.response.text).result.content[0].text, 'old: my card [REDACTED]');
  assert.equal(bodies.response.status, 200);
});

test('nothing of a tool is kept where nobody says so, and never of a message that calls none', async () => {
  await call(gateway, 'open', 'add', { a: 1, b: 2 }, {});
  await call(gateway, 'open', 'fail', {});
  await logged(gateway, 'mcp:open/fail', withBodies);
  assert.equal((await logged(gateway, 'mcp:open/add')).bodies, null);
  const { body } = await ask(gateway, '/admin/requests?limit=100');
  const kept = body.requests.filter(({ bodies }: Json) => bodies);
  assert.ok(
    kept.every(({ model }: Json) => model?.startsWith('mcp:')),
    JSON.stringify(kept),
  );
});

test('a stream that answers a call is kept with the texts of its messages', async () => {
  const { client } = await legacyClient(`${gateway.url}/mcp/v1/open/mcp`, { headers: WANTS });
  await client.callTool({ name: 'progress', arguments: {} }, undefined, { onprogress: () => undefined });
  await client.close();
  const { bodies } = await logged(gateway, 'mcp:open/progress', withBodies);
  assert.match(JSON.stringify(bodies.response.texts), /"done"/);
});

test('each call that code makes is kept as a call of its own', async () => {
  const { client } = await legacyClient(`${gateway.url}/mcp/v1/code/mcp`, { headers: WANTS });
  const found = JSON.parse(textOf(await client.callTool({ name: 'search_tools', arguments: { query: 'echo' } })));
  const { name } = found.tools.find((tool: Json) => tool.name.startsWith('echo'));
  const code = `return await callTool(${JSON.stringify(name)}, {text: "by code ${CARD}"})`;
  await client.callTool({ name: 'run_code', arguments: { code } });
  await client.close();
  const { bodies } = await logged(
    gateway,
    'mcp:open/echo',
    ({ bodies: kept }) => kept?.request.text.includes('by code') === true,
  ).catch(() => logged(gateway, `mcp:code/${name}`, withBodies));
  assert.deepEqual(JSON.parse(bodies.request.text), { text: 'by code [REDACTED]' });
  assert.match(bodies.response.text, /old: by code \[REDACTED\]/);
  const run = await logged(gateway, 'mcp:code/run_code', withBodies);
  assert.match(run.bodies.request.text, /callTool/);
});

test('the request log keeps arguments as guards leave them, and nothing of a call that they refuse', async () => {
  await call(guarded, 'open', 'echo', { text: 'a secret word' });
  const { bodies } = await logged(guarded, 'mcp:open/echo', withBodies);
  assert.equal(JSON.parse(bodies.request.text).params.arguments.text, 'a [GONE] word');
  const answer = await fetch(`${guarded.url}/mcp/v1/open/mcp`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...WANTS },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'echo', arguments: { text: 'forbidden' } },
    }),
  });
  const id = answer.headers.get('x-sluice-exchange-id');
  await answer.text();
  await eventually('the refusal', async () => {
    const { status, body } = await ask(guarded, `/admin/requests/${id}`);
    return status === 200 && body.bodies?.response.status === 400 && body.bodies.request.text === undefined;
  });
});
