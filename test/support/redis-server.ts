import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBinary, freePort, type ServerProcess, skipWithout, startServer } from './server-process.ts';

const binary = findBinary('redis-server');

/** Why tests that need Redis are skipped; false: they run. */
export const redisSkip = skipWithout('redis-server', binary);

export interface RedisServer extends ServerProcess {
  /** `redis://127.0.0.1:PORT/0` */
  readonly url: string;
}

/** An empty Redis on a port of its own, which forgets all when it is stopped. One a test file: starting takes some 100 ms. */
export async function startRedis(...more: string[]): Promise<RedisServer> {
  if (binary === undefined) throw new Error('redis-server is not installed');
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-redis-'));
  const server = await startServer({
    binary,
    arguments: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...more],
    port,
    folder,
    stopSignal: 'SIGTERM',
    answers: () => ping(port),
  });
  return { ...server, url: `redis://127.0.0.1:${port}/0` };
}

async function ping(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(2000) });
    socket.write('PING\r\n');
    const [answer] = await once(socket, 'data', { signal: AbortSignal.timeout(2000) });
    // With a password it says NOAUTH: it is there. While it loads it says LOADING.
    if (!/^(\+PONG|-NOAUTH)/.test(String(answer))) throw new Error(`Redis says ${answer}`);
  } finally {
    socket.destroy();
  }
}
