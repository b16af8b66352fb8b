import type { GatewayError } from '../core/errors.ts';
import type { Target, Wire } from '../providers/provider.ts';

/**
 * What a provider says inside a 200, instead of an answer or in the midst of it, as our error: the one way its words
 * take from there to client, log and ledger, and the same that its other failures take. `status`: what it would have
 * been, where somebody knows.
 */
export function streamError(error: unknown, wire: Wire, target: Target, status?: number): GatewayError {
  return wire.toError(status, Buffer.from(written({ error })), target);
}

function written(value: object): string {
  try {
    return JSON.stringify(value);
  } catch {
    // Nested deeper than it can be walked: that it failed is all that can be told.
    return '{}';
  }
}
