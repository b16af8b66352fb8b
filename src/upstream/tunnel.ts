import { connect as connectTcp, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import { withoutBrackets } from '../core/host-name.ts';

/** The property of an error that tells clients what a proxy did. It names no address. */
export const PROXY_FAULT = Symbol('what the proxy did');

/** Bytes of a proxy's answer to CONNECT. */
const MAX_HEAD_BYTES = 16_384;

export interface TunnelOptions {
  /** `http://user:password@host:port`; with `https:` the way to the proxy itself is encrypted. */
  readonly proxy: string;
  /** The host at the end of the tunnel. */
  readonly host: string;
  readonly port: number;
  /** Until the proxy has opened it; 0: no limit. */
  readonly timeoutMs: number;
  /** How the socket is read; it takes effect only without TLS, inside the tunnel and outside. */
  readonly onread?: OnReadOpts;
  readonly secureContext?: SecureContext | undefined;
}

type TunnelCallback = (error: Error | null, socket: Socket | null) => void;

/**
 * A TCP connection through an HTTP proxy, by CONNECT (RFC 9110 §9.3.6), for http:// providers as well. The proxy sees neither
 * credential nor request where those are encrypted, and the answer is read as on any other connection.
 * Calls back once; a socket that is handed over has no listener of ours and nothing unread.
 */
export function openTunnel(options: TunnelOptions, callback: TunnelCallback): Socket {
  const proxy = new URL(options.proxy);
  const socket = connectTo(proxy, options);
  const timer = options.timeoutMs > 0 ? setTimeout(onTimeout, options.timeoutMs) : undefined;
  let head = '';

  function settle(error: Error | null): void {
    clearTimeout(timer);
    socket.off('readable', onReadable).off('error', settle).off('end', onEnd);
    if (error) {
      // A late error is ignored; unheard, it would end the thread.
      socket.on('error', () => undefined).destroy();
    }
    callback(error, error ? null : socket);
  }

  function onReadable(): void {
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) head += chunk.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) {
      if (head.length > MAX_HEAD_BYTES) settle(fault(proxy, 'the proxy did not answer in HTTP'));
      return;
    }
    const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(head) ?? [];
    if (status === undefined) settle(fault(proxy, 'the proxy did not answer in HTTP'));
    else if (!status.startsWith('2')) settle(fault(proxy, `the proxy answered ${status}`));
    else if (head.length > end + 4) settle(fault(proxy, 'the proxy sent more than its answer'));
    else settle(null);
  }

  function onEnd(): void {
    settle(fault(proxy, 'the proxy closed the connection'));
  }

  function onTimeout(): void {
    const error = fault(proxy, `the proxy did not answer within ${options.timeoutMs} ms`);
    settle(Object.assign(error, { code: 'UND_ERR_CONNECT_TIMEOUT' }));
  }

  function onConnected(): void {
    socket.write(connectRequest(proxy, options));
  }

  socket.once(proxy.protocol === 'https:' ? 'secureConnect' : 'connect', onConnected);
  socket.on('readable', onReadable).on('end', onEnd).on('error', settle);
  return socket.setNoDelay(true).setKeepAlive(true, 60_000);
}

function connectTo(proxy: URL, { onread, secureContext }: TunnelOptions): Socket {
  const host = withoutBrackets(proxy.hostname);
  const secure = proxy.protocol === 'https:';
  const port = Number(proxy.port) || (secure ? 443 : 80);
  if (!secure) return connectTcp({ host, port, ...(onread && { onread }) });
  return connectTls({ host, port, servername: host, ALPNProtocols: ['http/1.1'], secureContext });
}

function connectRequest(proxy: URL, { host, port }: TunnelOptions): string {
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`];
  if (proxy.username !== '') {
    const credential = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
    lines.push(`Proxy-Authorization: Basic ${Buffer.from(credential).toString('base64')}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function fault(proxy: URL, what: string): Error {
  const error = new Error(`${what} (${proxy.host})`);
  return Object.assign(error, { code: 'ERR_PROXY_TUNNEL', [PROXY_FAULT]: what });
}
