import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Json = Record<string, unknown>;

/** What an answer to one request can do besides giving a result. */
export interface ScriptedCall {
  readonly params: Json;
  readonly headers: NodeJS.Dict<string | string[]>;
  /** Writes a message on the stream of this answer, before the result: a notification, or a question. */
  say(message: Json): void;
  /** Resolves when the gateway has given the answer up. */
  readonly gone: Promise<void>;
}

/** Gives the result, `{error}` for an error of JSON-RPC; a promise that never resolves is a server that hangs. */
export type Script = Readonly<Record<string, (call: ScriptedCall) => Json | Promise<Json>>>;

export interface ScriptedServer extends AsyncDisposable {
  readonly url: string;
  script: Script;
  /** Speaks on the stream that a client holds open; undefined: there is none. */
  speaks: ((say: ScriptedCall['say']) => void) | undefined;
  /** All messages that came, in their order. */
  readonly heard: Json[];
}

/** A server of 2025-11-25 over HTTP, without sessions, that says what a test wants. */
export async function scriptedServer(script: Script): Promise<ScriptedServer> {
  const heard: Json[] = [];
  const made: Pick<ScriptedServer, 'script' | 'heard' | 'speaks'> = { script, heard, speaks: undefined };
  const initialize: Script = {
    initialize: () => ({
      protocolVersion: '2025-11-25',
      capabilities: { tools: {}, prompts: {}, resources: {} },
      serverInfo: { name: 'scripted', version: '1' },
    }),
  };
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    if (request.method === 'GET' && made.speaks) {
      made.speaks(sayerOf(response));
      return;
    }
    if (request.method !== 'POST') {
      response.writeHead(405).end();
      return;
    }
    const message = JSON.parse(body) as { id?: number; method?: string; params?: Json };
    heard.push(message as Json);
    const { id, method, params = {} } = message;
    if (id === undefined || method === undefined) {
      response.writeHead(202).end();
      return;
    }
    await answer(id, { ...initialize, ...made.script }[method], params, response, request.headers);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  return Object.assign(made, {
    url,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

function sayerOf(response: ServerResponse): ScriptedCall['say'] {
  return (message) => {
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`);
  };
}

async function answer(
  id: number,
  act: Script[string] | undefined,
  params: Json,
  response: ServerResponse,
  headers: ScriptedCall['headers'],
): Promise<void> {
  const gone = new Promise<void>((resolve) => response.once('close', resolve));
  const write = sayerOf(response);
  const made = act
    ? await act({ params, headers, say: write, gone })
    : { error: { code: -32_601, message: 'Unknown' } };
  const told = 'error' in made ? made : { result: made };
  if (response.headersSent) {
    write({ id, ...told });
    response.end();
    return;
  }
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ jsonrpc: '2.0', id, ...told }));
}
