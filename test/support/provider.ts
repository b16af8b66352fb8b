import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: string[];
  readonly body: Buffer;
}

export interface FakeProvider extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  /** Every request whose body was read, in order. */
  readonly requests: ReceivedRequest[];
  /** Sockets open now. */
  readonly sockets: ReadonlySet<Socket>;
  close(): Promise<void>;
}

export type Answer = (request: ReceivedRequest, response: ServerResponse, incoming: IncomingMessage) => void;

/** A model provider on a real socket whose answers the test writes itself. */
export async function startProvider(answer: Answer): Promise<FakeProvider> {
  const requests: ReceivedRequest[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const request = {
        method: incoming.method ?? '',
        path: incoming.url ?? '',
        headers: incoming.headers,
        rawHeaders: incoming.rawHeaders,
        body: Buffer.concat(chunks),
      };
      requests.push(request);
      answer(request, response, incoming);
    });
    // A gateway that gives up in the middle is one of the cases; what it was in the middle of does not matter here.
    incoming.on('error', () => {});
    response.on('error', () => {});
  });
  server.keepAliveTimeout = 60_000;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
  };
  return { origin: `http://127.0.0.1:${port}`, requests, sockets, close, [Symbol.asyncDispose]: close };
}

export function completion(
  content: string,
  usage: object | undefined = { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 },
): object {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1_700_000_000,
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage,
  };
}

export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
}

/** One `data:` event of a chat stream. */
export function chunkEvent(delta: object, finish: string | null = null, more: object = {}): string {
  const chunk = {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1_700_000_000,
    model: 'm',
    choices: [{ index: 0, delta, finish_reason: finish }],
    ...more,
  };
  return `data: ${JSON.stringify(chunk)}\n\n`;
}

export const USAGE_EVENT = `data: ${JSON.stringify({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1_700_000_000,
  model: 'm',
  choices: [],
  usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 },
})}\n\n`;

export const DONE_EVENT = 'data: [DONE]\n\n';
