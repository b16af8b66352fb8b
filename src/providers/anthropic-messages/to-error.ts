import type { GatewayError } from '../../core/errors.ts';
import { providerError } from '../base/provider-error.ts';
import { readProviderFault } from '../base/provider-fault.ts';
import type { Target } from '../provider.ts';

/** https://platform.claude.com/docs/en/api/errors */
const STATUS_OF_TYPE: ReadonlyMap<string, number> = new Map([
  ['invalid_request_error', 400],
  ['authentication_error', 401],
  ['billing_error', 402],
  ['permission_error', 403],
  ['not_found_error', 404],
  ['conflict_error', 409],
  ['request_too_large', 413],
  ['rate_limit_error', 429],
  ['api_error', 500],
  ['timeout_error', 504],
  ['overloaded_error', 529],
]);

/** Inside a stream there is no status, only the type. */
export function statusOfType(type: string): number {
  return STATUS_OF_TYPE.get(type) ?? 500;
}

export function toError(told: number | undefined, body: Buffer, target: Target): GatewayError {
  const fault = readProviderFault(body);
  const status = told ?? fault.status ?? STATUS_OF_TYPE.get(fault.type ?? '');
  // An empty balance is told as 400 invalid_request_error. Passed on, the client would look for a fault of its own.
  const balance = status === 400 && fault.message?.includes('credit balance is too low') === true;
  return providerError(balance ? 402 : status, fault, target);
}
