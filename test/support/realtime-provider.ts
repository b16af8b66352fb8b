import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** What a session at the fake provider was opened with, and its socket there. */
export interface ProviderSide {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly socket: WebSocket;
  /** All messages that came. */
  readonly messages: { text: string; isBinary: boolean }[];
  closed: { code: number; reason: string } | undefined;
}

export interface RealtimeProvider {
  readonly url: string;
  readonly sessions: ProviderSide[];
  /** The next sessions are refused with it; undefined: they are taken. */
  refuseWith: { status: number; body: string } | undefined;
  /** Called with each message. */
  onMessage: (side: ProviderSide, text: string) => void;
  onOpen: (side: ProviderSide) => void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A provider of realtime sessions over real sockets. */
export async function startRealtimeProvider(): Promise<RealtimeProvider> {
  const sockets = new WebSocketServer({ noServer: true });
  const server = createServer((_request, response) => response.writeHead(404).end());
  const provider: RealtimeProvider = {
    url: '',
    sessions: [],
    refuseWith: undefined,
    onMessage: () => {},
    onOpen: () => {},
    async [Symbol.asyncDispose]() {
      for (const { socket } of provider.sessions) socket.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  server.on('upgrade', (request, socket, head) => {
    const { refuseWith } = provider;
    if (refuseWith !== undefined) {
      const { status, body } = refuseWith;
      socket.end(
        `HTTP/1.1 ${status} No\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      return;
    }
    sockets.handleUpgrade(request, socket, head, (opened) => {
      const side: ProviderSide = {
        path: request.url ?? '',
        headers: request.headers,
        socket: opened,
        messages: [],
        closed: undefined,
      };
      provider.sessions.push(side);
      opened.on('message', (data, isBinary) => {
        side.messages.push({ text: String(data), isBinary });
        provider.onMessage(side, String(data));
      });
      opened.on('close', (code, reason) => {
        side.closed = { code, reason: reason.toString() };
      });
      provider.onOpen(side);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(provider, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}
