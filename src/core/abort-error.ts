import { GatewayError } from './errors.ts';
import type { AbortReason } from './exchange.ts';

const RETRY_AFTER_MS = 1_000;

/** The error of an exchange that was aborted: a client that left is told nothing, and a drained one is told to ask again. */
export function abortError(reason: AbortReason): GatewayError {
  if (reason === 'drain') return new GatewayError('draining', { retryAfterMs: RETRY_AFTER_MS });
  return new GatewayError(reason === 'client' ? 'client_closed' : 'write_timeout');
}
