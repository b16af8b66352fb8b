import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { CLIENTS, legacyClient, modernClient, textOf } from '../support/mcp-clients.ts';
import { legacyHttpServer, modernHttpServer, remote, type TestServer } from '../support/mcp-servers.ts';

const everybody = [{ subject: 'team:everyone', role_id: 'mcp-server-user' }];
const keys = ['ada', 'bob'].map((name) => ({ name, key: `key of ${name}`, subject: `user:${name}@example.com` }));
const ADA = { key: 'key of ada' };
const BOB = { key: 'key of bob' };
const virtual = (name: string, mode: string, servers: object[], more: object = {}) => ({
  type: 'mcp-server/virtual',
  name,
  description: `All by ${mode}.`,
  collaborators: everybody,
  mode,
  servers,
  ...more,
});

let old: TestServer;
let modern: TestServer;
let gateway: RunningGateway;

before(async () => {
  old = await legacyHttpServer();
  modern = await modernHttpServer();
  const parts = [{ name: 'old' }, { name: 'new' }];
  gateway = await startGateway({
    keys,
    server: {
      threads: 2,
      mcp: { code_ms: 5000, code_cpu_ms: 1000, max_code_calls: 5, max_code_memory_bytes: 33_554_432, max_code_runs: 2 },
    },
    manifests: [
      remote('old', old.url, {
        tool_settings: [{ name: 'add', cost_per_call: 0.25 }],
        tool_access: [
          { subjects: ['user:ada@example.com'], tools: ['@all'] },
          { subjects: ['user:bob@example.com'], tools: ['@read-only'] },
        ],
      }),
      remote('new', modern.url),
      remote('limited', old.url),
      remote('spent', old.url, { cost_per_call: 0.4 }),
      virtual('find', 'search', parts),
      virtual('code', 'code', parts),
      virtual('limits', 'code', [{ name: 'limited' }, { name: 'spent' }]),
      virtual('inner', 'tools', [{ name: 'limited' }]),
      virtual('outer', 'search', [{ name: 'inner' }]),
      virtual('granted', 'tools', [{ name: 'new' }], {
        tool_access: [{ subjects: ['user:ada@example.com'], tools: ['echo'] }],
      }),
      {
        type: 'gateway-rate-limiting-config',
        rules: [{ id: 'few', when: { models: ['mcp:limited/echo'] }, limit_to: 3, unit: 'requests_per_hour' }],
      },
      {
        type: 'gateway-budget-config',
        rules: [
          {
            id: 'tools',
            when: { models: ['mcp:spent/*'] },
            limit_to: 1,
            unit: 'cost_per_day',
            budget_applies_per: ['user'],
          },
        ],
      },
    ],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  for (const each of [old, modern]) await each?.[Symbol.asyncDispose]();
});

const at = (name: string) => `${gateway.url}/mcp/v1/${name}/mcp`;

interface Found {
  tools: { name: string; description: string; arguments: string }[];
  total: number;
}

async function ask(name: string, tool: string, args: object, options: { key: string; name?: string } = ADA) {
  const { client } = await legacyClient(at(name), options);
  try {
    return await client.callTool({ name: tool, arguments: { ...args } });
  } finally {
    await client.close();
  }
}

async function find(name: string, query: string, options = ADA): Promise<Found> {
  return JSON.parse(textOf(await ask(name, 'search_tools', { query }, options)));
}

async function run(name: string, code: string, options = ADA): Promise<string> {
  return textOf(await ask(name, 'run_code', { code }, options));
}

async function nameOf(name: string, tool: string, options = ADA): Promise<string> {
  const { tools } = await find(name, '', options);
  return tools.find((each) => each.name.startsWith(`${tool}_`))!.name;
}

test('a client of a searching server sees three tools, whatever stands behind it, in both eras', async () => {
  for (const connect of Object.values(CLIENTS)) {
    for (const [name, last] of [
      ['find', 'call_tool'],
      ['code', 'run_code'],
    ] as const) {
      const { client } = await connect(at(name), ADA);
      const { tools } = await client.listTools();
      await client.close();
      assert.deepEqual(
        tools.map((tool) => tool.name),
        ['search_tools', 'describe_tool', last],
      );
    }
  }
});

test('tools are found by words of their names and descriptions, the best first', async () => {
  const { tools, total } = await find('find', 'adding numbers, sum');
  assert.equal(total, 10);
  assert.match(tools[0]!.name, /^add_[0-9a-f]{8}$/);
  assert.equal(tools[0]!.arguments, '{a: number, b: number}');
  const said = await find('find', 'says again');
  assert.deepEqual(
    said.tools.slice(0, 2).map(({ name }) => name.slice(0, 5)),
    ['echo_', 'echo_'],
  );
  assert.deepEqual((await find('find', 'zebra')).tools, []);
});

test('a tool that was found is described whole and called, questions to the client included', async () => {
  const add = await nameOf('find', 'add');
  const described = JSON.parse(textOf(await ask('find', 'describe_tool', { name: add })));
  assert.deepEqual(described.inputSchema.required, ['a', 'b']);
  assert.equal(textOf(await ask('find', 'call_tool', { name: add, arguments: { a: 1, b: 2 } })), '3');
  for (const connect of [legacyClient, modernClient]) {
    const { tools } = await find('find', 'asks for a name');
    const asking = tools.filter(({ name }) => name.startsWith('ask_'));
    assert.equal(asking.length, 2);
    for (const { name } of asking) {
      const { client } = await connect(at('find'), { ...ADA, name: 'Ada' });
      const result = await client.callTool({ name: 'call_tool', arguments: { name } });
      await client.close();
      assert.equal(textOf(result), 'accept Ada');
    }
  }
});

test('a call of a found tool is one record, under the name of the tool', async () => {
  const add = await nameOf('find', 'add');
  await ask('find', 'call_tool', { name: add, arguments: { a: 1, b: 2 } });
  const records = () => gateway.records({ 'gen_ai.request.model': `mcp:find/${add}` });
  await eventually('a record', () => records().length > 0);
  assert.equal(records().at(-1)?.['sluice.cost.usd'], 0.25);
  assert.deepEqual(gateway.records({ 'gen_ai.request.model': 'mcp:find/call_tool' }), []);
});

test('a tool that somebody may not use is neither found, nor described, nor called, nor reached by code', async () => {
  const destroy = await nameOf('find', 'destroy');
  assert.equal((await find('find', 'deletes all', BOB)).tools.length, 0);
  const calls = () => old.seen.filter(({ body }) => body.includes('"destroy"')).length;
  for (const [tool, args] of [
    ['describe_tool', { name: destroy }],
    ['call_tool', { name: destroy }],
    ['run_code', { code: 'return 1' }],
  ] as const) {
    await assert.rejects(ask('find', tool, args, BOB), /Unknown tool/);
  }
  const ways = [
    `return tools.${destroy}()`,
    `return callTool(${JSON.stringify(destroy)})`,
    `return tools["constructor"]({})`,
    `return callTool("destroy", {})`,
    `return Reflect.get(tools, ${JSON.stringify(destroy)})({})`,
  ];
  for (const code of ways) assert.match(await run('code', code, BOB), /Unknown tool/, code);
  assert.equal(calls(), 0);
  assert.equal(await run('code', `return tools.${destroy}()`), '"gone"');
});

test('a grant of a virtual server holds for its tools by their own names', async () => {
  const namesFor = async (options: { key: string }) => {
    const { client } = await modernClient(at('granted'), options);
    const { tools } = await client.listTools();
    await client.close();
    return tools.map(({ name }) => name);
  };
  const [echo, ...others] = await namesFor(ADA);
  assert.match(echo ?? '', /^echo_/);
  assert.deepEqual(others, []);
  assert.deepEqual(await namesFor(BOB), []);
  assert.equal(textOf(await ask('granted', echo!, { text: 'x' })), 'new: x');
  await assert.rejects(ask('granted', echo!, { text: 'x' }, BOB), /Unknown tool/);
});

test('code calls tools beside each other and gives what it returns and prints', async () => {
  const [add, where] = [await nameOf('code', 'add'), await nameOf('code', 'where')];
  const code = `
    const sums = await Promise.all([1, 2].map((a) => tools.${add}({ a, b: 1 })));
    const region = await callTool(${JSON.stringify(where)}, { region: 'eu' });
    console.log('sums', sums.length);
    return { total: sums.reduce((sum, each) => sum + each.sum, 0), region };`;
  for (const connect of [legacyClient, modernClient]) {
    const { client } = await connect(at('code'), ADA);
    const result = await client.callTool({ name: 'run_code', arguments: { code } });
    await client.close();
    assert.deepEqual(result['structuredContent'], { result: { total: 5, region: 'eu' } });
    assert.match(textOf(result), /^sums 2\n/);
  }
  const records = () => gateway.records({ 'gen_ai.request.model': `mcp:code/${add}` });
  await eventually('a record of each call of the code', () => records().length >= 4);
  const [record] = records();
  const outer = () => gateway.records({ 'gen_ai.request.model': 'mcp:code/run_code' });
  await eventually('a record of the code', () =>
    outer().some((each) => (each['http.request.id'] ?? each['sluice.exchange.id']) === record?.['http.request.id']),
  );
});

test('code is bounded in calls, time, memory and depth, and a bound is told by its name', async () => {
  const add = await nameOf('code', 'add');
  const cases: [string, RegExp][] = [
    ['for (;;) {}', /mcp\.code_cpu_ms: 1000/],
    ['const all = []; for (;;) all.push(new Uint8Array(100000))', /mcp\.max_code_memory_bytes: 33554432/],
    [`await tools.${add}({ a: "x".repeat(4_200_000) })`, /mcp\.max_message_bytes: 4194304/],
    [
      `const a = "x".repeat(1_500_000); await Promise.all([1, 2, 3].map(() => tools.${add}({ a })))`,
      /arguments of the calls under way are larger .*mcp\.max_message_bytes: 4194304/,
    ],
    [`for (let a = 0; a < 9; a += 1) await tools.${add}({ a, b: 1 })`, /mcp\.max_code_calls: 5/],
    ['const deep = () => deep(); deep()', /stack overflow/],
    ['await new Promise(() => {})', /never comes/],
    ['return await import("node:fs")', /could not load module/],
    [
      'return [typeof process, typeof require, typeof fetch, typeof setTimeout].join()',
      /undefined,undefined,undefined,undefined/,
    ],
    ['let a = ;', /SyntaxError.*line 1/],
    [`return await tools.${await nameOf('code', 'fail')}()`, /it broke/],
    [`return await tools.${await nameOf('code', 'wait')}()`, /mcp\.code_ms: 5000/],
  ];
  for (const [code, expected] of cases) assert.match(await run('code', code), expected, code);
});

test('code that computes without end keeps no other client waiting', async () => {
  const [add, wait] = [await nameOf('code', 'add'), await nameOf('code', 'wait')];
  const ended: string[] = [];
  const busy = run('code', 'for (;;) {}').then((said) => ended.push(said));
  assert.equal(textOf(await ask('find', 'call_tool', { name: add, arguments: { a: 1, b: 2 } })), '3');
  assert.deepEqual(ended, []);
  await busy;
  assert.match(ended[0]!, /code_cpu_ms/);
  const calls = () => old.seen.filter(({ body }) => body.includes('"name":"wait"')).length;
  const before = calls();
  const waiting = [run('code', `await tools.${wait}()`), run('code', `await tools.${wait}()`)];
  await eventually('both wait for their tool', () => calls() === before + 2);
  assert.match(await run('code', 'return 1'), /max_code_runs: 2/);
  for (const each of await Promise.all(waiting)) assert.match(each, /mcp\.code_ms/);
  assert.equal(await run('code', 'return 1'), '1');
});

test('a limit of a server holds for its tools wherever they are reached from, nested virtual servers and code included', async () => {
  const limited = await nameOf('limits', 'echo');
  const { tools } = await find('outer', 'says again');
  const outer = tools[0]!.name;
  assert.equal(await run('limits', `return tools.${limited}({ text: 'a' })`), '"old: a"');
  assert.equal(textOf(await ask('outer', 'call_tool', { name: outer, arguments: { text: 'b' } })), 'old: b');
  assert.equal(textOf(await ask('limited', 'echo', { text: 'c' })), 'old: c');
  await assert.rejects(ask('outer', 'call_tool', { name: outer, arguments: { text: 'd' } }), /rate limit/i);
  assert.match(await run('limits', `return tools.${limited}({ text: 'e' })`), /rate limit/i);
  await assert.rejects(ask('limited', 'echo', { text: 'f' }), /rate limit|429/i);
});

test('a budget of tools is charged what they cost, and refuses when it is spent', async () => {
  assert.equal(textOf(await ask('spent', 'add', { a: 1, b: 1 })), '2');
  const { tools } = await find('limits', '');
  const spent: string[] = [];
  for (const { name } of tools.filter((each) => each.name.startsWith('add_'))) {
    const said = await run('limits', `await tools.${name}({ a: 1, b: 1 }); return "fine"`);
    spent.push(said);
  }
  assert.deepEqual(spent, ['"fine"', '"fine"']);
  await assert.rejects(ask('spent', 'add', { a: 1, b: 1 }), /budget|429/i);
  assert.equal(textOf(await ask('spent', 'add', { a: 1, b: 1 }, BOB)), '2');
});
