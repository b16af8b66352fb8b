import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { type RunningGateway, startGateway } from '../support/gateway.ts';
import { guardOfResults } from '../support/guards-of-results.ts';
import { legacyClient, textOf } from '../support/mcp-clients.ts';
import { remote } from '../support/mcp-servers.ts';

const PREFIX = 'io.modelcontextprotocol/';
const TASKS = `${PREFIX}tasks`;
const ANN = 'sk-of-ann';
const BOB = 'sk-of-bob';
const keys = [
  { name: 'ann', key: ANN, subject: 'user:ann@example.com' },
  { name: 'bob', key: BOB, subject: 'user:bob@example.com' },
];
const everybody = [{ subject: 'team:everyone', role_id: 'mcp-server-user' }];

// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape, whose fields the tests look at
type Json = any;

const NEEDS_TASKS = {
  code: -32_021,
  message: 'Missing required client capability',
  data: { requiredCapabilities: { extensions: { [TASKS]: {} } } },
};

/** A server of the modern era that gives tasks to whoever takes them. */
interface TaskServer {
  /** Answers to its questions. */
  readonly updates: Json[];
  readonly server: Server;
  readonly url: string;
  /** Messages of requests about tasks, with the name in their header. */
  readonly asked: { readonly method: string; readonly taskId: string; readonly header: string | undefined }[];
}

let upstream: TaskServer;
let gateway: RunningGateway;
let guarded: RunningGateway;

async function taskServer(): Promise<TaskServer> {
  const asked: TaskServer['asked'] = [];
  const updates: Json[] = [];
  const answered = new Set<string>();
  let made = 0;
  const at = '2026-07-28T00:00:00Z';
  const times = { createdAt: at, lastUpdatedAt: at, ttlMs: 60_000, pollIntervalMs: 50 };
  const question = { message: 'Who?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } };
  const inputRequests = { who: { method: 'elicitation/create', params: question } };
  const reply = (method: string, params: Json): object => {
    const takes = params._meta[`${PREFIX}clientCapabilities`].extensions?.[TASKS] !== undefined;
    const result = { content: [{ type: 'text', text: 'it took long' }] };
    switch (method) {
      case 'server/discover':
        return {
          resultType: 'complete',
          supportedVersions: ['2026-07-28'],
          capabilities: { tools: {}, extensions: { [TASKS]: {} } },
        };
      case 'tools/list':
        return {
          resultType: 'complete',
          tools: ['long', 'only'].map((name) => ({ name, inputSchema: { type: 'object' } })),
        };
      case 'tools/call':
        made += 1;
        if (!takes && params.name === 'only') throw NEEDS_TASKS;
        if (!takes) return { resultType: 'complete', ...result };
        return { resultType: 'task', taskId: `task ${made}`, status: 'working', ...times };
      case 'tasks/get':
        return answered.has(params.taskId)
          ? { resultType: 'complete', taskId: params.taskId, status: 'completed', ...times, result }
          : { resultType: 'complete', taskId: params.taskId, status: 'input_required', ...times, inputRequests };
      default:
        if (method === 'tasks/update') updates.push(params.inputResponses);
        answered.add(params.taskId);
        return { resultType: 'complete' };
    }
  };
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const { id, method, params } = JSON.parse(body);
    if (params?._meta?.[`${PREFIX}protocolVersion`] === undefined) {
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32_600, message: 'Of no era of mine.' } }));
      return;
    }
    if (method.startsWith('tasks/')) {
      asked.push({ method, taskId: params.taskId, header: request.headers['mcp-name'] as string | undefined });
    }
    if (method === 'subscriptions/listen') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const tell = (told: string, about: object) =>
        response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', method: told, params: about })}\n\n`);
      tell('notifications/subscriptions/acknowledged', { notifications: params.notifications });
      for (const taskId of [...(params.notifications.taskIds ?? []), 'task of nobody']) {
        tell('notifications/tasks', { taskId, status: 'completed', ...times, result: { content: [] } });
      }
      return;
    }
    try {
      const result = reply(method, params);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
    } catch (error) {
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, error }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, asked, updates };
}

before(async () => {
  upstream = await taskServer();
  const joint = (name: string, mode: string) => ({
    type: 'mcp-server/virtual',
    name,
    description: 'Of several.',
    collaborators: everybody,
    mode,
    servers: [{ name: 'slow' }],
  });
  const manifests = [remote('slow', upstream.url), joint('joint', 'tools'), joint('found', 'search')];
  gateway = await startGateway({ keys, manifests });
  guarded = await startGateway({
    keys,
    manifests: [...manifests, ...guardOfResults('long')],
  });
});
after(async () => {
  for (const each of [gateway, guarded]) await each?.[Symbol.asyncDispose]();
  upstream?.server.closeAllConnections();
  upstream?.server.close();
});

interface Told {
  readonly key?: string;
  readonly at?: RunningGateway;
  readonly takesTasks?: 'yes' | 'no';
  /** In the place of what the body names. */
  readonly header?: string;
}

async function rpc(server: string, method: string, params: Json, told: Told = {}): Promise<Json> {
  const { key = ANN, at = gateway, takesTasks = 'yes' } = told;
  const _meta = {
    [`${PREFIX}protocolVersion`]: '2026-07-28',
    [`${PREFIX}clientCapabilities`]: takesTasks === 'yes' ? { extensions: { [TASKS]: {} } } : {},
  };
  const answer = await fetch(`${at.url}/mcp/v1/${server}/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      'mcp-name': told.header ?? params.name ?? params.taskId ?? '',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
  });
  return answer.json();
}

/** The first messages of a subscription to tasks. */
async function firstTold(server: string, taskIds: readonly string[], count: number): Promise<Json[]> {
  const _meta = {
    [`${PREFIX}protocolVersion`]: '2026-07-28',
    [`${PREFIX}clientCapabilities`]: { extensions: { [TASKS]: {} } },
  };
  const leaves = new AbortController();
  const answer = await fetch(`${gateway.url}/mcp/v1/${server}/mcp`, {
    method: 'POST',
    signal: leaves.signal,
    headers: {
      authorization: `Bearer ${ANN}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'subscriptions/listen',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'subscriptions/listen',
      params: { notifications: { taskIds }, _meta },
    }),
  });
  let text = '';
  const found = (): Json[] => [...text.matchAll(/^data: (.+)$/gm)].map(([, json]) => JSON.parse(json ?? ''));
  for await (const chunk of answer.body ?? []) {
    text += Buffer.from(chunk).toString();
    if (text.endsWith('\n\n') && found().length >= count) break;
  }
  leaves.abort();
  return found();
}

async function longName(server: string): Promise<string> {
  const { result } = await rpc(server, 'tools/list', {});
  return result.tools[0].name;
}

test('a task that a server gives is asked about, answered and cancelled under an id of the gateway', async () => {
  const { result: created } = await rpc('slow', 'tools/call', { name: 'long', arguments: {} });
  assert.deepEqual([created.resultType, created.status], ['task', 'working']);
  const { taskId } = created;
  assert.ok(!taskId.startsWith('task '), 'the id of the server stays with the gateway');
  const { result: waiting } = await rpc('slow', 'tasks/get', { taskId });
  assert.deepEqual([waiting.taskId, waiting.status], [taskId, 'input_required']);
  const { result: updated } = await rpc('slow', 'tasks/update', { taskId, inputResponses: {} });
  assert.equal(updated.resultType, 'complete');
  const { result: over } = await rpc('slow', 'tasks/get', { taskId });
  assert.deepEqual([over.status, textOf(over.result)], ['completed', 'it took long']);
  assert.equal((await rpc('slow', 'tasks/cancel', { taskId })).result.resultType, 'complete');
  const last = upstream.asked.at(-1);
  assert.match(last?.taskId ?? '', /^task \d+$/);
  assert.equal(last?.header, last?.taskId, 'the header repeats the id that the server knows');
});

test('a task is of the caller whom it was given to, and looks to others as if it were not there', async () => {
  const { taskId } = (await rpc('slow', 'tools/call', { name: 'long', arguments: {} })).result;
  const before = upstream.asked.length;
  for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
    assert.equal((await rpc('slow', method, { taskId }, { key: BOB })).error.code, -32_602);
    assert.equal((await rpc('slow', method, { taskId: 'task 1' })).error.code, -32_602);
  }
  assert.equal(upstream.asked.length, before, 'the server is not asked');
});

test('a caller hears of its own tasks where it subscribes to them, and of no others', async () => {
  const { taskId } = (await rpc('slow', 'tools/call', { name: 'long', arguments: {} })).result;
  const others = (await rpc('slow', 'tools/call', { name: 'long', arguments: {} }, { key: BOB })).result.taskId;
  for (const server of ['slow', 'joint']) {
    const told = await firstTold(server, [taskId, others, 'task 1'], 2);
    assert.deepEqual(told[0].params.notifications, { taskIds: [taskId] }, server);
    assert.deepEqual([told[1].method, told[1].params.taskId], ['notifications/tasks', taskId]);
  }
  const undeclared = await rpc(
    'slow',
    'subscriptions/listen',
    { notifications: { taskIds: [taskId] } },
    { takesTasks: 'no' },
  );
  assert.equal(undeclared.error.code, -32_021);
});

test('a header that names another task is refused', async () => {
  const { taskId } = (await rpc('slow', 'tools/call', { name: 'long', arguments: {} })).result;
  assert.equal((await rpc('slow', 'tasks/get', { taskId }, { header: 'another' })).error.code, -32_020);
});

test('a client that did not say that it takes tasks gets its result at once, and may ask for none', async () => {
  const { result } = await rpc('slow', 'tools/call', { name: 'long', arguments: {} }, { takesTasks: 'no' });
  assert.equal(textOf(result), 'it took long');
  const { error } = await rpc('slow', 'tasks/get', { taskId: 'x' }, { takesTasks: 'no' });
  assert.equal(error.code, -32_021);
  assert.deepEqual(error.data.requiredCapabilities, { extensions: { [TASKS]: {} } });
  const old = await legacyClient(`${gateway.url}/mcp/v1/slow/mcp`, { key: ANN });
  assert.equal(textOf(await old.client.callTool({ name: 'long', arguments: {} })), 'it took long');
  await old.client.close();
});

test('a tool that is run as a task alone is waited for where its client knows no tasks, and asks that client', async () => {
  for (const server of ['slow', 'joint']) {
    const old = await legacyClient(`${gateway.url}/mcp/v1/${server}/mcp`, { key: ANN, name: 'Ann' });
    const { name } = (await old.client.listTools()).tools.find((tool) => tool.name.startsWith('only'))!;
    assert.equal(textOf(await old.client.callTool({ name, arguments: {} })), 'it took long');
    await old.client.close();
    assert.deepEqual(upstream.updates.at(-1), { who: { action: 'accept', content: { name: 'Ann' } } });
  }
});

test('a task of a virtual server is asked about there, and at the server that it came from', async () => {
  const name = await longName('joint');
  const { taskId } = (await rpc('joint', 'tools/call', { name, arguments: {} })).result;
  const found = (await rpc('found', 'tools/call', { name: 'call_tool', arguments: { name, arguments: {} } })).result;
  for (const [server, id] of [
    ['joint', taskId],
    ['slow', taskId],
    ['found', found.taskId],
  ]) {
    assert.equal((await rpc(server, 'tasks/get', { taskId: id })).result.status, 'input_required', server);
  }
});

test('no task carries a result past the guards of its tool', async () => {
  const { result } = await rpc(
    'slow',
    'tools/call',
    { name: 'long', arguments: {} },
    { at: guarded, takesTasks: 'no' },
  );
  assert.equal(textOf(result), 'it took [GONE]');
  for (const server of ['slow', 'joint']) {
    const name = server === 'slow' ? 'long' : await longName('joint');
    const { taskId } = (await rpc(server, 'tools/call', { name, arguments: {} }, { at: guarded })).result;
    await rpc(server, 'tasks/update', { taskId, inputResponses: {} }, { at: guarded });
    const { result: over } = await rpc(server, 'tasks/get', { taskId }, { at: guarded });
    assert.deepEqual([over.status, textOf(over.result)], ['completed', 'it took [GONE]'], server);
  }
});
