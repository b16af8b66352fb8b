import { createServer, type ListenOptions } from 'node:net';

export interface ClaimedPort {
  readonly port: number;
  /** Relay threads listen, or never will. */
  release(): void;
}

export type Claim = ClaimedPort | { readonly reason: string };

/**
 * Takes the port for a moment without sharing it: relay threads share theirs (SO_REUSEPORT), so two gateways on one
 * port would each get some of the requests without noticing. Fails while anybody listens there.
 *
 * Port 0 finds a free one. Until relay threads listen it is held beside them, where the system can share ports: whoever else
 * asks for a free port would be given the same.
 */
export async function claimPort(host: string, port: number): Promise<Claim> {
  if (port === 0) {
    const held = await listen({ host, port, reusePort: true });
    if ('port' in held) return held;
  }
  const claim = await listen({ host, port, exclusive: true });
  if (!('port' in claim)) return claim;
  await claim.released();
  return claim;
}

function listen(
  options: ListenOptions,
): Promise<(ClaimedPort & { released(): Promise<void> }) | { readonly reason: string }> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      resolve({ reason: error.code === 'EADDRINUSE' ? IN_USE : `${error.message}; check listen.host and listen.port` });
    });
    server.listen(options, () => {
      const address = server.address();
      const port = address !== null && typeof address === 'object' ? address.port : (options.port ?? 0);
      const released = (): Promise<void> => new Promise((done) => server.close(() => done()));
      resolve({ port, released, release: () => server.close() });
    });
  });
}

const IN_USE =
  'the port is in use: another gateway may be running; stop it, or choose another port with `--port N` or `listen.port`';
