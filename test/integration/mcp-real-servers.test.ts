import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { CLIENTS, textOf } from '../support/mcp-clients.ts';
import { remote } from '../support/mcp-servers.ts';
import { freePort } from '../support/server-process.ts';

/** Three servers that many people run, as their packages bring them: processes, and one of them over HTTP as well. */
const packageFile = (name: string): string =>
  fileURLToPath(new URL(`../../node_modules/@modelcontextprotocol/${name}/dist/index.js`, import.meta.url));
const everybody = [{ subject: 'team:everyone', role_id: 'mcp-server-user' }];

let folder: string;
let http: ChildProcess;
let gateway: RunningGateway;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-servers-'));
  await writeFile(join(folder, 'note.txt'), 'written by the test');
  const port = await freePort();
  http = spawn(process.execPath, [packageFile('server-everything'), 'streamableHttp'], {
    env: { PATH: process.env['PATH'], PORT: String(port) },
    stdio: 'ignore',
  });
  const stdio = (name: string, args: string[], more: object = {}) => ({
    type: 'mcp-server/stdio',
    name,
    description: `The server ${name}.`,
    command: process.execPath,
    args: [packageFile(`server-${name}`), ...args],
    collaborators: everybody,
    ...more,
  });
  const servers = ['filesystem', 'memory', 'everything', 'everything-http'].map((name) => ({ name }));
  gateway = await startGateway({
    manifests: [
      stdio('filesystem', [folder]),
      stdio('memory', [], { auth_data: { type: 'env', env: { MEMORY_FILE_PATH: join(folder, 'memory.jsonl') } } }),
      stdio('everything', ['stdio']),
      remote('everything-http', `http://127.0.0.1:${port}/mcp`),
      ...['tools', 'search', 'code'].map((mode) => ({
        type: 'mcp-server/virtual',
        name: mode,
        description: 'All of them.',
        collaborators: everybody,
        mode,
        servers,
      })),
    ],
  });
  await eventually('the server over HTTP answers', () => answers(port), 20_000);
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  http?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function answers(port: number): Promise<boolean> {
  try {
    await fetch(`http://127.0.0.1:${port}/mcp`);
    return true;
  } catch {
    return false;
  }
}

for (const [era, connect] of Object.entries(CLIENTS)) {
  test(`a client of the ${era} era uses filesystem, memory and everything, over stdio and HTTP, as one server`, async () => {
    const { client } = await connect(`${gateway.url}/mcp/v1/tools/mcp`);
    const { tools } = await client.listTools();
    const named = (tool: string) => tools.filter(({ name }) => name.startsWith(`${tool}_`)).map(({ name }) => name);
    assert.ok(tools.length > 30, String(tools.length));
    const [read] = named('read_text_file');
    const note = await client.callTool({ name: read!, arguments: { path: join(folder, 'note.txt') } });
    assert.equal(textOf(note), 'written by the test');
    const outside = await client.callTool({ name: read!, arguments: { path: '/etc/passwd' } });
    assert.match(textOf(outside), /denied/);
    const [remember, recall] = [named('create_entities')[0]!, named('read_graph')[0]!];
    const entities = [{ name: era, entityType: 'era', observations: ['it works'] }];
    await client.callTool({ name: remember, arguments: { entities } });
    assert.match(textOf(await client.callTool({ name: recall, arguments: {} })), new RegExp(`"${era}"`));
    const echoes = named('echo');
    assert.equal(echoes.length, 2);
    for (const name of echoes) {
      assert.equal(textOf(await client.callTool({ name, arguments: { message: 'hi' } })), 'Echo: hi');
    }
    await client.close();
  });
}

test('real tools are found by words and called by code', async () => {
  const { client } = await CLIENTS.legacy(`${gateway.url}/mcp/v1/code/mcp`);
  const search = async (query: string) => {
    const found = JSON.parse(textOf(await client.callTool({ name: 'search_tools', arguments: { query, limit: 3 } })));
    return (found as { tools: { name: string }[] }).tools.map(({ name }) => name);
  };
  const [read] = await search('read the text of a file');
  assert.match(read!, /^read_/);
  const list = (await search('list directory')).find((name) => name.startsWith('list_directory_'))!;
  const code = `
    const listed = await tools.${list}({ path: ${JSON.stringify(folder)} });
    const text = typeof listed === 'string' ? listed : listed.content;
    return text.split('\\n').filter((line) => line.includes('note')).length;`;
  assert.equal(textOf(await client.callTool({ name: 'run_code', arguments: { code } })), '1');
  await client.close();
});
