import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually, KEY, selfHosted, startGateway } from '../support/gateway.ts';
import { legacyClient, textOf } from '../support/mcp-clients.ts';
import { chunkEvent, DONE_EVENT, startProvider } from '../support/provider.ts';

const program = fileURLToPath(new URL('../support/stdio-server.ts', import.meta.url));
const manifest = {
  type: 'mcp-server/stdio',
  name: 'process',
  description: 'A process.',
  command: process.execPath,
  args: [program],
  collaborators: [{ subject: 'team:everyone', role_id: 'mcp-server-user' }],
};

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  test(`no process of a server, nor what it started, outlives a gateway that gets ${signal}`, async (context) => {
    const gateway = await startGateway({ manifests: [manifest] });
    context.after(() => gateway[Symbol.asyncDispose]());
    const { client } = await legacyClient(`${gateway.url}/mcp/v1/process/mcp`);
    const pids: number[] = JSON.parse(textOf(await client.callTool({ name: 'pids', arguments: {} })));
    assert.ok(pids.length === 2 && pids.every(lives));
    gateway.process.kill(signal);
    await gateway.exited;
    await eventually('both processes have ended', () => !pids.some(lives));
    await client.close();
  });
}

test('a process that ends costs the calls that it was at, and is started again', async (context) => {
  const gateway = await startGateway({ manifests: [manifest] });
  context.after(() => gateway[Symbol.asyncDispose]());
  const { client } = await legacyClient(`${gateway.url}/mcp/v1/process/mcp`);
  context.after(() => client.close());
  await assert.rejects(client.callTool({ name: 'die', arguments: {} }), /ended with code 3/);
  await eventually('it answers again', async () => {
    try {
      return textOf(await client.callTool({ name: 'echo', arguments: { text: 'x' } })) === 'process: x';
    } catch {
      return false;
    }
  });
});

test('a gateway that is killed amidst the work of an agent leaves no process of its servers', async (context) => {
  const provider = await startProvider((_request, response) => {
    const calls = ['pids', 'wait'].map((name, index) => ({
      index,
      id: `call_${index}`,
      type: 'function',
      function: { name, arguments: '{}' },
    }));
    response.setHeader('content-type', 'text/event-stream');
    response.end(chunkEvent({ tool_calls: calls }) + chunkEvent({}, 'tool_calls') + DONE_EVENT);
  });
  context.after(() => provider[Symbol.asyncDispose]());
  const gateway = await startGateway({ manifests: [manifest, selfHosted('model', `${provider.origin}/v1`, ['m'])] });
  context.after(() => gateway[Symbol.asyncDispose]());
  const answer = await fetch(`${gateway.url}/agent/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'model/m',
      messages: [{ role: 'user', content: 'Go' }],
      mcp_servers: [{ integration_fqn: 'process' }],
    }),
  });
  let said = '';
  let pids: number[] = [];
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  while (pids.length === 0) {
    const { value = '', done } = await reader.read();
    assert.ok(!done, said);
    said += value;
    pids = JSON.parse(/"content":"(\[\d+,\d+\])"/.exec(said)?.[1] ?? '[]');
  }
  assert.ok(pids.length === 2 && pids.every(lives));
  gateway.process.kill('SIGKILL');
  await gateway.exited;
  await eventually('both processes have ended', () => !pids.some(lives));
  await reader.cancel().catch(() => undefined);
});
