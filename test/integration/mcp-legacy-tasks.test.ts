import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { CallToolResultSchema, TaskStatusNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { guardOfResults } from '../support/guards-of-results.ts';
import { legacyClient, modernClient, textOf } from '../support/mcp-clients.ts';
import { remote } from '../support/mcp-servers.ts';
import { type LegacyTaskServer, legacyTaskServer } from '../support/task-server.ts';

const ANN = 'sk-of-ann';
const BOB = 'sk-of-bob';
const CAT = 'sk-of-cat';
const keys = [
  { name: 'ann', key: ANN, subject: 'user:ann@example.com' },
  { name: 'bob', key: BOB, subject: 'user:bob@example.com' },
  { name: 'cat', key: CAT, subject: 'user:cat@example.com' },
];
const everybody = [{ subject: 'team:everyone', role_id: 'mcp-server-user' }];

let upstream: LegacyTaskServer;
let gateway: RunningGateway;
let guarded: RunningGateway;

before(async () => {
  upstream = await legacyTaskServer();
  const joint = (name: string, more: object) => ({
    type: 'mcp-server/virtual',
    name,
    description: 'Of several.',
    collaborators: everybody,
    ...more,
  });
  const manifests = [
    remote('slow', upstream.url),
    remote('twin', upstream.url),
    remote('few', upstream.url, {
      tool_access: [{ subjects: ['user:ann@example.com'], tools: ['report', 'plain'] }],
    }),
    joint('joint', { servers: [{ name: 'slow' }, { name: 'twin' }] }),
    joint('less', { servers: [{ name: 'slow', enabled_tools: ['plain'] }] }),
  ];
  gateway = await startGateway({ keys, manifests });
  guarded = await startGateway({
    keys,
    manifests: [...manifests, ...guardOfResults('report')],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await guarded?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
});

const at = (server: string, { url } = gateway): string => `${url}/mcp/v1/${server}/mcp`;

function closeAfter(context: TestContext, connected: AsyncDisposable): void {
  context.after(() => connected[Symbol.asyncDispose]());
}

async function allOf<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** The id of a task that was begun; the tool is called by its own name or one that begins with it. */
async function begun({ client }: Awaited<ReturnType<typeof legacyClient>>, tool: string, args: object) {
  const { tools } = await client.listTools();
  const { name } = tools.find((each) => each.name === tool || each.name.startsWith(`${tool}_`))!;
  const stream = client.experimental.tasks.callToolStream({ name, arguments: { ...args } }, CallToolResultSchema, {
    task: { ttl: 30_000 },
  });
  const { value } = await stream.next();
  assert.equal(value?.type, 'taskCreated', JSON.stringify(value));
  return { id: value.type === 'taskCreated' ? value.task.taskId : '', stream };
}

test('a server says that it runs tasks, and which of its tools, and its client gets status, result and list of one', async (context) => {
  const connected = await legacyClient(at('slow'), { key: ANN });
  closeAfter(context, connected);
  const { client } = connected;
  assert.deepEqual(client.getServerCapabilities()?.tasks, { list: {}, cancel: {}, requests: { tools: { call: {} } } });
  const { tools } = await client.listTools();
  assert.equal(tools.find(({ name }) => name === 'report')?.execution?.taskSupport, 'optional');
  const { id, stream } = await begun(connected, 'report', { text: 'one' });
  assert.match(id, /\./, 'the id is sealed by the gateway');
  const task = await client.experimental.tasks.getTask(id);
  assert.deepEqual([task.taskId, task.status, task.ttl], [id, 'working', 30_000]);
  const { tasks } = await client.experimental.tasks.listTasks();
  assert.ok(tasks.some(({ taskId }) => taskId === id));
  await upstream.finish('one');
  const messages = await allOf(stream);
  const last = messages.at(-1);
  assert.equal(last?.type === 'result' && textOf(last.result), 'a report of one');
  const result = await client.experimental.tasks.getTaskResult(id, CallToolResultSchema);
  assert.deepEqual(result._meta?.['io.modelcontextprotocol/related-task'], { taskId: id });
});

test('the result of a task is waited for, and its steps are told meanwhile', async (context) => {
  const connected = await legacyClient(at('slow'), { key: ANN });
  closeAfter(context, connected);
  const { client } = connected;
  const steps: number[] = [];
  const told: string[] = [];
  client.setNotificationHandler(TaskStatusNotificationSchema, ({ params }) => void told.push(params.taskId));
  const stream = client.experimental.tasks.callToolStream(
    { name: 'report', arguments: { text: 'steps' } },
    CallToolResultSchema,
    { task: {}, onprogress: ({ progress }) => void steps.push(progress) },
  );
  const { value } = await stream.next();
  const id = value?.type === 'taskCreated' ? value.task.taskId : '';
  await upstream.finish('steps');
  const result = await client.experimental.tasks.getTaskResult(id, CallToolResultSchema);
  assert.equal(textOf(result), 'a report of steps');
  assert.deepEqual(steps, [1]);
  assert.ok(
    told.every((each) => each === id),
    'no id of the server reaches a client',
  );
});

test('a task that asks its user does so where its result is waited for, under the id of the client', async (context) => {
  const connected = await legacyClient(at('slow'), { key: ANN, name: 'Ann' });
  closeAfter(context, connected);
  const { stream } = await begun(connected, 'ask', {});
  const messages = await allOf(stream);
  const last = messages.at(-1);
  assert.equal(last?.type === 'result' && textOf(last.result), 'a report of Ann', JSON.stringify(messages));
});

test('a task that is cancelled is cancelled at its server, and one that is over cannot be', async (context) => {
  const connected = await legacyClient(at('slow'), { key: ANN });
  closeAfter(context, connected);
  const { client } = connected;
  const { id } = await begun(connected, 'report', { text: 'never' });
  const cancelled = await client.experimental.tasks.cancelTask(id);
  assert.deepEqual([cancelled.taskId, cancelled.status], [id, 'cancelled']);
  assert.equal((await client.experimental.tasks.getTask(id)).status, 'cancelled');
  await assert.rejects(client.experimental.tasks.cancelTask(id), { code: -32_602 });
});

test('a task of somebody else is neither told, listed, cancelled nor asked about, with one credential for all', async (context) => {
  const ann = await legacyClient(at('slow'), { key: ANN });
  closeAfter(context, ann);
  const bob = await legacyClient(at('slow'), { key: BOB });
  closeAfter(context, bob);
  const { id } = await begun(ann, 'report', { text: 'at once: secret' });
  const before = upstream.asked.length;
  const { tasks } = bob.client.experimental;
  await assert.rejects(tasks.getTask(id), { code: -32_602 });
  await assert.rejects(tasks.getTaskResult(id, CallToolResultSchema), { code: -32_602 });
  await assert.rejects(tasks.cancelTask(id), { code: -32_602 });
  assert.equal(upstream.asked.length, before, 'the server is not asked');
  assert.deepEqual((await tasks.listTasks()).tasks, []);
  const own = await begun(bob, 'report', { text: 'at once: of Bob' });
  assert.deepEqual(
    (await tasks.listTasks()).tasks.map(({ taskId }) => taskId),
    [own.id],
  );
});

test('a virtual server begins tasks of its servers, tells them apart, and lists them all', async (context) => {
  const joint = await legacyClient(at('joint'), { key: CAT });
  closeAfter(context, joint);
  const { client } = joint;
  const { tools } = await client.listTools();
  const names = tools.map(({ name }) => name).filter((name) => name.startsWith('report_'));
  assert.equal(names.length, 2);
  const ids: string[] = [];
  for (const [index, name] of names.entries()) {
    const text = `at once ${index}`;
    const stream = client.experimental.tasks.callToolStream({ name, arguments: { text } }, CallToolResultSchema, {
      task: {},
    });
    const messages = await allOf(stream);
    const [first, last] = [messages[0], messages.at(-1)];
    assert.equal(last?.type === 'result' && textOf(last.result), `a report of ${text}`);
    if (first?.type === 'taskCreated') ids.push(first.task.taskId);
  }
  const listed = (await client.experimental.tasks.listTasks()).tasks.map(({ taskId }) => taskId);
  assert.deepEqual(listed.sort(), ids.sort());
  const less = await legacyClient(at('less'), { key: CAT });
  closeAfter(context, less);
  for (const id of ids) await assert.rejects(less.client.experimental.tasks.getTask(id), { code: -32_602 });
  assert.deepEqual((await less.client.experimental.tasks.listTasks()).tasks, []);
});

test('the guards of a tool read the result of its task, at its server and at a virtual one', async (context) => {
  for (const server of ['slow', 'joint']) {
    const connected = await legacyClient(at(server, guarded), { key: ANN });
    closeAfter(context, connected);
    const { stream, id } = await begun(connected, 'report', { text: `at once ${server}` });
    const messages = await allOf(stream);
    const last = messages.at(-1);
    assert.equal(last?.type === 'result' && textOf(last.result), `a [GONE] of at once ${server}`);
    const again = await connected.client.experimental.tasks.getTaskResult(id, CallToolResultSchema);
    assert.equal(textOf(again), `a [GONE] of at once ${server}`);
  }
});

test('tools without tasks are called as ever, and a client of the newer era sees nothing of tasks of the older one', async (context) => {
  const legacy = await legacyClient(at('slow'), { key: ANN });
  closeAfter(context, legacy);
  assert.equal(textOf(await legacy.client.callTool({ name: 'plain', arguments: {} })), 'quick');
  const modern = await modernClient(at('slow'), { key: ANN });
  closeAfter(context, modern);
  const { tools } = await modern.client.listTools();
  assert.ok(tools.length > 0 && tools.every((tool) => !('execution' in tool)));
  assert.equal(modern.client.getServerCapabilities()?.tasks, undefined);
  assert.equal(textOf(await modern.client.callTool({ name: 'plain', arguments: {} })), 'quick');
});

test('a tool that must be a task is run as one for a client of the newer era, and its result is waited for', async (context) => {
  for (const server of ['slow', 'joint']) {
    const { client, ...rest } = await modernClient(at(server), { key: ANN });
    closeAfter(context, rest);
    const { name } = (await client.listTools()).tools.find((tool) => tool.name.startsWith('must'))!;
    const result = await client.callTool({ name, arguments: { text: `at once: ${server}` } });
    assert.equal(textOf(result), `a report of at once: ${server}`);
    assert.equal(result._meta?.['io.modelcontextprotocol/related-task'], undefined);
  }
  const asking = await modernClient(at('slow'), { key: ANN, name: 'Ann' });
  closeAfter(context, asking);
  assert.equal(textOf(await asking.client.callTool({ name: 'must-ask', arguments: {} })), 'a report of Ann');
});

test('a client that leaves ends the task that was run for it', async (context) => {
  const { client, ...rest } = await modernClient(at('slow'), { key: ANN });
  closeAfter(context, rest);
  const leaves = new AbortController();
  const before = upstream.asked.length;
  const called = client.callTool({ name: 'must', arguments: { text: 'for ever' } }, { signal: leaves.signal });
  await eventually('its result is waited for', () => upstream.asked.slice(before).includes('tasks/result'));
  leaves.abort();
  await assert.rejects(called);
  await eventually('it is cancelled', () => upstream.asked.slice(before).includes('tasks/cancel'));
});

test('a caller who may use a tool no more gets nothing of its tasks, and a forged id names none', async (context) => {
  const ann = await legacyClient(at('few'), { key: ANN });
  closeAfter(context, ann);
  const { id } = await begun(ann, 'report', { text: 'at once: few' });
  const [payload = '', signature = ''] = id.split('.');
  const told = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const forged = Buffer.from(JSON.stringify({ ...told, t: 'plain' })).toString('base64url');
  const access = [{ subjects: ['user:ann@example.com'], tools: ['plain'] }];
  await gateway.configure([remote('few', upstream.url, { tool_access: access })]);
  const later = await legacyClient(at('few'), { key: ANN });
  closeAfter(context, later);
  await eventually('the tool is gone', async () => (await later.client.listTools()).tools.length === 1);
  const { tasks } = later.client.experimental;
  for (const taskId of [id, `${forged}.${signature}`]) {
    await assert.rejects(tasks.getTaskResult(taskId, CallToolResultSchema), { code: -32_602 });
    await assert.rejects(tasks.cancelTask(taskId), { code: -32_602 });
  }
});
