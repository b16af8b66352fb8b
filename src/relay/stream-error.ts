import type { GatewayError } from '../core/errors.ts';
import type { Target, Wire } from '../providers/provider.ts';

/**
 * A provider's error inside a 200, in place of an answer or in the middle of it, as our error. It takes the way of all other
 * failures to client, log and ledger. `status`: the HTTP status that it stands for, where that is known.
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
