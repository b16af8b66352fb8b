import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { eventually, KEY, type RunningGateway, selfHosted, startGateway } from '../support/gateway.ts';
import { legacyHttpServer, modernHttpServer, remote, type TestServer } from '../support/mcp-servers.ts';
import { type FakeProvider, startProvider } from '../support/provider.ts';
import { type ScriptedServer, scriptedServer } from '../support/scripted-mcp.ts';

interface Asked {
  messages: { role: string; content: string | null; tool_call_id?: string; tool_calls?: unknown[] }[];
  tools?: { function: { name: string } }[];
}

let provider: FakeProvider;
let gateway: RunningGateway;
let old: TestServer;
let modern: TestServer;
let paged: ScriptedServer;
const asked: Asked[] = [];
/** What the model says in turn after turn: calls of tools, or text. */
/** In place of the script: writes the answer by itself. */
let slow: ((response: ServerResponse) => Promise<void>) | undefined;
let script: (turn: number) => { calls?: [string, object][]; text?: string };

before(async () => {
  old = await legacyHttpServer();
  modern = await modernHttpServer();
  paged = await scriptedServer({});
  provider = await startProvider(({ body }, response) => {
    asked.push(JSON.parse(body.toString()));
    if (slow) {
      response.setHeader('content-type', 'text/event-stream');
      slow(response).catch(() => response.destroy());
      return;
    }
    const { calls = [], text } = script(asked.length);
    const tool_calls = calls.map(([name, args], index) => ({
      index,
      id: `call_${asked.length}_${index}`,
      type: 'function',
      function: { name, arguments: JSON.stringify(args) },
    }));
    response.setHeader('content-type', 'text/event-stream');
    const send = (delta: object, finish_reason: string | null): void => {
      const chunk = {
        id: 'c',
        object: 'chat.completion.chunk',
        created: 1,
        model: 'm',
        choices: [{ index: 0, delta, finish_reason }],
      };
      response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    };
    send({ role: 'assistant', content: text ?? null, ...(calls.length > 0 && { tool_calls }) }, null);
    send({}, calls.length > 0 ? 'tool_calls' : 'stop');
    const usage = { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 };
    response.write(
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage })}\n\n`,
    );
    response.end('data: [DONE]\n\n');
  });
  gateway = await startGateway({
    manifests: [
      selfHosted('model', `${provider.origin}/v1`, ['m']),
      remote('old', old.url),
      remote('new', modern.url),
      remote('paged', paged.url),
      remote('down', 'http://127.0.0.1:9/mcp'),
      {
        type: 'mcp-server/virtual',
        name: 'both',
        description: 'Two.',
        servers: [{ name: 'old' }, { name: 'new' }],
        collaborators: [{ subject: '*', role_id: 'mcp-server-user' }],
      },
    ],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  for (const each of [provider, old, modern, paged]) await each?.[Symbol.asyncDispose]();
});

interface Chunk {
  choices: { delta: { role?: string; content?: string; tool_call_id?: string }; finish_reason: string | null }[];
  tool_approval_required?: { tool_calls: { id: string }[] };
  iteration_limit_reached?: number;
}

async function run(more: object, signal?: AbortSignal): Promise<{ status: number; text: string; chunks: Chunk[] }> {
  asked.length = 0;
  const answer = await fetch(`${gateway.url}/agent/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'model/m',
      stream: true,
      messages: [{ role: 'user', content: 'Go' }],
      mcp_servers: [{ integration_fqn: 'old' }, { integration_fqn: 'new' }],
      ...more,
    }),
    ...(signal && { signal }),
  });
  const text = await answer.text();
  const chunks = [...text.matchAll(/^data: (\{.*\})$/gm)].map(([, json]) => JSON.parse(json!));
  return { status: answer.status, text, chunks };
}

const toolResults = (chunks: Chunk[]) =>
  chunks.flatMap(({ choices }) => choices.filter(({ delta }) => delta.role === 'tool').map(({ delta }) => delta));

test('an agent calls the tools that its model asks for beside each other, and gives it their results', async () => {
  script = (turn) =>
    turn === 1
      ? {
          calls: [
            ['add', { a: 1, b: 2 }],
            ['where', { region: 'eu' }],
            ['nothing', {}],
          ],
        }
      : { text: 'Done.' };
  const { status, text, chunks } = await run({});
  assert.equal(status, 200, text);
  assert.deepEqual(
    new Map(toolResults(chunks).map(({ tool_call_id, content }) => [tool_call_id, content])),
    new Map([
      ['call_1_0', '3'],
      ['call_1_1', 'eu'],
      ['call_1_2', 'There is no tool nothing.'],
    ]),
  );
  assert.match(text, /Done\.[\s\S]*data: \[DONE\]\n\n$/);
  const [, second] = asked;
  assert.deepEqual(
    second?.messages.map(({ role, tool_call_id }) => tool_call_id ?? role),
    ['user', 'assistant', 'call_1_0', 'call_1_1', 'call_1_2'],
  );
  const names = asked[0]?.tools?.map((tool) => tool.function.name) ?? [];
  assert.equal(new Set(names).size, names.length);
  assert.ok(names.includes('echo') && names.includes('echo_2'));
  await eventually('a record of the call', () => gateway.records({ 'gen_ai.request.model': 'mcp:old/add' }).length > 0);
});

test('an agent knows the tools of all pages of a server, and of one that lists without end as many as it may', async () => {
  const tool = (name: string) => ({ name, description: 'Fine.', inputSchema: { type: 'object' } });
  let lists = 0;
  paged.script = {
    'tools/list': ({ params: { cursor = 'p0' } }) => {
      lists += 1;
      const page = Number(String(cursor).slice(1));
      return { tools: [tool(`tool_${page}`)], nextCursor: `p${page + 1}` };
    },
    'tools/call': ({ params }) => ({ content: [{ type: 'text', text: `called ${String(params['name'])}` }] }),
  };
  script = (turn) => (turn === 1 ? { calls: [['tool_3', {}]] } : { text: 'Done.' });
  const { chunks } = await run({ mcp_servers: [{ integration_fqn: 'paged', require_approval_for_tools: ['tool_7'] }] });
  assert.equal(toolResults(chunks)[0]?.content, 'called tool_3');
  assert.ok(lists <= 50, String(lists));
});

test('an agent stops at its limit of turns, whatever its model wants', async () => {
  script = () => ({ calls: [['add', { a: 1, b: 1 }]] });
  const { chunks } = await run({ iteration_limit: 3 });
  assert.equal(asked.length, 3);
  assert.equal(chunks.at(-1)?.iteration_limit_reached, 3);
  assert.equal(chunks.at(-1)?.choices[0]?.finish_reason, 'length');
});

test('a tool that wants approval waits for it, and is not called without', async () => {
  script = (turn) => (turn === 1 ? { calls: [['destroy', {}]] } : { text: 'Done.' });
  const servers = { mcp_servers: [{ integration_fqn: 'old', require_approval_for_tools: ['@destructive'] }] };
  const calls = () => old.seen.filter(({ body }) => body.includes('"destroy"')).length;
  const { chunks } = await run(servers);
  assert.deepEqual(
    chunks.at(-1)?.tool_approval_required?.tool_calls.map(({ id }) => id),
    ['call_1_0'],
  );
  assert.equal(calls(), 0);
  const waiting = { role: 'assistant', content: null, tool_calls: chunks.at(-1)?.tool_approval_required?.tool_calls };
  const messages = [{ role: 'user', content: 'Go' }, waiting];
  script = () => ({ text: 'Done.' });
  const rejected = await run({ ...servers, messages, tool_approvals: { call_1_0: 'reject' } });
  assert.equal(toolResults(rejected.chunks)[0]?.content, 'The user did not allow this call.');
  assert.equal(calls(), 0);
  const approved = await run({ ...servers, messages, tool_approvals: { call_1_0: 'approve' } });
  assert.equal(toolResults(approved.chunks)[0]?.content, 'gone');
  assert.equal(calls(), 1);
});

test('an approval is of the call that waited for it, and of no later one to which the model gives the same id', async () => {
  const servers = { mcp_servers: [{ integration_fqn: 'old', require_approval_for_tools: ['destroy'] }] };
  const calls = () => old.seen.filter(({ body }) => body.includes('"destroy"')).length;
  const call = (id: string, name: string) => ({ id, type: 'function', function: { name, arguments: '{}' } });
  const messages = (...tool_calls: object[]) => [
    { role: 'user', content: 'Go' },
    { role: 'assistant', content: null, tool_calls },
  ];
  const before = calls();
  // The id of the first call of the model's first turn.
  script = () => ({ calls: [['destroy', {}]] });
  const approved = { ...servers, messages: messages(call('call_1_0', 'destroy')) };
  const { chunks } = await run({ ...approved, tool_approvals: { call_1_0: 'approve' } });
  assert.equal(chunks.at(-1)?.tool_approval_required?.tool_calls.length, 1);
  assert.equal(calls(), before + 1, 'the one that was approved, and not the next');
  // Nor is one decided that nobody spoke of, under a name that every object has.
  const inherited = await run({ ...servers, messages: messages(call('constructor', 'destroy')) });
  assert.equal(inherited.chunks.at(-1)?.tool_approval_required?.tool_calls.length, 1);
  const twice = messages(call('c', 'destroy'), call('c', 'destroy'));
  const refused = await run({ ...servers, messages: twice, tool_approvals: { c: 'approve' } });
  assert.equal(refused.status, 400, refused.text);
  assert.equal(JSON.parse(refused.text).error.param, 'tool_approvals');
  assert.equal(calls(), before + 1);
});

test('a tool is named for approval by any of its names and by patterns, on a virtual server too', async () => {
  const calls = () => old.seen.filter(({ body }) => body.includes('"destroy"')).length;
  script = () => ({ text: 'Done.' });
  await run({ mcp_servers: [{ integration_fqn: 'both' }] });
  const shown = asked[0]?.tools?.map((tool) => tool.function.name).find((name) => name.startsWith('destroy_')) ?? '';
  assert.notEqual(shown, '');
  script = () => ({ calls: [[shown, {}]] });
  const before = calls();
  for (const entry of ['destroy', 'destr*', '*', shown, '@all', '@destructive']) {
    const { chunks, text } = await run({
      mcp_servers: [{ integration_fqn: 'both', require_approval_for_tools: [entry] }],
    });
    assert.equal(chunks.at(-1)?.tool_approval_required?.tool_calls.length, 1, `${entry}: ${text}`);
  }
  script = () => ({ text: 'Done.' });
  await run({ mcp_servers: [{ integration_fqn: 'both', tools: [{ name: 'destroy' }, { name: 'ech*' }] }] });
  const names = asked[0]?.tools?.map((tool) => tool.function.name.replace(/_[0-9a-f]{8}$/, ''));
  assert.deepEqual(new Set(names), new Set(['destroy', 'echo']));
  assert.equal(calls(), before);
});

test('a name of a tool that no server lists, and a word with @ that is none, is refused by its place', async () => {
  script = () => ({ text: 'never' });
  for (const integration_fqn of ['old', 'both']) {
    for (const [more, param] of [
      [{ require_approval_for_tools: ['echo', 'zzz'] }, 'mcp_servers.0.require_approval_for_tools.1'],
      [{ require_approval_for_tools: ['zzz*'] }, 'mcp_servers.0.require_approval_for_tools.0'],
      [{ require_approval_for_tools: ['@destuctive'] }, 'mcp_servers.0.require_approval_for_tools.0'],
      [{ tools: [{ name: 'nope' }] }, 'mcp_servers.0.tools.0'],
      [{ tools: [{ name: '@all' }] }, 'mcp_servers.0.tools.0.name'],
    ] as const) {
      const answer = await run({ mcp_servers: [{ integration_fqn, ...more }] });
      assert.equal(answer.status, 400, answer.text);
      const { error } = JSON.parse(answer.text);
      assert.deepEqual([error.code, error.param], ['invalid_parameter', param]);
      assert.equal(asked.length, 0);
    }
  }
});

test('an agent whose client leaves cancels its tools', async () => {
  script = () => ({ calls: [['wait', {}]] });
  const stop = new AbortController();
  const before = old.seen.filter(({ body }) => body.includes('notifications/cancelled')).length;
  const running = run({}, stop.signal);
  await eventually('the tool is called', () => old.seen.some(({ body }) => body.includes('"name":"wait"')));
  stop.abort();
  await assert.rejects(running);
  await eventually(
    'the server is told',
    () => old.seen.filter(({ body }) => body.includes('notifications/cancelled')).length > before,
  );
});

test('a model that an agent may not use is refused before anything is asked', async () => {
  script = () => ({ text: 'never' });
  const cases: [object, number, string][] = [
    [{ mcp_servers: [{ url: 'http://169.254.169.254/' }] }, 400, 'invalid_parameter'],
    [{ mcp_servers: [{ integration_fqn: 'down' }] }, 502, 'mcp_call_failed'],
    [{ iteration_limit: 21 }, 400, 'invalid_parameter'],
    [{ model: 'model/none' }, 404, 'model_not_found'],
  ];
  for (const [more, status, code] of cases) {
    const answer = await run(more);
    assert.equal(answer.status, status, answer.text);
    assert.equal(JSON.parse(answer.text).error.code, code);
    assert.equal(asked.length, 0);
  }
});

test('an agent that names an MCP server that is not there gets 404, as a client of MCP does', async () => {
  script = () => ({ text: 'never' });
  const { status, text } = await run({ mcp_servers: [{ integration_fqn: 'old' }, { integration_fqn: 'nowhere' }] });
  assert.equal(status, 404, text);
  const { code, param, message } = JSON.parse(text).error;
  assert.deepEqual([code, param], ['mcp_server_not_found', 'mcp_servers.1']);
  assert.match(message, /`nowhere`/);
  assert.equal(asked.length, 0);
});

interface ResponseEvent {
  type: string;
  delta?: string;
  item?: { type: string; id: string; name?: string; status?: string; output?: string | null; error?: string | null };
  response?: {
    status: string;
    output: { type: string }[];
    usage: object;
    incomplete_details: { reason: string } | null;
  };
}

async function respond(more: object): Promise<{ status: number; text: string; events: ResponseEvent[] }> {
  asked.length = 0;
  const answer = await fetch(`${gateway.url}/agent/responses`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'model/m', mcp_servers: [{ integration_fqn: 'old' }], ...more }),
  });
  const text = await answer.text();
  return {
    status: answer.status,
    text,
    events: [...text.matchAll(/^data: (\{.*\})$/gm)].map(([, json]) => JSON.parse(json!)),
  };
}

const itemsDone = (events: ResponseEvent[]) =>
  events.filter(({ type }) => type === 'response.output_item.done').map(({ item }) => item!);

test('an agent is told in the events of Responses, with the items of MCP', async () => {
  script = (turn) =>
    turn === 1
      ? {
          text: 'Let me see.',
          calls: [
            ['add', { a: 1, b: 2 }],
            ['fail', {}],
          ],
        }
      : { text: 'Three.' };
  const { status, events, text } = await respond({ input: 'Go', instructions: 'Be short.' });
  assert.equal(status, 200, text);
  const types = events.map(({ type }) => type);
  assert.deepEqual([types[0], types.at(-1)], ['response.created', 'response.completed']);
  assert.deepEqual(
    itemsDone(events).map(({ type, output, error }) => [type, output ?? error ?? null]),
    [
      ['message', null],
      ['mcp_call', '3'],
      ['mcp_call', 'it broke'],
      ['message', null],
    ],
  );
  assert.deepEqual(
    asked[0]?.messages.map(({ role, content }) => [role, content]),
    [
      ['system', 'Be short.'],
      ['user', 'Go'],
    ],
  );
  const { response } = events.at(-1)!;
  assert.deepEqual(
    response?.output.map(({ type }) => type),
    ['message', 'mcp_call', 'mcp_call', 'message'],
  );
  assert.deepEqual(
    events.map((_each, index) => index),
    events.map((event) => (event as unknown as { sequence_number: number }).sequence_number),
  );
});

test('an approval that nothing asked for, and an input without messages, are refused before a model is asked', async () => {
  script = () => ({ text: 'never' });
  const approval = { type: 'mcp_approval_response', approval_request_id: 'call_9', approve: true };
  for (const [input, param] of [
    [[approval], 'input.0.approval_request_id'],
    [[{ role: 'user', content: 'Go' }, approval], 'input.1.approval_request_id'],
    [[{ type: 'mcp_list_tools' }], 'input'],
  ] as const) {
    const { status, text } = await respond({ input, instructions: 'Be short.' });
    assert.equal(status, 400, text);
    assert.equal(JSON.parse(text).error.param, param);
    assert.equal(asked.length, 0);
  }
});

test('an approval of Responses goes on from the items that came before it', async () => {
  const servers = { mcp_servers: [{ integration_fqn: 'old', require_approval_for_tools: ['@destructive'] }] };
  script = (turn) => (turn === 1 ? { calls: [['add', { a: 1, b: 2 }]] } : { text: 'May I?', calls: [['destroy', {}]] });
  const first = await respond({ ...servers, input: [{ role: 'user', content: [{ type: 'input_text', text: 'Go' }] }] });
  const items = itemsDone(first.events);
  assert.deepEqual(
    items.map(({ type }) => type),
    ['mcp_call', 'message', 'mcp_approval_request'],
  );
  const input = (approve: boolean) => [
    { role: 'user', content: 'Go' },
    ...items,
    { type: 'mcp_approval_response', approval_request_id: items.at(-1)!.id, approve },
  ];
  script = () => ({ text: 'Done.' });
  for (const [approve, expected] of [
    [false, 'The user did not allow this call.'],
    [true, 'gone'],
  ] as const) {
    const next = await respond({ ...servers, input: input(approve) });
    const [call] = itemsDone(next.events);
    assert.equal(call?.output ?? call?.error, expected);
    assert.deepEqual(
      asked[0]?.messages.map(({ role }) => role),
      ['user', 'assistant', 'tool', 'assistant', 'tool'],
    );
  }
  // A call that is not decided waits on.
  const undecided = await respond({ ...servers, input: input(true).slice(0, -1) });
  assert.equal(asked.length, 0);
  assert.equal(itemsDone(undecided.events)[0]?.type, 'mcp_approval_request');
});

test('an agent that has spent its budget makes no further call, in both forms', async () => {
  script = () => ({ calls: [['add', { a: 1, b: 1 }]] });
  const before = old.seen.filter(({ body }) => body.includes('tools/call')).length;
  const { chunks } = await run({ budget: { max_total_tokens: 20 }, stream_options: { include_usage: true } });
  assert.equal(asked.length, 2);
  assert.equal(old.seen.filter(({ body }) => body.includes('tools/call')).length, before + 1);
  const last = chunks.find((chunk) => 'budget_reached' in chunk) as unknown as { budget_reached: object };
  assert.deepEqual(last.budget_reached, { setting: 'budget.max_total_tokens: 20', spent: 24 });
  assert.deepEqual((chunks.at(-1) as unknown as { usage: object }).usage, {
    prompt_tokens: 10,
    completion_tokens: 14,
    total_tokens: 24,
  });
  const { events } = await respond({ input: 'Go', budget: { max_total_tokens: 12 } });
  assert.equal(events.at(-1)?.type, 'response.incomplete');
  assert.deepEqual(events.at(-1)?.response?.incomplete_details, { reason: 'budget' });
});

test('runs of agents, their turns and calls are counted under the names of the reference product', async () => {
  script = (turn) => (turn === 1 ? { calls: [['add', { a: 1, b: 1 }]] } : { text: 'Done.' });
  const before = await gateway.metric('ai_gateway_agent_requests_total');
  await run({});
  await eventually('a run', async () => (await gateway.metric('ai_gateway_agent_requests_total')) === before + 1);
  assert.ok(
    (await gateway.metric('ai_gateway_agent_tool_calls_total', { tool_name: 'add', integration_fqn: 'old' })) >= 1,
  );
  for (const name of [
    'request_duration_ms',
    'request_tool_calls',
    'llm_latency_ms',
    'tool_latency_ms',
    'mcp_connect_latency_ms',
  ]) {
    assert.ok((await gateway.metric(`ai_gateway_agent_${name}_count`)) >= 1, name);
  }
});

test('a client that does not read its agent pauses the model, and gets all when it reads again', async () => {
  const text = 'x'.repeat(32_768);
  const pieces = 400;
  const stop = new AbortController();
  let written = 0;
  slow = async (response) => {
    for (let piece = 0; piece < pieces; piece += 1) {
      const choices = [{ index: 0, delta: { content: text }, finish_reason: null }];
      const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices };
      if (!response.write(`data: ${JSON.stringify(chunk)}\n\n`)) await once(response, 'drain', { signal: stop.signal });
      written += 1;
    }
    const choices = [{ index: 0, delta: {}, finish_reason: 'stop' }];
    response.end(
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices })}\n\ndata: [DONE]\n\n`,
    );
  };
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  const body = JSON.stringify({ model: 'model/m', stream: true, messages: [{ role: 'user', content: 'Go' }] });
  socket.write(
    `POST /agent/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  socket.pause();
  try {
    // What sockets and watermarks hold on the way is taken; then nothing more is.
    let seen = -1;
    let still = 0;
    await eventually('the provider stands still for many looks', () => {
      still = written > 0 && written === seen ? still + 1 : 0;
      seen = written;
      return still > 20;
    });
    assert.ok(written < pieces, `${written} of ${pieces} pieces were taken`);
    let read = 0;
    let tail = '';
    socket.on('data', (bytes) => {
      read += bytes.length;
      tail = (tail + bytes.toString()).slice(-100);
    });
    socket.resume();
    await eventually('all of it', () => tail.includes('[DONE]'));
    assert.ok(read > pieces * text.length);
  } finally {
    slow = undefined;
    stop.abort();
    socket.destroy();
  }
});

test('an agent that is open at the drain deadline gets an error event, and its record says that it was cut', async (t) => {
  const stopping = await startGateway({
    manifests: [selfHosted('model', `${provider.origin}/v1`, ['m'])],
    server: { timeouts: { drain_ms: 300 } },
  });
  t.after(stopping[Symbol.asyncDispose]);
  slow = async (response) => {
    const choices = [{ index: 0, delta: { content: 'begun' }, finish_reason: null }];
    const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices };
    response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    await once(response, 'close');
  };
  t.after(() => {
    slow = undefined;
  });
  const bodies = {
    '/agent/chat/completions': { messages: [{ role: 'user', content: 'Go' }] },
    '/agent/responses': { input: 'Go' },
  };
  const runs = Object.entries(bodies).map(async ([path, body]) => {
    const answer = await fetch(stopping.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'model/m', ...body }),
    });
    const told = { text: '' };
    const ended = (async () => {
      for await (const bytes of answer.body!) told.text += Buffer.from(bytes).toString();
    })().catch(() => undefined);
    return { path, told, ended };
  });
  const open = await Promise.all(runs);
  await eventually('both have begun', () => open.every(({ told }) => told.text.includes('begun')));
  assert.equal(await stopping.stop(), 0);
  for (const { path, told, ended } of open) {
    await ended;
    assert.match(told.text, /draining/, path);
    const [record] = stopping.records({ 'http.route': path });
    assert.deepEqual([record?.['sluice.outcome'], record?.['error.type']], ['cut', 'draining'], path);
  }
  assert.equal(stopping.records({ 'sluice.outcome': 'client-closed' }).length, 0);
});
