import type { Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { Limits, Timeouts } from '../config/server/limits.ts';
import type { UpstreamSettings } from '../config/server/upstream.ts';
import { withoutBrackets } from '../core/host-name.ts';
import type { Connection } from '../providers/provider.ts';
import { Connectors } from './connector.ts';
import { readDirectly } from './direct-read.ts';
import { HeadLines } from './head-lines.ts';
import type { OriginAccess } from './origin-connection.ts';
import { KEEP_ALIVE_MS, OriginPool } from './origin-pool.ts';
import { RequestHeads } from './request-head.ts';
import { servedBefore } from './served-before.ts';
import type { UnaskedContinue } from './unasked-continue.ts';
import { Client } from './undici-client.ts';

/** After our own connect timeout, how long undici may still try to open a connection. */
const CONNECT_GRACE_MS = 1_000;

/** No proxy, and no authority but the public ones. */
const DIRECT: UpstreamSettings = { proxies: {}, noProxy: [] };

/**
 * This relay thread's pools, by origin and credential: accounts with different credentials never share a connection.
 * Bounded by limits.max_upstream_connections each.
 */
export class OriginPools {
  readonly #pools = new Map<string, OriginPool>();
  /** Pools by the object as well: to make and hash the key for each exchange would cost more than the rest of the choice. */
  #known = new WeakMap<Connection, OriginPool>();
  #limits: Limits;
  #timeouts: Timeouts;
  #upstream: UpstreamSettings;
  #connectors: Connectors;

  constructor(limits: Limits, timeouts: Timeouts, upstream = DIRECT) {
    this.#limits = limits;
    this.#timeouts = timeouts;
    this.#upstream = upstream;
    this.#connectors = new Connectors(upstream);
  }

  get(connection: Connection): OriginPool {
    let pool = this.#known.get(connection);
    if (pool) return pool;
    const key = keyOf(connection);
    pool = this.#pools.get(key);
    if (!pool) {
      const { maxUpstreamConnections, maxUpstreamQueue } = this.#limits;
      pool = new OriginPool(this.#access(connection), maxUpstreamConnections, maxUpstreamQueue);
      this.#pools.set(key, pool);
    }
    this.#known.set(connection, pool);
    return pool;
  }

  /** The connector for a connection outside of any pool, which is read as a stream of Node's. */
  connector(connection: Connection): ReturnType<Connectors['to']> {
    return this.#connectors.to(connection, this.#timeouts.connectMs, 'as a stream');
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

  /** After a reload: pools that no target uses, or whose limits or proxy changed, close when their attempts are over. */
  reconfigure(limits: Limits, timeouts: Timeouts, inUse: Iterable<Connection>, upstream = this.#upstream): void {
    const rerouted = !isDeepStrictEqual(upstream, this.#upstream);
    if (rerouted) this.#connectors = new Connectors(upstream);
    this.#upstream = upstream;
    const changed =
      rerouted ||
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

  #access(connection: Connection): OriginAccess {
    const connectMs = this.#timeouts.connectMs;
    const connect = this.#connectors.to(connection, connectMs === 0 ? 0 : connectMs + CONNECT_GRACE_MS);
    const origin = new URL(connection.origin);
    const { host, hostname, protocol, port } = origin;
    const where = { host, hostname: withoutBrackets(hostname), protocol, port };
    return {
      heads: new RequestHeads(host),
      lines: new HeadLines(),
      connect: this.#connectors.readsDirectly(connection)
        ? (opened) =>
            connect(where, (error, socket) => {
              // TypeScript's types of undici say null; it is undefined.
              const opening = (socket ?? undefined) as Socket | undefined;
              opening?.setNoDelay(true);
              opened(error ?? undefined, opening);
            })
        : undefined,
      client: (heads, takeOver) =>
        new Client(origin, {
          // The pool gives one request at a time. With 1, undici would hold back a second; with 2 it saves one turn of the
          // loop after each answer, which showed no gain.
          pipelining: 1,
          allowH2: false,
          keepAliveTimeout: KEEP_ALIVE_MS,
          // The four waits are ours: one sweep, no timer per attempt.
          headersTimeout: 0,
          bodyTimeout: 0,
          connect: (options, callback) => {
            const given = takeOver();
            if (given !== undefined) {
              watch(given, heads);
              // undici looks at its queue when it hears of a connection, but not from within asking for one.
              process.nextTick(callback, null, given);
              return;
            }
            connect(options, (error, socket) => {
              if (error) {
                callback(error, null);
                return;
              }
              watch(socket as Socket, heads);
              callback(null, socket as Socket);
            });
          },
        }),
    };
  }
}

/** undici does not say whether a failed connection had served before: it had, if it had brought bytes. */
function watch(socket: Socket, heads: UnaskedContinue): void {
  socket.setNoDelay(true);
  readDirectly(socket, heads);
  // A proxy has answered on it before.
  const before = socket.bytesRead;
  socket.on('error', (error) => servedBefore(error, socket.bytesRead > before));
}

function keyOf(connection: Connection): string {
  const { origin, credential, proxy = '', tls, guarded } = connection;
  const key = tls
    ? `${origin} ${credential} ${proxy} ${tls.rejectUnauthorized} ${tls.ca ?? ''}`
    : `${origin} ${credential} ${proxy}`;
  return guarded ? `${key} guarded ${guarded}` : key;
}
