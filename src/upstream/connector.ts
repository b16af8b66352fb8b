import { type LookupOptions, lookup } from 'node:dns';
import type { LookupFunction, OnReadOpts, Socket } from 'node:net';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import type { UpstreamSettings } from '../config/server/upstream.ts';
import { withoutBrackets } from '../core/host-name.ts';
import { isMetadataAddress } from '../core/metadata-address.ts';
import type { Connection } from '../providers/provider.ts';
import { directRead } from './direct-read.ts';
import { proxyFor } from './proxy-choice.ts';
import { isPublicAddress } from './public-address.ts';
import { openTunnel } from './tunnel.ts';
import { buildConnector } from './undici-client.ts';

type Connector = ReturnType<typeof buildConnector>;

/**
 * Opens connections to providers, directly or through a proxy, and trusts the configured authorities. The constructor reads
 * them, which takes some 100 ms with private ones: on the way of an exchange every other exchange would wait.
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

  /**
   * The connector that undici's `connect` takes. `timeoutMs` bounds the connection, the tunnel and TLS each; 0: no limit.
   * `reads`: whether the socket is read into our buffer (direct-read.ts), or as a stream of Node's.
   */
  to(connection: Connection, timeoutMs: number, reads: 'directly' | 'as a stream' = 'directly'): Connector {
    const { tls } = connection;
    const onread = reads === 'directly' ? { onread: directRead } : undefined;
    const proxy = proxyFor(connection, this.#settings);
    const connect = buildConnector({
      // HTTP/2 showed no gain on loopback and multiplexes failures.
      allowH2: false,
      timeout: timeoutMs,
      ...onread,
      ...(this.#secureContext && tls?.ca === undefined && { secureContext: this.#secureContext }),
      ...(tls && { rejectUnauthorized: tls.rejectUnauthorized, ca: tls.ca }),
      ...(connection.guarded && { lookup: connection.guarded === 'public' ? publicLookup : guardedLookup }),
    });
    return proxy === undefined ? connect : this.#through(proxy, connect, timeoutMs, onread);
  }

  /** Whether its sockets are read into a buffer of ours (direct-read.ts). */
  readsDirectly(connection: Connection): boolean {
    return proxyFor(connection, this.#settings) === undefined || connection.origin.startsWith('http:');
  }

  /**
   * Within a tunnel an http:// provider is read directly as well (direct-read.ts); an https:// one goes through the queue
   * of Node's streams, since Node reads into a buffer of ours only where it made the socket of a TLS connection itself.
   */
  #through(
    proxy: string,
    connect: Connector,
    timeoutMs: number,
    onread: { onread: OnReadOpts } | undefined,
  ): Connector {
    const secureContext = this.#secureContext;
    return (options, callback) => {
      const { protocol, hostname } = options;
      const secure = protocol === 'https:';
      const host = withoutBrackets(hostname);
      const port = Number(options.port) || (secure ? 443 : 80);
      const tunnel = { proxy, host, port, timeoutMs, secureContext, ...(!secure && onread) };
      openTunnel(tunnel, (error, socket: Socket | null) => {
        if (error || socket === null) callback(error ?? new Error('no tunnel'), null);
        else if (secure) connect({ ...options, httpSocket: socket }, callback);
        else callback(null, socket);
      });
    };
  }
}

/** The look-up of the connection itself is checked: an earlier one might have had another answer. */
const guardedLookup = lookupWithin('not-metadata', 'a metadata address');
const publicLookup = lookupWithin('public', 'an address that is not public');

/** Whether a literal address, not a name, may be reached. */
export function mayReach(address: string, reach: 'not-metadata' | 'public'): boolean {
  return reach === 'public' ? isPublicAddress(address) : !isMetadataAddress(address);
}

function lookupWithin(reach: 'not-metadata' | 'public', what: string): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true } as LookupOptions & { all: true }, (error, addresses) => {
      const refused = addresses?.find(({ address }) => !mayReach(address, reach));
      if (error) callback(error, '', 0);
      else if (refused) callback(Object.assign(new Error(what), { code: 'EHOSTUNREACH' }), '', 0);
      else if (options.all) callback(null, addresses);
      else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
    });
  };
}
