import { createServer as createHttp, type IncomingMessage } from 'node:http';
import { createServer as createHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';

export interface Export {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface Collector extends AsyncDisposable {
  readonly port: number;
  readonly exports: Export[];
  /** Status of the answers from now on; of gRPC the status of the call. */
  status: number;
}

/** Takes what is exported over HTTP/1.1, and keeps it. */
export async function startCollector(): Promise<Collector> {
  const server = createHttp(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    collector.exports.push({ path: request.url ?? '', headers: request.headers, body });
    response.writeHead(collector.status, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const collector: Collector = {
    port: (server.address() as AddressInfo).port,
    exports: [],
    status: 200,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return collector;
}

/** The same over gRPC; `body` is the message without its prefix. */
export async function startGrpcCollector(): Promise<Collector> {
  const server = createHttp2();
  server.on('stream', async (stream, headers) => {
    const body = Buffer.concat(await stream.toArray()).subarray(5);
    collector.exports.push({ path: headers[':path'] ?? '', headers, body });
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(collector.status) }));
    stream.end(Buffer.alloc(5));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const collector: Collector = {
    port: (server.address() as AddressInfo).port,
    exports: [],
    status: 0,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return collector;
}
