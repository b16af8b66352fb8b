import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { guardOfResults } from '../support/guards-of-results.ts';
import { remote } from '../support/mcp-servers.ts';
import { type ScriptedServer, scriptedServer } from '../support/scripted-mcp.ts';

let server: ScriptedServer;
let gateway: RunningGateway;

before(async () => {
  server = await scriptedServer({});
  gateway = await startGateway({ manifests: [remote('s', server.url), ...guardOfResults('secret')] });
});
disposeAfter(() => [gateway, server]);

const EVENTS = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };

async function ask(method: string, params: object, headers: Record<string, string>, signal?: AbortSignal) {
  return fetch(`${gateway.url}/mcp/v1/s/mcp`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, ...EVENTS, ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    ...(signal && { signal }),
  });
}

async function session(): Promise<Record<string, string>> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } };
  const answer = await ask('initialize', params, {});
  return { 'mcp-session-id': answer.headers.get('mcp-session-id') ?? '', 'mcp-protocol-version': '2025-11-25' };
}

test('a result that a client comes back for, behind its last event, is guarded as one that it waited for', async () => {
  let finish = (): void => undefined;
  server.script = {
    'tools/call': ({ params }) =>
      new Promise((resolve) => {
        finish = () => resolve({ content: [{ type: 'text', text: `a secret of ${String(params['name'])}` }] });
      }),
  };
  const headers = await session();
  const leaving = new AbortController();
  const answer = await ask('tools/call', { name: 'tell', arguments: {} }, headers, leaving.signal);
  const reader = answer.body!.getReader();
  const first = new TextDecoder().decode((await reader.read()).value);
  const [, lastEventId = ''] = /^id: (\S+)$/m.exec(first) ?? [];
  assert.notEqual(lastEventId, '');
  leaving.abort();
  await reader.read().catch(() => undefined);
  const again = fetch(`${gateway.url}/mcp/v1/s/mcp`, {
    headers: {
      authorization: `Bearer ${KEY}`,
      accept: 'text/event-stream',
      'last-event-id': lastEventId,
      ...headers,
    },
  }).then((each) => each.text());
  finish();
  const text = await again;
  assert.match(text, /a \[GONE\] of tell/);
  assert.doesNotMatch(text, /secret/);
});
