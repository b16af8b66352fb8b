import type { Socket } from 'node:net';
import type { Client as ClientType } from 'undici';
import type { Limits, Timeouts } from '../config/configuration.ts';
import type { Connection } from '../providers/provider.ts';
import { directRead, readDirectly } from './direct-read.ts';
import { OriginPool } from './origin-pool.ts';
import { buildConnector, Client } from './undici-client.ts';

/** A socket error tells in this property that the connection had brought bytes before. */
export const HAD_SERVED = Symbol('the connection had served before');

/** Keeps an idle connection for less time than providers and load balancers commonly do (60 s and more). */
const KEEP_ALIVE_MS = 30_000;
/** Closes connections that undici still tries to open after our own connect wait gave up on them. */
const CONNECT_GRACE_MS = 1_000;

/**
 * This relay thread's pools, by origin and credential: accounts with different credentials never share a connection.
 * Bounded by limits.max_upstream_connections each.
 */
export class OriginPools {
  readonly #pools = new Map<string, OriginPool>();
  /** By the object too: making and hashing the key for each exchange costs more than all the rest of the choice. */
  #known = new WeakMap<Connection, OriginPool>();
  #limits: Limits;
  #timeouts: Timeouts;

  constructor(limits: Limits, timeouts: Timeouts) {
    this.#limits = limits;
    this.#timeouts = timeouts;
  }

  get(connection: Connection): OriginPool {
    let pool = this.#known.get(connection);
    if (pool) return pool;
    const key = keyOf(connection);
    pool = this.#pools.get(key);
    if (!pool) {
      const { maxUpstreamConnections, maxUpstreamQueue } = this.#limits;
      pool = new OriginPool(this.#clients(connection), maxUpstreamConnections, maxUpstreamQueue);
      this.#pools.set(key, pool);
    }
    this.#known.set(connection, pool);
    return pool;
  }

  /** Connections open now, over all pools. */
  get connected(): number {
    let connected = 0;
    for (const pool of this.#pools.values()) connected += pool.open;
    return connected;
  }

  /** Attempts that wait for a connection, over all pools. */
  get queued(): number {
    let queued = 0;
    for (const pool of this.#pools.values()) queued += pool.waiting;
    return queued;
  }

  /** After a reload: pools that no target uses any more, or whose limits changed, close when their attempts are over. */
  reconfigure(limits: Limits, timeouts: Timeouts, inUse: Iterable<Connection>): void {
    const changed =
      limits.maxUpstreamConnections !== this.#limits.maxUpstreamConnections ||
      limits.maxUpstreamQueue !== this.#limits.maxUpstreamQueue ||
      timeouts.connectMs !== this.#timeouts.connectMs;
    this.#limits = limits;
    this.#timeouts = timeouts;
    this.#known = new WeakMap();
    const keep = new Set<string>();
    if (!changed) for (const connection of inUse) keep.add(keyOf(connection));
    for (const [key, pool] of this.#pools) {
      if (keep.has(key)) continue;
      this.#pools.delete(key);
      pool.close();
    }
  }

  destroy(): void {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    this.#known = new WeakMap();
    for (const pool of pools) pool.destroy();
  }

  #clients(connection: Connection): () => ClientType {
    const connectMs = this.#timeouts.connectMs;
    const connect = buildConnector({
      // HTTP/2 showed no gain on loopback and multiplexes failures.
      allowH2: false,
      timeout: connectMs === 0 ? 0 : connectMs + CONNECT_GRACE_MS,
      onread: directRead,
      ...(connection.tls
        ? { rejectUnauthorized: connection.tls.rejectUnauthorized, ca: connection.tls.ca }
        : undefined),
    });
    const origin = new URL(connection.origin);
    const options: ClientType.Options = {
      // The pool gives one at a time whatever is said here; so undici itself holds a second one back, should it not. With
      // 2 undici goes without one of its turns of the loop after each answer, which showed no gain.
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // The four waits are ours: one sweep, no timer per attempt.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (options, callback) =>
        connect(options, (error, socket) => {
          if (error) {
            callback(error, null);
            return;
          }
          watch(socket as Socket);
          callback(null, socket as Socket);
        }),
    };
    return () => new Client(origin, options);
  }
}

/** undici does not say whether a failed connection had served before; that it had brought bytes does. */
function watch(socket: Socket): void {
  socket.setNoDelay(true);
  readDirectly(socket);
  socket.on('error', (error) => {
    Object.defineProperty(error, HAD_SERVED, { value: socket.bytesRead > 0 });
  });
}

function keyOf(connection: Connection): string {
  const { origin, credential, tls } = connection;
  return tls ? `${origin} ${credential} ${tls.rejectUnauthorized} ${tls.ca ?? ''}` : `${origin} ${credential}`;
}
