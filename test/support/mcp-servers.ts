import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import {
  createMcpHandler,
  fromJsonSchema,
  inputRequired,
  McpServer as ModernServer,
} from '@modelcontextprotocol/server';
import { z } from 'zod';

/** One HTTP request as a server got it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly seen: SeenRequest[];
  /** Sessions that were begun and not ended. */
  readonly sessions: Set<string>;
  /** Adds a tool to all sessions, which is told to whoever listens. */
  addTool(name: string): void;
  /** Values of `authorization` that it answers with 401. */
  readonly refused: Set<string>;
  /** Forgets its sessions, as a server does that was started anew. */
  forget(): void;
}

/** The tools of a server of the legacy era: the official SDK of its line. */
export function legacyTools(name = 'old'): McpServer {
  const server = new McpServer(
    { name, version: '1.2.3' },
    { capabilities: { logging: {} }, instructions: `Use ${name}.` },
  );
  server.registerTool(
    'echo',
    { description: 'Says it again.', inputSchema: { text: z.string() }, annotations: { readOnlyHint: true } },
    ({ text }) => ({ content: [{ type: 'text', text: `${name}: ${text}` }] }),
  );
  server.registerTool(
    'add',
    {
      description: 'Adds.',
      inputSchema: { a: z.number(), b: z.number() },
      outputSchema: { sum: z.number() },
      annotations: { readOnlyHint: false, destructiveHint: false },
    },
    ({ a, b }) => ({ content: [{ type: 'text', text: String(a + b) }], structuredContent: { sum: a + b } }),
  );
  server.registerTool('destroy', { description: 'Deletes all.', annotations: { destructiveHint: true } }, () => ({
    content: [{ type: 'text', text: 'gone' }],
  }));
  server.registerTool('progress', { description: 'Takes steps.' }, async (extra) => {
    const { _meta, sendNotification } = extra;
    for (const progress of [1, 2, 3]) {
      const progressToken = _meta?.progressToken;
      if (progressToken === undefined) continue;
      await sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total: 3 } });
    }
    return { content: [{ type: 'text', text: 'done' }] };
  });
  server.registerTool('ask', { description: 'Asks for a name.' }, async () => {
    const answer = await server.server.elicitInput({
      message: 'Who are you?',
      requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
    });
    return { content: [{ type: 'text', text: `${answer.action} ${String(answer.content?.['name'])}` }] };
  });
  server.registerTool('wait', { description: 'Waits until it is cancelled.' }, async ({ signal }) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    return { content: [] };
  });
  server.registerTool('fail', { description: 'Fails.' }, () => ({
    content: [{ type: 'text', text: 'it broke' }],
    isError: true,
  }));
  server.registerResource('note', 'note://one', { mimeType: 'text/plain' }, (uri) => ({
    contents: [{ uri: uri.href, text: `a note of ${name}` }],
  }));
  server.registerPrompt('greet', { description: 'Greets.', argsSchema: { who: z.string() } }, ({ who }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Greet ${who}` } }],
  }));
  return server;
}

async function listen(handle: (request: IncomingMessage, response: ServerResponse, body: string) => Promise<void>) {
  const seen: SeenRequest[] = [];
  const refused = new Set<string>();
  const server: Server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    seen.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers, body });
    if (refused.has(request.headers.authorization ?? '')) {
      response.writeHead(401).end();
      return;
    }
    await handle(request, response, body).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, seen, refused, server };
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** Streamable HTTP of 2025-11-25 with sessions. */
export async function legacyHttpServer(name = 'old'): Promise<TestServer> {
  const transports = new Map<string, { transport: StreamableHTTPServerTransport; server: McpServer }>();
  const { url, seen, refused, server } = await listen(async (request, response, body) => {
    const id = String(request.headers['mcp-session-id'] ?? '');
    const known = transports.get(id);
    const message: unknown = body === '' ? undefined : JSON.parse(body);
    if (known) {
      await known.transport.handleRequest(request, response, message);
      return;
    }
    if (id !== '') {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } }));
      return;
    }
    const tools = legacyTools(name);
    const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (session) => void transports.set(session, { transport, server: tools }),
      onsessionclosed: (session) => void transports.delete(session),
    });
    await tools.connect(transport as Parameters<McpServer['connect']>[0]);
    await transport.handleRequest(request, response, message);
  });
  return {
    url: `${url}/mcp`,
    seen,
    refused,
    get sessions() {
      return new Set(transports.keys());
    },
    addTool: (tool) => {
      for (const { server: each } of transports.values()) {
        each.registerTool(tool, { description: 'New.' }, () => ({ content: [] }));
      }
    },
    forget: () => transports.clear(),
    [Symbol.asyncDispose]: () => stop(server),
  };
}

/** HTTP with SSE of 2024-11-05. */
export async function sseServer(name = 'oldest'): Promise<TestServer> {
  const transports = new Map<string, SSEServerTransport>();
  const { url, seen, refused, server } = await listen(async (request, response, body) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    if (request.method === 'GET' && pathname === '/sse') {
      const transport = new SSEServerTransport('/messages', response);
      transports.set(transport.sessionId, transport);
      response.once('close', () => transports.delete(transport.sessionId));
      await legacyTools(name).connect(transport);
      return;
    }
    const transport = transports.get(searchParams.get('sessionId') ?? '');
    if (request.method !== 'POST' || pathname !== '/messages' || !transport) {
      response.writeHead(pathname === '/sse' ? 405 : 404).end();
      return;
    }
    await transport.handlePostMessage(request, response, JSON.parse(body));
  });
  return {
    url: `${url}/sse`,
    seen,
    refused,
    get sessions() {
      return new Set(transports.keys());
    },
    addTool: () => undefined,
    forget: () => undefined,
    [Symbol.asyncDispose]: () => stop(server),
  };
}

/** The modern era, 2026-07-28: alone, or the one before as well, without sessions. */
export async function modernHttpServer(name = 'new', legacy: 'reject' | 'stateless' = 'reject'): Promise<TestServer> {
  const extra: string[] = [];
  const handler = createMcpHandler(
    () => {
      const server = new ModernServer(
        { name, version: '2.0.0' },
        { capabilities: { tools: { listChanged: true } }, instructions: `Use ${name}.` },
      );
      const text = fromJsonSchema<{ text: string }>({
        type: 'object',
        properties: { text: { type: 'string' } },
        required: ['text'],
      });
      server.registerTool(
        'echo',
        { description: 'Says it again.', inputSchema: text, annotations: { readOnlyHint: true } },
        (args) => ({ content: [{ type: 'text', text: `${name}: ${args.text}` }] }),
      );
      const where = fromJsonSchema<{ region: string }>({
        type: 'object',
        properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
        required: ['region'],
      } as Parameters<typeof fromJsonSchema>[0]);
      server.registerTool('where', { description: 'Says where.', inputSchema: where }, (args) => ({
        content: [{ type: 'text', text: args.region }],
      }));
      server.registerTool('ask', { description: 'Asks for a name.' }, async (ctx) => {
        const answered = ctx.mcpReq.inputResponses?.['who'] as
          | { action?: string; content?: { name?: string } }
          | undefined;
        if (answered) {
          return { content: [{ type: 'text' as const, text: `${answered.action} ${answered.content?.name}` }] };
        }
        return inputRequired({
          inputRequests: {
            who: inputRequired.elicit({
              message: 'Who are you?',
              requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
            }),
          },
          requestState: 'asked once',
        });
      });
      for (const tool of extra) server.registerTool(tool, { description: 'New.' }, () => ({ content: [] }));
      return server;
    },
    { legacy },
  );
  const { url, seen, refused, server } = await listen(async (request, response, body) => {
    const headers = Object.entries(request.headers).map(([key, value]) => [key, String(value)] as [string, string]);
    const answer = await handler.fetch(
      new Request(`${url}${request.url}`, {
        method: request.method ?? 'POST',
        headers,
        ...(body !== '' && { body }),
      }),
    );
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (answer.body) for await (const chunk of answer.body) response.write(chunk);
    response.end();
  });
  return {
    url: `${url}/mcp`,
    seen,
    refused,
    sessions: new Set(),
    addTool: (tool) => {
      extra.push(tool);
      handler.notify.toolsChanged();
    },
    forget: () => undefined,
    [Symbol.asyncDispose]: () => stop(server),
  };
}

/** A manifest of a remote server that everybody may use. */
export function remote(name: string, url: string, more: object = {}): object {
  return {
    type: 'mcp-server/remote',
    name,
    description: `The server ${name}.`,
    url,
    collaborators: [{ subject: 'team:everyone', role_id: 'mcp-server-user' }],
    ...more,
  };
}
