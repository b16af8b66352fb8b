import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, type TestContext, test } from 'node:test';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { CLIENTS, legacyClient, modernClient, textOf } from '../support/mcp-clients.ts';
import { legacyHttpServer, modernHttpServer, remote, type TestServer } from '../support/mcp-servers.ts';

const keys = [
  { name: 'test', key: KEY, subject: 'virtualaccount:test' },
  { name: 'other', key: 'the other key', subject: 'virtualaccount:other' },
];
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};

let server: TestServer;
let modern: TestServer;
let both: TestServer;
let gateway: RunningGateway;

before(async () => {
  server = await legacyHttpServer();
  modern = await modernHttpServer();
  both = await modernHttpServer('both', 'stateless');
  gateway = await startGateway({
    keys,
    server: { threads: 3 },
    manifests: [remote('old', server.url), remote('new', modern.url), remote('both', both.url)],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  for (const each of [server, modern, both]) await each?.[Symbol.asyncDispose]();
});

const at = (name: string) => `${gateway.url}/mcp/v1/${name}/mcp`;

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: { result?: Record<string, unknown>; error?: { code: number; message: string; data?: unknown } };
}

async function send(
  message: unknown,
  headers: Record<string, string> = {},
  method = 'POST',
  name = 'old',
): Promise<Answer> {
  const answer = await fetch(at(name), {
    method,
    headers: {
      authorization: `Bearer ${KEY}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    ...(method === 'POST' && { body: typeof message === 'string' ? message : JSON.stringify(message) }),
  });
  const text = await answer.text();
  const json = text.startsWith('{') ? JSON.parse(text) : {};
  return { status: answer.status, headers: answer.headers, text, json };
}

async function session(capabilities: object = {}): Promise<Record<string, string>> {
  const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'raw', version: '1' } };
  const { headers } = await send({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
  const id = headers.get('mcp-session-id') ?? '';
  assert.match(id, /^[\x21-\x7e]+$/);
  return { 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' };
}

const modernHeaders = (method: string, name?: string) => ({
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': method,
  ...(name !== undefined && { 'mcp-name': name }),
});

test('a session is found by each request, is of one subject, and is gone when it was ended', async () => {
  const own = await session();
  for (let id = 0; id < 12; id += 1) {
    // Each over a connection of its own, so that they land on different threads.
    const { json } = await send({ jsonrpc: '2.0', id, method: 'ping' }, { ...own, connection: 'close' });
    assert.deepEqual(json.result, {});
  }
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
  const others = await send(ping, { ...own, authorization: 'Bearer the other key' });
  assert.equal(others.status, 404);
  assert.equal((await send(ping, { ...own, 'mcp-session-id': `${own['mcp-session-id']}x` })).status, 404);
  assert.equal((await send(ping, {})).status, 400);
  assert.equal((await send(undefined, own, 'DELETE')).status, 204);
  assert.equal((await send(ping, own)).status, 404);
});

test('an answer has the id of its request to the digit, or the request is refused', async () => {
  const headers = await session();
  const ping = (id: string) => send(`{"jsonrpc": "2.0", "id": ${id}, "method": "ping"}`, headers);
  for (const id of ['0', '-1', '9007199254740991', '"9007199254740993"', '"\\ud800"']) {
    assert.equal((await ping(id)).text, `{"jsonrpc":"2.0","id":${id},"result":{}}`);
  }
  for (const id of [
    '9007199254740992',
    '9007199254740993',
    '1e300',
    '1e400',
    '1.5',
    '{"toString": 0}',
    '[1]',
    'true',
  ]) {
    const { status, json } = await ping(id);
    assert.equal(status, 400, id);
    assert.match(json.error?.message ?? '', /`id` must be text or a whole number/);
  }
});

test('a session goes on after the gateway was started anew', async (context) => {
  const first = await startGateway({ keys, manifests: [remote('old', server.url)] });
  const url = `${first.url}/mcp/v1/old/mcp`;
  const { transport } = await legacyClient(url);
  const id = transport.sessionId ?? '';
  await first.stop();
  const second = await startGateway({ keys, manifests: [remote('old', server.url)], folder: first.folder });
  context.after(async () => {
    await second[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
  });
  const answer = await fetch(`${second.url}/mcp/v1/old/mcp`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', 'mcp-session-id': id },
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"again"}}}',
  });
  assert.match(await answer.text(), /old: again/);
});

test('a server that forgot its session gets another, and the call succeeds', async (context) => {
  const { client } = await legacyClient(at('old'));
  context.after(() => client.close());
  await client.callTool({ name: 'echo', arguments: { text: 'x' } });
  server.forget();
  assert.equal(textOf(await client.callTool({ name: 'echo', arguments: { text: 'y' } })), 'old: y');
});

test('headers of the modern era that do not say what the body says are refused', async () => {
  const call = (name: string) => ({
    jsonrpc: '2.0',
    id: 7,
    method: 'tools/call',
    params: { name, arguments: { text: 'x' }, _meta: META },
  });
  const wrong: [Record<string, string>, object][] = [
    [{ ...modernHeaders('tools/list', 'echo') }, call('echo')],
    [{ ...modernHeaders('tools/call', 'other') }, call('echo')],
    [{ ...modernHeaders('tools/call') }, call('echo')],
    [{ 'mcp-protocol-version': '2026-07-28' }, call('echo')],
    [{ 'mcp-method': 'tools/call', 'mcp-name': 'echo' }, call('echo')],
    [{ ...modernHeaders('tools/call', 'echo'), 'mcp-param-text': '=?base64?!?=' }, call('echo')],
  ];
  for (const [headers, body] of wrong) {
    const { status, json } = await send(body, headers);
    assert.deepEqual([status, json.error?.code], [400, -32_020], JSON.stringify(headers));
  }
  const encoded = `=?base64?${Buffer.from('echo').toString('base64')}?=`;
  const right = await send(call('echo'), modernHeaders('tools/call', encoded));
  assert.equal(right.json.result?.['resultType'], 'complete');
});

test('a request of an unknown version or method, or without capabilities, is refused as the specification says', async () => {
  const unknown = { ...META, 'io.modelcontextprotocol/protocolVersion': '2099-01-01' };
  const version = await send(
    { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: unknown } },
    { ...modernHeaders('tools/list'), 'mcp-protocol-version': '2099-01-01' },
  );
  assert.deepEqual([version.status, version.json.error?.code], [400, -32_022]);
  const { 'io.modelcontextprotocol/clientCapabilities': _without, ...rest } = META;
  const bare = await send(
    { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: rest } },
    modernHeaders('tools/list'),
  );
  assert.deepEqual([bare.status, bare.json.error?.code], [400, -32_602]);
  const method = await send(
    { jsonrpc: '2.0', id: 1, method: 'no/such', params: { _meta: META } },
    modernHeaders('no/such'),
  );
  assert.deepEqual([method.status, method.json.error?.code], [404, -32_601]);
  assert.equal((await send('{')).json.error?.code, -32_700);
  assert.equal((await send([{ jsonrpc: '2.0', id: 1, method: 'ping' }])).json.error?.code, -32_600);
  assert.equal((await send(undefined, {}, 'GET')).status, 405);
});

test('a result that can be cached says for how long, and for the caller alone', async () => {
  for (const name of ['old', 'new']) {
    const { json } = await send(
      { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: META } },
      modernHeaders('tools/list'),
      'POST',
      name,
    );
    const { resultType, ttlMs, cacheScope } = json.result ?? {};
    assert.deepEqual([resultType, typeof ttlMs, cacheScope], ['complete', 'number', 'private']);
  }
});

test('progress reaches clients of both eras under their own token', async (context) => {
  for (const connect of Object.values(CLIENTS)) {
    const { client, withProgress } = await connect(at('old'));
    context.after(() => client.close());
    const steps: number[] = [];
    assert.equal(textOf(await withProgress('progress', (step) => steps.push(step))), 'done');
    assert.deepEqual(steps, [1, 2, 3]);
  }
});

test('a call that its client cancels is cancelled at its server', async (context) => {
  const { client } = await legacyClient(at('old'));
  context.after(() => client.close());
  const stop = new AbortController();
  const call = client.callTool({ name: 'wait', arguments: {} }, undefined, { signal: stop.signal });
  const asked = () => server.seen.some(({ body }) => body.includes('"wait"'));
  await eventually('the call arrives', asked);
  stop.abort();
  await assert.rejects(call);
  await eventually('the server is told', () =>
    server.seen.some(({ body }) => body.includes('notifications/cancelled')),
  );
});

test('a client that leaves a request of the modern era cancels it at its server', async () => {
  const before = server.seen.filter(({ body }) => body.includes('notifications/cancelled')).length;
  const stop = new AbortController();
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'wait', _meta: META } });
  const headers = { authorization: `Bearer ${KEY}`, ...modernHeaders('tools/call', 'wait') };
  const calls = () => server.seen.filter(({ body: sent }) => sent.includes('"wait"')).length;
  const already = calls();
  const answer = fetch(at('old'), { method: 'POST', headers, body, signal: stop.signal });
  await eventually('the call arrives', () => calls() > already);
  stop.abort();
  await assert.rejects(answer);
  await eventually(
    'the server is told',
    () => server.seen.filter(({ body: sent }) => sent.includes('notifications/cancelled')).length > before,
  );
});

test('a stream that broke is taken up again behind its last event', async (context) => {
  const own = await session();
  const stop = new AbortController();
  const params = { name: 'progress', arguments: {}, _meta: { progressToken: 'p' } };
  const answer = await fetch(at('old'), {
    method: 'POST',
    headers: { ...headersOf(own), accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 5, method: 'tools/call', params }),
    signal: stop.signal,
  });
  context.after(() => stop.abort());
  const whole = await answer.text();
  const ids = [...whole.matchAll(/^id: (\S+)$/gm)].map(([, id]) => id);
  assert.equal(ids.length, 5, whole);
  const resumed = await send(undefined, { ...own, 'last-event-id': ids[1]! }, 'GET');
  assert.equal(resumed.text, whole.slice(whole.indexOf(`id: ${ids[2]}`)));
});

function headersOf(own: Record<string, string>): Record<string, string> {
  return { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...own };
}

test('a client that listens hears that the tools of its server changed', async (context) => {
  for (const [name, from] of [
    ['old', server],
    ['new', modern],
  ] as const) {
    const { client } = await legacyClient(at(name));
    context.after(() => client.close());
    let heard = 0;
    client.fallbackNotificationHandler = async ({ method }) => {
      if (method === 'notifications/tools/list_changed') heard += 1;
    };
    let tool = 0;
    await eventually(`a change of ${name} is heard`, async () => {
      tool += 1;
      from.addTool(`added${tool}`);
      await new Promise((resolve) => setImmediate(resolve));
      return heard > 0;
    });
  }
});

test('a subscription of the modern era is acknowledged first, and tells what changed in an old server', async (context) => {
  const stop = new AbortController();
  context.after(() => stop.abort());
  const params = { notifications: { toolsListChanged: true }, _meta: META };
  const answer = await fetch(at('old'), {
    method: 'POST',
    headers: { ...headersOf({}), ...modernHeaders('subscriptions/listen') },
    body: JSON.stringify({ jsonrpc: '2.0', id: 'sub', method: 'subscriptions/listen', params }),
    signal: stop.signal,
  });
  let text = '';
  const reading = (async () => {
    for await (const chunk of answer.body!) text += Buffer.from(chunk).toString();
  })();
  reading.catch(() => undefined);
  await eventually('it is acknowledged', () => text.includes('notifications/subscriptions/acknowledged'));
  let tool = 0;
  await eventually('it is told', () => {
    tool += 1;
    server.addTool(`listened${tool}`);
    return text.includes('notifications/tools/list_changed');
  });
  assert.ok(text.indexOf('acknowledged') < text.indexOf('list_changed'));
  assert.match(text, /"io.modelcontextprotocol\/subscriptionId":"sub"/);
});

test('resources and prompts pass', async (context) => {
  for (const connect of Object.values(CLIENTS)) {
    const { client } = await connect(at('old'));
    context.after(() => client.close());
    const { contents } = await client.readResource({ uri: 'note://one' });
    assert.equal(contents[0]?.text, 'a note of old');
    const { messages } = await client.getPrompt({ name: 'greet', arguments: { who: 'Ada' } });
    assert.match(JSON.stringify(messages), /Greet Ada/);
  }
});

test('an argument that a server wants in a header is there as well', async (context) => {
  for (const connect of Object.values(CLIENTS)) {
    const { client } = await connect(at('new'));
    context.after(() => client.close());
    await client.listTools();
    assert.equal(textOf(await client.callTool({ name: 'where', arguments: { region: 'Zürich' } })), 'Zürich');
    const encoded = `=?base64?${Buffer.from('Zürich').toString('base64')}?=`;
    assert.equal(modern.seen.at(-1)?.headers['mcp-param-region'], encoded);
  }
});

test('a server of both eras is spoken to in the era of each client, and never asked in the other', async () => {
  const methods = (of: TestServer) => of.seen.map(({ body }) => /"method":"([^"]+)"/.exec(body)?.[1]);
  for (const [era, connect] of Object.entries(CLIENTS)) {
    const before = both.seen.length;
    const { client } = await connect(at('both'));
    assert.equal(textOf(await client.callTool({ name: 'echo', arguments: { text: 'x' } })), 'both: x');
    await client.close();
    const asked = methods(both).slice(before);
    assert.equal(asked.includes('initialize'), era === 'legacy', era);
    assert.equal(asked.includes('server/discover'), era === 'modern', era);
  }
});

test('a gateway on this machine is called by pages of this machine, and by no page that only looks like it', async () => {
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
  for (const origin of ['http://localhost:6274', 'http://127.0.0.1:3000', 'https://localhost', 'http://[::1]:8080']) {
    assert.notEqual((await send(ping, { origin })).status, 403, origin);
  }
  for (const origin of [
    'http://localhost.evil.example',
    'http://127.0.0.1.evil.example',
    'http://evil-localhost',
    'null',
  ]) {
    const { status, json } = await send(ping, { origin });
    assert.equal(status, 403, origin);
    assert.match(json.error?.message ?? '', /origin/i);
  }
});

test('a server that writes messages line by line as plain JSON is read as they come', async (context) => {
  const lines = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const { id, method } = JSON.parse(body);
    const write = (message: object) => response.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    response.writeHead(200, { 'content-type': 'application/json' });
    if (method === 'subscriptions/listen') {
      const params = { notifications: { toolsListChanged: true } };
      write({ method: 'notifications/subscriptions/acknowledged', params });
      write({ method: 'notifications/tools/list_changed', params: {} });
    } else if (method === 'tools/call') {
      write({ method: 'notifications/message', params: { level: 'info', data: 'one' } });
      write({ id, result: { resultType: 'complete', content: [{ type: 'text', text: 'two' }] } });
      response.end();
    } else {
      const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: { tools: {} } };
      // Laid out over lines, it is still one message.
      response.end(`${JSON.stringify({ jsonrpc: '2.0', id, result }, undefined, 2)}\n`);
    }
  });
  lines.listen(0, '127.0.0.1');
  await once(lines, 'listening');
  const { port } = lines.address() as AddressInfo;
  const own = await startGateway({ manifests: [remote('lines', `http://127.0.0.1:${port}/mcp`)] });
  context.after(async () => {
    await own[Symbol.asyncDispose]();
    lines.closeAllConnections();
    lines.close();
  });
  const { client } = await modernClient(`${own.url}/mcp/v1/lines/mcp`);
  assert.equal(textOf(await client.callTool({ name: 'any', arguments: {} })), 'two');
  await client.close();
  const { body } = await fetch(`${own.url}/mcp/v1/lines/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${KEY}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...modernHeaders('subscriptions/listen'),
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 9,
      method: 'subscriptions/listen',
      params: { notifications: { toolsListChanged: true }, _meta: META },
    }),
  });
  let told = '';
  for await (const chunk of body!) {
    told += Buffer.from(chunk).toString();
    if (told.includes('list_changed')) break;
  }
  assert.ok(told.indexOf('acknowledged') < told.indexOf('list_changed'));
});

test('a page of an unknown origin may not call', async () => {
  const { status, text } = await send(
    { jsonrpc: '2.0', id: 1, method: 'ping' },
    { origin: 'https://evil.example.com' },
  );
  assert.equal(status, 403);
  assert.equal(JSON.parse(text).error.data.code, 'origin_forbidden');
});

test('a state that a client brings back is of use for nobody else, and for no other call', async (context: TestContext) => {
  const capabilities = { ...META, 'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } } };
  const call = (more: object, name = 'ask') => ({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name, arguments: {}, _meta: capabilities, ...more },
  });
  for (const server of ['old', 'new']) {
    await context.test(server, async () => {
      const asked = await send(call({}), modernHeaders('tools/call', 'ask'), 'POST', server);
      const { resultType, inputRequests, requestState } = asked.json.result ?? {};
      assert.equal(resultType, 'input_required');
      const [key = ''] = Object.keys(inputRequests as object);
      const inputResponses = { [key]: { action: 'accept', content: { name: 'Ada' } } };
      const again = call({ inputResponses, requestState });
      const stolen = await send(
        again,
        { ...modernHeaders('tools/call', 'ask'), authorization: 'Bearer the other key' },
        'POST',
        server,
      );
      assert.equal(stolen.json.error?.code, -32_602);
      const forged = call({ inputResponses, requestState: `${String(requestState)}x` });
      assert.equal((await send(forged, modernHeaders('tools/call', 'ask'), 'POST', server)).json.error?.code, -32_602);
      const own = await send(again, modernHeaders('tools/call', 'ask'), 'POST', server);
      assert.match(own.text, /accept Ada/);
    });
  }
});
