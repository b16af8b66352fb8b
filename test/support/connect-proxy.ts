import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

export interface ConnectProxy extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly address: string;
  readonly port: number;
  /** What was asked for, in order: `provider.test:443`. */
  readonly tunnels: string[];
  /** Heads of those requests, with the credential. */
  readonly requests: IncomingMessage[];
}

export interface ConnectProxyOptions {
  /** Where names lead that only the proxy knows; all else goes where it says. */
  readonly ports?: Readonly<Record<string, number>>;
  /** Writes the answer itself, in place of a tunnel. */
  readonly answer?: (socket: Socket) => void;
}

/** A small HTTP proxy for CONNECT, on loopback: it opens tunnels to ports of this machine and nowhere else. */
export async function startConnectProxy({ ports = {}, answer }: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const tunnels: string[] = [];
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on('connect', (request: IncomingMessage, stream, head: Buffer) => {
    const client = stream as Socket;
    const authority = request.url ?? '';
    tunnels.push(authority);
    requests.push(request);
    client.on('error', () => {});
    if (answer) {
      answer(client);
      return;
    }
    const [, name = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(authority) ?? [];
    const provider = connect(ports[name] ?? Number(port), '127.0.0.1');
    sockets.add(provider);
    provider.on('error', () => client.destroy());
    provider.on('connect', () => {
      client.write('HTTP/1.1 200 Connection established\r\nvia: 1.1 test\r\n\r\n');
      provider.write(head);
      provider.pipe(client).pipe(provider);
    });
    client.on('close', () => provider.destroy());
  });
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}`,
    port,
    tunnels,
    requests,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
