import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { KEY, startGateway } from '../support/gateway.ts';
import { INSPECTED, MemoryProbe } from '../support/inspected-gateway.ts';
import { leastOf } from '../support/least-of.ts';
import { remote } from '../support/mcp-servers.ts';

const VERSION = '2025-11-25';
const MAX_KIB = 20;

/** A server of the older era, which keeps nothing of its sessions. */
async function leanServer() {
  let sessions = 0;
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const { id, method } = body === '' ? {} : JSON.parse(body);
    if (request.method !== 'POST') response.writeHead(request.method === 'DELETE' ? 204 : 405).end();
    else if (id === undefined) response.writeHead(202).end();
    else if (method === 'initialize') {
      sessions += 1;
      const headers = { 'content-type': 'application/json', 'mcp-session-id': `session ${sessions}` };
      const result = { protocolVersion: VERSION, capabilities: { tools: {} }, serverInfo: { name: 'x', version: '1' } };
      response.writeHead(200, headers).end(JSON.stringify({ jsonrpc: '2.0', id, result }));
    } else {
      const error = { code: -32_601, message: 'Method not found' };
      const status = method === 'server/discover' ? 400 : 200;
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, error }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp` };
}

/** KiB that each idle session costs a fresh gateway. */
async function costOfSession(url: string): Promise<number> {
  const gateway = await startGateway({ manifests: [remote('lean', url)], environment: INSPECTED });
  try {
    const headers = {
      authorization: `Bearer ${KEY}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    };
    const post = (message: object, session = ''): Promise<Response> =>
      fetch(`${gateway.url}/mcp/v1/lean/mcp`, {
        method: 'POST',
        headers: session === '' ? headers : { ...headers, 'mcp-session-id': session },
        body: JSON.stringify({ jsonrpc: '2.0', ...message }),
      });
    const open = async (): Promise<void> => {
      const clientInfo = { name: 'test', version: '1' };
      const params = { protocolVersion: VERSION, capabilities: { elicitation: {} }, clientInfo };
      const begun = await post({ id: 1, method: 'initialize', params });
      await begun.text();
      const told = await post({ method: 'notifications/initialized' }, begun.headers.get('mcp-session-id') ?? '');
      assert.equal(told.status, 202);
      await told.text();
    };
    const openMany = async (count: number): Promise<void> => {
      for (let at = 0; at < count; at += 20) await Promise.all(Array.from({ length: 20 }, open));
    };
    await openMany(200);
    const probe = await MemoryProbe.attach(gateway);
    const before = await probe.residentBytes();
    await openMany(1000);
    const held = (await probe.residentBytes()) - before;
    probe.close();
    assert.ok((await gateway.metric('mcp_server_sessions')) >= 1200);
    return held / 1000 / 1024;
  } finally {
    await gateway[Symbol.asyncDispose]();
  }
}

test(`an idle session of MCP, with its session at the server, holds less than ${MAX_KIB} KiB`, async () => {
  const { server, url } = await leanServer();
  try {
    const held = await leastOf(MAX_KIB, () => costOfSession(url));
    assert.ok(held < MAX_KIB, `${held.toFixed(1)} KiB of each`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
