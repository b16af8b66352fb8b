import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { remote } from '../support/mcp-servers.ts';
import { type ScriptedServer, scriptedServer } from '../support/scripted-mcp.ts';

let server: ScriptedServer;
let gateway: RunningGateway;

const rule = (id: string, target: object, guards: { pre?: string[]; post?: string[] }) => ({
  id,
  when: { target: { operator: 'or', conditions: target } },
  llm_input_guardrails: [],
  llm_output_guardrails: [],
  mcp_tool_pre_invoke_guardrails: guards.pre ?? [],
  mcp_tool_post_invoke_guardrails: guards.post ?? [],
});
const regex = (name: string, operation: string, pattern: string) => ({
  type: 'integration/guardrail-config/regex',
  name,
  operation,
  config: { custom_patterns: [{ pattern, redaction_text: '[GONE]' }] },
});
const ofServer = (name: string) => ({ mcpServers: { condition: 'in', values: [name] } });

before(async () => {
  server = await scriptedServer({});
  gateway = await startGateway({
    manifests: [
      remote('s', server.url),
      remote('strict', server.url),
      remote('one', server.url),
      {
        type: 'mcp-server/virtual',
        name: 'code',
        description: 'By code.',
        mode: 'code',
        servers: [{ name: 's' }],
        collaborators: [{ subject: 'team:everyone', role_id: 'mcp-server-user' }],
      },
      {
        type: 'provider-account/guardrail-config-group',
        name: 'g',
        integrations: [
          regex('out', 'mutate', 'secret|4111111111111111'),
          regex('in', 'mutate', 'private|4111111111111111'),
          regex('no', 'validate', 'forbidden'),
        ],
      },
      {
        type: 'gateway-guardrails-config',
        rules: [
          rule('s', ofServer('s'), { pre: ['g/in'], post: ['g/out'] }),
          rule('strict', ofServer('strict'), { pre: ['g/no'], post: ['g/no'] }),
          rule(
            'one',
            {
              mcpTools: {
                condition: 'in',
                values: [{ name: 'one', enable_all_tools: false, enabled_tools: ['tell'] }],
              },
            },
            { pre: ['g/in'], post: ['g/out'] },
          ),
        ],
      },
    ],
  });
});
disposeAfter(() => [gateway, server]);

const EVENTS = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };

async function send(name: string, message: object, headers: Record<string, string>, signal?: AbortSignal) {
  return fetch(`${gateway.url}/mcp/v1/${name}/mcp`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, ...EVENTS, ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    ...(signal && { signal }),
  });
}

function ask(method: string, params: object, headers: Record<string, string>, signal?: AbortSignal) {
  return send('s', { id: 1, method, params }, headers, signal);
}

async function session(name = 's'): Promise<Record<string, string>> {
  const capabilities = { elicitation: {}, sampling: {} };
  const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 't', version: '1' } };
  const answer = await send(name, { id: 1, method: 'initialize', params }, {});
  await answer.text();
  return { 'mcp-session-id': answer.headers.get('mcp-session-id') ?? '', 'mcp-protocol-version': '2025-11-25' };
}

test('a result that a client comes back for, behind its last event, is guarded as one that it waited for', async () => {
  let finish = (): void => undefined;
  server.script = {
    'tools/call': ({ params }) =>
      new Promise((resolve) => {
        finish = () => resolve({ content: [{ type: 'text', text: `a secret of ${String(params['name'])}` }] });
      }),
  };
  const headers = await session();
  const leaving = new AbortController();
  const answer = await ask('tools/call', { name: 'tell', arguments: {} }, headers, leaving.signal);
  const reader = answer.body!.getReader();
  const first = new TextDecoder().decode((await reader.read()).value);
  const [, lastEventId = ''] = /^id: (\S+)$/m.exec(first) ?? [];
  assert.notEqual(lastEventId, '');
  leaving.abort();
  await reader.read().catch(() => undefined);
  const again = fetch(`${gateway.url}/mcp/v1/s/mcp`, {
    headers: {
      authorization: `Bearer ${KEY}`,
      accept: 'text/event-stream',
      'last-event-id': lastEventId,
      ...headers,
    },
  }).then((each) => each.text());
  finish();
  const text = await again;
  assert.match(text, /a \[GONE\] of tell/);
  assert.doesNotMatch(text, /secret/);
});

const content = [{ type: 'text', text: 'a secret' }];

/** What a server may say in answer to a request, each with words that a guard takes out. */
const ANSWERS: Record<string, [method: string, answer: Record<string, unknown>]> = {
  'the error of a tool': ['tools/call', { error: { code: -32_000, message: 'a secret', data: { why: ['secret'] } } }],
  'a link of a tool': [
    'tools/call',
    { content: [{ type: 'resource_link', uri: 'x://secret', name: 'secret', title: 'secret', description: 'secret' }] },
  ],
  'a resource within a result': [
    'tools/call',
    { content: [{ type: 'resource', resource: { uri: 'x://1', text: 'secret' } }] },
  ],
  'what stands beside a result': ['tools/call', { content: [], _meta: { note: 'secret' } }],
  'a structured result': [
    'tools/call',
    { content: [], structuredContent: { type: 'secret', id: 'secret', rows: ['secret'] } },
  ],
  'a resource': ['resources/read', { contents: [{ uri: 'x://1', mimeType: 'text/plain', text: 'a secret' }] }],
  'a prompt': ['prompts/get', { description: 'secret', messages: [{ role: 'user', content: content[0] }] }],
  'a completion': ['completion/complete', { completion: { values: ['secret', 'a secret'] } }],
};

for (const [what, [method, answer]] of Object.entries(ANSWERS)) {
  test(`guards of a server read ${what}`, async () => {
    server.script = { [method]: () => answer };
    const named = {
      name: 'tell',
      uri: 'x://1',
      arguments: {},
      ref: { type: 'ref/prompt', name: 'tell' },
      argument: {},
    };
    const text = await (await ask(method, named, await session())).text();
    assert.match(text, /\[GONE\]/, text);
    assert.doesNotMatch(text, /secret/);
    const refused = await (await send('strict', { id: 7, method, params: named }, await session('strict'))).text();
    assert.match(refused, /secret/);
    server.script = { [method]: () => JSON.parse(JSON.stringify(answer).replaceAll('secret', 'forbidden')) };
    const strict = await (await send('strict', { id: 7, method, params: named }, await session('strict'))).text();
    assert.doesNotMatch(strict, /forbidden/, strict);
    assert.equal(JSON.parse(strict).id, 7);
    assert.equal(JSON.parse(strict).error.data.code, 'guardrail_blocked');
  });
}

test('guards of a server read what it says before its result: notifications and questions', async () => {
  server.script = {
    'tools/call': ({ say, params }) => {
      const { progressToken } = params['_meta'] as { progressToken: number };
      say({ method: 'notifications/message', params: { level: 'info', data: { found: 'a secret' } } });
      say({ method: 'notifications/progress', params: { progressToken, progress: 1, message: 'secret step' } });
      const messages = [{ role: 'user', content: { type: 'text', text: 'sampled secret' } }];
      say({ id: 'q1', method: 'sampling/createMessage', params: { messages, systemPrompt: 'secret', maxTokens: 1 } });
      say({ id: 'q2', method: 'elicitation/create', params: { message: 'Which secret?', requestedSchema: {} } });
      return { content };
    },
  };
  const params = { name: 'tell', arguments: {}, _meta: { progressToken: 'p' } };
  const text = await (await ask('tools/call', params, await session())).text();
  assert.equal(text.match(/\[GONE\]/g)?.length, 6, text);
  assert.doesNotMatch(text, /secret/);
  assert.deepEqual(
    text.match(/"method":"[a-z/A-Z]+"/g),
    ['notifications/message', 'notifications/progress', 'sampling/createMessage', 'elicitation/create'].map(
      (method) => `"method":"${method}"`,
    ),
  );
});

test('guards of a server read what goes there: arguments of prompts, addresses, and answers to its questions', async () => {
  const headers = await session();
  const got = (method: string) => server.heard.findLast((each) => each['method'] === method)?.['params'];
  server.script = {
    'prompts/get': () => ({ messages: [] }),
    'resources/read': () => ({ contents: [] }),
    'tools/call': ({ say }) => {
      say({ id: 'q', method: 'elicitation/create', params: { message: 'Who?', requestedSchema: {} } });
      return new Promise((resolve) => {
        finish = () => resolve({ content: [] });
      });
    },
  };
  let finish = (): void => undefined;
  await (await ask('prompts/get', { name: 'p', arguments: { who: 'a private name' } }, headers)).text();
  assert.deepEqual(got('prompts/get'), { name: 'p', arguments: { who: 'a [GONE] name' } });
  await (await ask('resources/read', { uri: 'x://private' }, headers)).text();
  assert.deepEqual(got('resources/read'), { uri: 'x://[GONE]' });
  for (const [name, content, expected] of [
    ['s', { name: 'private Bob' }, { result: { action: 'accept', content: { name: '[GONE] Bob' } } }],
    ['strict', { name: 'forbidden' }, { error: /guardrail/ }],
  ] as const) {
    const own = await session(name);
    const answer = await send(name, { id: 1, method: 'tools/call', params: { name: 'tell', arguments: {} } }, own);
    const reader = answer.body!.getReader();
    let text = '';
    while (!text.includes('elicitation/create')) text += new TextDecoder().decode((await reader.read()).value);
    const [, id] = /"id":"(s\d+)"/.exec(text) ?? [];
    await send(name, { id, result: { action: 'accept', content } }, own);
    const heard = () => server.heard.findLast((each) => each['id'] === 'q');
    await eventually('the server hears', () => heard() !== undefined);
    if ('result' in expected) assert.deepEqual(heard()?.['result'], expected.result);
    else assert.match(JSON.stringify(heard()?.['error']), expected.error);
    finish();
    await reader.cancel();
    server.heard.length = 0;
  }
});

/** The server asks at once, and says how the call ended when it has an answer. */
function askingForbidden(): { finish: () => void } {
  const asking = { finish: (): void => undefined };
  server.script = {
    'tools/call': ({ say }) => {
      say({ id: 'q', method: 'elicitation/create', params: { message: 'Forbidden? forbidden!', requestedSchema: {} } });
      return new Promise((resolve) => {
        asking.finish = () => resolve({ content: [] });
      });
    },
  };
  return asking;
}

const answered = () => server.heard.findLast((each) => each['id'] === 'q');

test('a question that guards refuse is answered to its server at once, and the call goes on', async () => {
  server.heard.length = 0;
  const asking = askingForbidden();
  const headers = await session('strict');
  const call = send('strict', { id: 1, method: 'tools/call', params: { name: 'tell', arguments: {} } }, headers);
  await eventually('the server hears', () => answered() !== undefined);
  assert.match(JSON.stringify(answered()?.['error']), /guardrail_blocked/);
  asking.finish();
  const text = await (await call).text();
  assert.doesNotMatch(text, /forbidden/i);
  assert.match(text, /"content":\[\]/);
});

test('a refused question to a client of the modern era is answered to its server as well', async () => {
  server.heard.length = 0;
  askingForbidden();
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 't', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
  };
  const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'tell' };
  const params = { name: 'tell', arguments: {}, _meta };
  const answer = await (await send('strict', { id: 1, method: 'tools/call', params }, headers)).text();
  assert.match(answer, /guardrail_blocked/);
  await eventually('the server hears', () => answered() !== undefined);
  assert.match(JSON.stringify(answered()?.['error']), /guardrail_blocked/);
});

test('a rule about single tools of a server is about no resource and no prompt of it', async () => {
  server.script = {
    'tools/call': () => ({ content }),
    'resources/read': () => ({ contents: [{ uri: 'x://1', text: 'a secret' }] }),
  };
  const headers = await session('one');
  const read = await send('one', { id: 1, method: 'resources/read', params: { uri: 'x://1' } }, headers);
  assert.match(await read.text(), /a secret/);
  const called = await send('one', { id: 1, method: 'tools/call', params: { name: 'tell', arguments: {} } }, headers);
  assert.match(await called.text(), /a \[GONE\]/);
});

test('code sees of an error of a tool what the guards of that tool leave', async () => {
  server.script = {
    'tools/list': () => ({ tools: [{ name: 'tell', inputSchema: { type: 'object' } }] }),
    'tools/call': () => ({ error: { code: -32_000, message: 'a secret' } }),
  };
  const headers = await session('code');
  const call = async (name: string, args: object): Promise<string> => {
    const answer = await send('code', { id: 1, method: 'tools/call', params: { name, arguments: args } }, headers);
    return answer.text();
  };
  const [name] = /tell_[0-9a-f]{8}/.exec(await call('search_tools', { query: '' })) ?? [];
  const code = `try { await callTool("${name}", {}); } catch (error) { return [...error.message].join("-"); }`;
  assert.match(await call('run_code', { code }), /a- -\[-G-O-N-E-\]/);
});

test('a number and a key of arguments and of structured results are read as their words are', async () => {
  const data = { card: 4111111111111111, 'of secret private': true, list: [{ n: 4111111111111111 }] };
  server.script = { 'tools/call': () => ({ content: [], structuredContent: data }) };
  const answer = await ask('tools/call', { name: 'tell', arguments: data }, await session());
  const { result } = (await answer.json()) as { result: { structuredContent: object } };
  const list = [{ n: '[GONE]' }];
  assert.deepEqual(result.structuredContent, { card: '[GONE]', 'of [GONE] private': true, list });
  const asked = server.heard.findLast(({ method }) => method === 'tools/call')?.['params'];
  assert.deepEqual(asked, { name: 'tell', arguments: { card: '[GONE]', 'of secret [GONE]': true, list } });
});

test('guards read notifications of a server on the stream that a client holds open beside all calls', async () => {
  const open: ((message: Record<string, unknown>) => void)[] = [];
  server.speaks = (say) => void open.push(say);
  server.script = { 'tools/list': () => ({ tools: [] }) };
  const headers = await session();
  await (await ask('tools/list', {}, headers)).text();
  const leaving = new AbortController();
  const heard = await fetch(`${gateway.url}/mcp/v1/s/mcp`, {
    headers: { authorization: `Bearer ${KEY}`, accept: 'text/event-stream', ...headers },
    signal: leaving.signal,
  });
  const reader = heard.body!.getReader();
  let text = '';
  await eventually('the stream is open', () => open.length > 0);
  const params = { level: 'info', data: 'a secret beside all calls' };
  for (const say of open) say({ method: 'notifications/message', params });
  while (!text.includes('beside all calls')) text += new TextDecoder().decode((await reader.read()).value);
  leaving.abort();
  assert.match(text, /a \[GONE\] beside/);
});
