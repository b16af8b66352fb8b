import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { before, test } from 'node:test';
import { isObject, type JsonObject, objectOf, parseObject, stringOf } from '../../src/codec/json-value.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { legacyClient, modernClient, textOf } from '../support/mcp-clients.ts';
import { remote } from '../support/mcp-servers.ts';

/**
 * Symptom: a tool that asks its user hung now and then. Root cause: each message to a server is an HTTP request of its own,
 * and may overtake the one before; a question that the server asks before its stream is open is lost. This server is late
 * with all that others must wait for, so that what does not wait is wrong each time.
 */
const LATE_MS = 150;
const ASKED = { message: 'Who?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } };

interface LateServer extends AsyncDisposable {
  readonly url: string;
  readonly subscribed: Set<string>;
  /** Methods in the order of their arrival. */
  readonly seen: string[];
}

async function lateServer(): Promise<LateServer> {
  const subscribed = new Set<string>();
  const seen: string[] = [];
  let initialized = false;
  let stream: ServerResponse | undefined;
  let answered: ((result: JsonObject) => void) | undefined;
  const json = (response: ServerResponse, id: unknown, result: JsonObject): void => {
    response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'one' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...result }));
  };
  const told = (text: string) => ({ result: { content: [{ type: 'text', text }] } });
  const answer = (message: JsonObject, response: ServerResponse): void => {
    const method = stringOf(message['method']);
    const { id } = message;
    const uri = stringOf(objectOf(message['params'])?.['uri']) ?? '';
    if (method === undefined) {
      answered?.(objectOf(message['result']) ?? {});
      response.writeHead(202).end();
    } else if (method === 'initialize') {
      initialized = false;
      stream = undefined;
      const capabilities = { tools: {}, resources: { subscribe: true } };
      json(response, id, {
        result: { protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 'late', version: '1' } },
      });
    } else if (method === 'notifications/initialized') {
      setTimeout(() => {
        initialized = true;
        response.writeHead(202).end();
      }, LATE_MS);
    } else if (id === undefined) {
      response.writeHead(202).end();
    } else if (!initialized) {
      json(response, id, { error: { code: -32_600, message: 'before the initialization was complete' } });
    } else if (method === 'tools/list') {
      json(response, id, { result: { tools: [{ name: 'ask', inputSchema: { type: 'object' } }] } });
    } else if (method === 'tools/call') {
      if (!stream) {
        json(response, id, told('the question was lost'));
        return;
      }
      answered = (result) => json(response, id, told(String(objectOf(result['content'])?.['name'])));
      const question = { jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params: ASKED };
      stream.write(`data: ${JSON.stringify(question)}\n\n`);
    } else if (method === 'resources/subscribe') {
      setTimeout(() => {
        subscribed.add(uri);
        json(response, id, { result: {} });
      }, LATE_MS);
    } else if (method === 'resources/unsubscribe') {
      setTimeout(() => subscribed.delete(uri), 2 * LATE_MS);
      json(response, id, { result: {} });
    } else json(response, id, { error: { code: -32_601, message: 'no such method' } });
  };
  const server = createServer(async (request, response) => {
    if (request.method === 'GET') {
      setTimeout(() => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
        stream = response;
      }, LATE_MS);
      return;
    }
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const message = parseObject(body);
    if (!isObject(message)) {
      response.writeHead(202).end();
      return;
    }
    seen.push(stringOf(message['method']) ?? 'response');
    // One of 2026-07-28 is not known here.
    if (message['method'] === 'server/discover') response.writeHead(400).end();
    else answer(message, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    subscribed,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

let late: LateServer;
let gateway: RunningGateway;
const at = () => `${gateway.url}/mcp/v1/late/mcp`;

before(async () => {
  late = await lateServer();
  gateway = await startGateway({ manifests: [remote('late', late.url)] });
});
disposeAfter(() => [gateway, late]);

for (const [era, connect] of Object.entries({ legacy: legacyClient, modern: modernClient })) {
  test(`a tool of an old server that asks at once is heard by a ${era} client, however late its stream opens`, async () => {
    const { client } = await connect(at(), { name: 'Ada' });
    assert.equal(textOf(await client.callTool({ name: 'ask', arguments: {} })), 'Ada');
    await client.close();
  });
}

test('nothing overtakes the end of the initialization', async () => {
  const { client } = await modernClient(at());
  const { tools } = await client.listTools();
  await client.close();
  assert.deepEqual(
    tools.map(({ name }) => name),
    ['ask'],
  );
});

test('a subscription is there when it is acknowledged, and another one beside it does not end it', async () => {
  const { client } = await legacyClient(at());
  // The gateway subscribes for whoever listens: the client's own stream comes first.
  await eventually('the first subscription', async () => {
    await client.subscribeResource({ uri: 'note://one' });
    return late.subscribed.has('note://one');
  });
  await client.subscribeResource({ uri: 'note://two' });
  assert.deepEqual([...late.subscribed], ['note://one', 'note://two']);
  await client.unsubscribeResource({ uri: 'note://two' });
  await eventually('one is left', () => !late.subscribed.has('note://two'));
  assert.deepEqual([...late.subscribed], ['note://one']);
  assert.equal(late.seen.filter((method) => method === 'resources/unsubscribe').length, 1);
  await client.close();
});
