import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, KEY, type RunningGateway, selfHosted, startGateway } from '../support/gateway.ts';
import { legacyHttpServer, modernHttpServer, remote, type TestServer } from '../support/mcp-servers.ts';
import { type FakeProvider, startProvider } from '../support/provider.ts';

interface Asked {
  messages: { role: string; content: string | null; tool_call_id?: string; tool_calls?: unknown[] }[];
  tools?: { function: { name: string } }[];
}

let provider: FakeProvider;
let gateway: RunningGateway;
let old: TestServer;
let modern: TestServer;
const asked: Asked[] = [];
/** What the model says in turn after turn: calls of tools, or text. */
let script: (turn: number) => { calls?: [string, object][]; text?: string };

before(async () => {
  old = await legacyHttpServer();
  modern = await modernHttpServer();
  provider = await startProvider(({ body }, response) => {
    asked.push(JSON.parse(body.toString()));
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
    response.end('data: [DONE]\n\n');
  });
  gateway = await startGateway({
    manifests: [selfHosted('model', `${provider.origin}/v1`, ['m']), remote('old', old.url), remote('new', modern.url)],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  for (const each of [provider, old, modern]) await each?.[Symbol.asyncDispose]();
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

test('what an agent may not use is refused before anything is asked', async () => {
  script = () => ({ text: 'never' });
  const cases: [object, number, string][] = [
    [{ mcp_servers: [{ url: 'http://169.254.169.254/' }] }, 400, 'invalid_parameter'],
    [{ mcp_servers: [{ integration_fqn: 'nowhere' }] }, 502, 'mcp_call_failed'],
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
