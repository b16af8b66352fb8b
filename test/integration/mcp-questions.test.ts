import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { remote } from '../support/mcp-servers.ts';
import { type ScriptedServer, scriptedServer } from '../support/scripted-mcp.ts';

let asks: ScriptedServer;
let asksAgain: ScriptedServer;
let gateway: RunningGateway;

const QUESTION = { method: 'elicitation/create', params: { message: 'Who?', requestedSchema: { type: 'object' } } };

before(async () => {
  asks = await scriptedServer({});
  // A server of the newer era asks by its results.
  asksAgain = await scriptedServer({
    initialize: () => ({ error: { code: -32_601, message: 'Method not found' } }),
    'server/discover': () => ({ supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }),
  });
  gateway = await startGateway({ manifests: [remote('asks', asks.url), remote('again', asksAgain.url)] });
});
disposeAfter(() => [gateway, asks, asksAgain]);

/** A client of the older era that answers nothing by itself: its session, and how it sends. */
async function client(name: string) {
  const headers: Record<string, string> = {
    authorization: `Bearer ${KEY}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  const send = (body: object, signal?: AbortSignal): Promise<Response> =>
    fetch(`${gateway.url}/mcp/v1/${name}/mcp`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ jsonrpc: '2.0', ...body }),
      ...(signal && { signal }),
    });
  const clientInfo = { name: 't', version: '1' };
  const params = { protocolVersion: '2025-11-25', capabilities: { elicitation: {} }, clientInfo };
  const begun = await send({ id: 0, method: 'initialize', params });
  await begun.text();
  headers['mcp-session-id'] = begun.headers.get('mcp-session-id') ?? '';
  return { send };
}

test('a server that asks without end is answered with an error beyond 64 questions that wait', async () => {
  asks.script = {
    'tools/call': ({ say }) => {
      for (let id = 1; id <= 500; id += 1) say({ id: `x${id}`, ...QUESTION });
      return new Promise((resolve) => {
        finish = () => resolve({ content: [{ type: 'text', text: 'done' }] });
      });
    },
  };
  let finish = (): void => undefined;
  const { send } = await client('asks');
  const answer = await send({ id: 1, method: 'tools/call', params: { name: 'a', arguments: {} } });
  const refused = () => asks.heard.filter(({ error }) => JSON.stringify(error)?.includes('more than 64 questions'));
  await eventually('the others are refused', () => refused().length === 500 - 64);
  finish();
  const text = await answer.text();
  assert.equal(text.match(/elicitation\/create/g)?.length, 64);
  assert.match(text, /done/);
});

test('a call that its client cancels while it is asked is not made again, whatever the client answers then', async () => {
  const calls = () => asksAgain.heard.filter(({ method }) => method === 'tools/call').length;
  asksAgain.script = {
    ...asksAgain.script,
    'tools/call': () => ({ resultType: 'input_required', inputRequests: { who: QUESTION }, requestState: 'x' }),
  };
  const { send } = await client('again');
  const answer = await send({ id: 1, method: 'tools/call', params: { name: 'a', arguments: {} } });
  const reader = answer.body!.getReader();
  let text = '';
  while (!text.includes('elicitation/create')) text += new TextDecoder().decode((await reader.read()).value);
  assert.equal(calls(), 1);
  const [, id] = /"id":"(s\d+)"/.exec(text) ?? [];
  const cancelled = await send({ method: 'notifications/cancelled', params: { requestId: 1 } });
  assert.equal(cancelled.status, 202);
  await send({ id, result: { action: 'accept', content: {} } });
  for (let end = await reader.read(); !end.done; end = await reader.read()) text += new TextDecoder().decode(end.value);
  assert.match(text, /The call was cancelled/);
  assert.equal(calls(), 1);
});
