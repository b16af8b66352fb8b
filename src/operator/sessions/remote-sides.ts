import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { addressBytes, type RemoteSide, TrustedProxies } from '../../edge/client-address.ts';

/** The caller: the other end of the connection, or the client behind a proxy of `listen.trusted_proxies`. */
export class RemoteSides {
  readonly #proxies: TrustedProxies;

  constructor(trustedProxies: readonly string[]) {
    this.#proxies = new TrustedProxies(trustedProxies);
  }

  /** The side by whose address guesses are counted. */
  of(request: IncomingMessage): RemoteSide {
    return this.#proxies.sideOf(peerOf(request), forwardedFor(request));
  }

  textOf(request: IncomingMessage): string {
    return this.#proxies.addressOf(peerOf(request), forwardedFor(request));
  }
}

function peerOf({ socket }: IncomingMessage): RemoteSide {
  const address = (socket.remoteAddress ?? '').split('%')[0] ?? '';
  return { getRemoteAddress: () => (isIP(address) === 0 ? new ArrayBuffer(4) : addressBytes(address)) };
}

function forwardedFor({ headers: { 'x-forwarded-for': written } }: IncomingMessage): string | undefined {
  return Array.isArray(written) ? written.join(',') : written;
}
