import { createServer } from 'node:net';

export type Claim = { port: number } | { reason: string };

/**
 * Takes the port for a moment without sharing it: relay threads share theirs (SO_REUSEPORT), so two gateways on one
 * port would each get some of the requests without noticing. Fails while anybody listens there. Port 0: finds a free one.
 */
export function claimPort(host: string, port: number): Promise<Claim> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      resolve({ reason: error.code === 'EADDRINUSE' ? 'the port is in use' : error.message });
    });
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      const claimed = address !== null && typeof address === 'object' ? address.port : port;
      server.close(() => resolve({ port: claimed }));
    });
  });
}
