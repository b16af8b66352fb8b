import type { Socket } from 'node:net';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import type { UpstreamSettings } from '../config/configuration.ts';
import type { Connection } from '../providers/provider.ts';
import { directRead } from './direct-read.ts';
import { proxyFor } from './proxy-choice.ts';
import { openTunnel } from './tunnel.ts';
import { buildConnector } from './undici-client.ts';

type Connector = ReturnType<typeof buildConnector>;

/**
 * Opens connections to providers: directly or through a proxy, trusting the authorities that are configured. Those are
 * read when this is made, which takes some 100 ms with private ones: on the way of an exchange every other would wait.
 */
export class Connectors {
  readonly #settings: UpstreamSettings;
  /** Only with private authorities; else Node's own context costs nothing. */
  readonly #secureContext: SecureContext | undefined;

  constructor(settings: UpstreamSettings) {
    this.#settings = settings;
    const { ca } = settings;
    if (ca !== undefined) this.#secureContext = createSecureContext({ ca: [...getCACertificates('default'), ca] });
  }

  /** For undici's `connect`. `timeoutMs`: for the connection, the tunnel and TLS each; 0: no limit. */
  to(connection: Connection, timeoutMs: number): Connector {
    const { tls } = connection;
    const proxy = proxyFor(connection, this.#settings);
    const connect = buildConnector({
      // HTTP/2 showed no gain on loopback and multiplexes failures.
      allowH2: false,
      timeout: timeoutMs,
      onread: directRead,
      ...(this.#secureContext && tls?.ca === undefined && { secureContext: this.#secureContext }),
      ...(tls && { rejectUnauthorized: tls.rejectUnauthorized, ca: tls.ca }),
    });
    return proxy === undefined ? connect : this.#through(proxy, connect, timeoutMs);
  }

  /**
   * Within a tunnel an http:// provider is read directly as well (direct-read.ts); an https:// one goes through the queue
   * of Node's streams, since Node reads into a buffer of ours only where it made the socket of a TLS connection itself.
   */
  #through(proxy: string, connect: Connector, timeoutMs: number): Connector {
    const secureContext = this.#secureContext;
    return (options, callback) => {
      const { protocol, hostname } = options;
      const secure = protocol === 'https:';
      const host = hostname.replace(/^\[(.*)\]$/, '$1');
      const port = Number(options.port) || (secure ? 443 : 80);
      const tunnel = { proxy, host, port, timeoutMs, secureContext, ...(!secure && { onread: directRead }) };
      openTunnel(tunnel, (error, socket: Socket | null) => {
        if (error || socket === null) callback(error ?? new Error('no tunnel'), null);
        else if (secure) connect({ ...options, httpSocket: socket }, callback);
        else callback(null, socket);
      });
    };
  }
}
