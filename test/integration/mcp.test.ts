import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { CLIENTS, textOf } from '../support/mcp-clients.ts';
import { legacyHttpServer, modernHttpServer, remote, sseServer, type TestServer } from '../support/mcp-servers.ts';

/** Several relay threads, so that the requests of one client land on several. */
const THREADS = 3;

let gateway: RunningGateway;
const servers = new Map<string, TestServer>();
const kinds = {
  'a server of 2025-11-25': { name: 'old', start: legacyHttpServer },
  'a server of 2024-11-05': { name: 'oldest', start: sseServer },
  'a server of 2026-07-28': { name: 'new', start: modernHttpServer },
};

before(async () => {
  for (const { name, start } of Object.values(kinds)) servers.set(name, await start(name));
  gateway = await startGateway({
    server: { threads: THREADS },
    manifests: [...servers].map(([name, { url }]) => remote(name, url)),
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  for (const server of servers.values()) await server[Symbol.asyncDispose]();
});

async function closedAfter<T extends AsyncDisposable>(context: TestContext, opening: Promise<T>): Promise<T> {
  const opened = await opening;
  context.after(() => opened[Symbol.asyncDispose]());
  return opened;
}

const at = (name: string) => `${gateway.url}/mcp/v1/${name}/mcp`;

for (const [era, connect] of Object.entries(CLIENTS)) {
  for (const [what, { name }] of Object.entries(kinds)) {
    test(`a client of the ${era} era lists and calls the tools of ${what}`, async (context) => {
      const { client } = await closedAfter(context, connect(at(name)));
      const { tools } = await client.listTools();
      assert.ok(
        tools.some((tool) => tool.name === 'echo'),
        JSON.stringify(tools),
      );
      const result = await client.callTool({ name: 'echo', arguments: { text: 'hello' } });
      assert.equal(textOf(result), `${name}: hello`);
      assert.equal(client.getInstructions(), `Use ${name}.`);
      for (const { headers } of servers.get(name)?.seen ?? []) {
        assert.ok(!JSON.stringify(headers).includes(KEY), 'the key of the gateway went to a server');
      }
    });

    test(`a client of the ${era} era is asked by a tool of ${what}, and its answer arrives`, async (context) => {
      const { client } = await closedAfter(context, connect(at(name), { name: 'Ada' }));
      const result = await client.callTool({ name: 'ask', arguments: {} });
      assert.equal(textOf(result), 'accept Ada');
    });
  }
}
