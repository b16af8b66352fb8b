import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { selfSigned } from './certificate.ts';
import { startConnectProxy } from './connect-proxy.ts';

export interface OutsideRequest {
  readonly host: string;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface OutsideHosts {
  /** `upstream` of the server settings: the only way to these hosts. */
  readonly upstream: object;
  /** All that came, in order. */
  readonly requests: OutsideRequest[];
  /** Those to one host. */
  to(host: string): OutsideRequest[];
}

/**
 * Hosts of a cloud under their own names, on one https socket of this machine: behind a proxy that alone knows where they
 * are, and with a certificate of a private authority. A request that goes another way fails.
 */
export async function outsideHosts(
  t: TestContext,
  hosts: readonly string[],
  answer: (request: OutsideRequest, response: ServerResponse) => void,
): Promise<OutsideHosts> {
  const { key, cert, certFile } = await selfSigned(t, ...hosts.map((host) => `DNS:${host}`));
  const requests: OutsideRequest[] = [];
  const server = createServer({ key, cert }, (incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { method = '', url: path = '', headers } = incoming;
      const request = { host: headers.host ?? '', method, path, headers, body: Buffer.concat(chunks).toString() };
      requests.push(request);
      answer(request, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const proxy = await startConnectProxy({ ports: Object.fromEntries(hosts.map((host) => [host, port])) });
  t.after(async () => {
    await proxy[Symbol.asyncDispose]();
    server.closeAllConnections();
    server.close();
  });
  return {
    upstream: { proxy: proxy.address, ca_file: certFile },
    requests,
    to: (host) => requests.filter((request) => request.host === host),
  };
}
