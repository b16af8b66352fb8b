import { type ErrorCode, GatewayError } from '../../core/errors.ts';
import type { Target } from '../provider.ts';
import type { ProviderFault } from './provider-fault.ts';

/** Its verdict on the client's own request: status and words pass (contract §3). */
const PASSED_STATUSES: ReadonlySet<number> = new Set([400, 404, 409, 413, 415, 422]);

/**
 * A provider's failure as our error: the one place where provider statuses get their meaning. Undefined: told inside a
 * 200, in words that stand for none.
 * 401, 402 and 403 are about *our* credential: their words often quote a part of the key, so they go into `cause`,
 * which only the log sees, and never to the client.
 */
export function providerError(status: number | undefined, fault: ProviderFault, target: Target): GatewayError {
  if (status === undefined) return new GatewayError('upstream_stream_error', words(fault, target));
  if (PASSED_STATUSES.has(status)) {
    return new GatewayError('upstream_rejected', {
      ...words(fault, target),
      detail: fault.message ?? `The provider answered ${status} without a reason.`,
      status,
    });
  }
  if (status === 429) return new GatewayError('upstream_rate_limited', words(fault, target));
  if (status === 401 || status === 402 || status === 403) {
    const { message, type, code } = fault;
    return new GatewayError('upstream_credential', { target: target.id, cause: { status, message, type, code } });
  }
  const code: ErrorCode = status === 503 || status === 529 ? 'upstream_overloaded' : 'upstream_failed';
  return new GatewayError(code, { ...words(fault, target), detail: fault.message ?? `It answered ${status}.` });
}

function words(fault: ProviderFault, target: Target) {
  return {
    detail: fault.message,
    param: fault.param,
    upstreamType: fault.type,
    upstreamCode: fault.code,
    target: target.id,
  };
}
