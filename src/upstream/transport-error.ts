import { GatewayError } from '../core/errors.ts';
import { connectWords, isConnectFault } from './connect-fault.ts';
import { PROXY_FAULT } from './tunnel.ts';

export const UNASKED_SWITCH = 'It switched to another protocol, which nobody had asked for.';
/** The message of undici's error for a 101 with an `upgrade` header. */
const BAD_UPGRADE = 'bad upgrade';
const CONNECT_TIMEOUT = 'UND_ERR_CONNECT_TIMEOUT';
/** This machine or process has run out of something: the provider is not at fault. */
const OWN_CODES = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL']);

/** undici's own checks refused the request before undici took it. */
export function isRefusedByUndici(error: Error): boolean {
  return Reflect.get(error, 'code') === 'UND_ERR_INVALID_ARG';
}

/** An error of a connection to a provider as an error of ours. `answered`: a byte of an answer had come. */
export function transportError(error: Error, answered: boolean): GatewayError {
  const code: unknown = Reflect.get(error, 'code');
  const detail = typeof code === 'string' ? `(${code})` : undefined;
  const proxyFault: unknown = Reflect.get(error, PROXY_FAULT);
  if (typeof proxyFault === 'string') {
    return new GatewayError(code === CONNECT_TIMEOUT ? 'connect_timeout' : 'connect_failed', {
      detail: `(${proxyFault})`,
      cause: error,
    });
  }
  if (code === CONNECT_TIMEOUT) return new GatewayError('connect_timeout', { cause: error });
  if (typeof code === 'string' && !answered && isConnectFault(code)) {
    return new GatewayError('connect_failed', { detail: connectWords(code) ?? detail, cause: error });
  }
  if (typeof code === 'string' && OWN_CODES.has(code) && !answered) {
    return new GatewayError('out_of_sockets', { detail, retryAfterMs: 1000, cause: error });
  }
  if (error.message === BAD_UPGRADE) {
    return new GatewayError('upstream_protocol', { detail: UNASKED_SWITCH, cause: error });
  }
  if (error.name === 'HTTPParserError' || code === 'UND_ERR_HEADERS_OVERFLOW') {
    return new GatewayError('upstream_protocol', { detail, cause: error });
  }
  // The provider is not at fault: our request cannot be sent, or undici's own checks failed on the answer.
  if (isRefusedByUndici(error)) return new GatewayError('internal_error', { cause: error });
  if (code === 'ERR_ASSERTION') return new GatewayError('upstream_protocol', { cause: error });
  return new GatewayError('upstream_cut', { detail, cause: error });
}
