import type { GatewayError } from '../../core/errors.ts';
import { providerError } from '../base/provider-error.ts';
import { readProviderFault } from '../base/provider-fault.ts';
import type { Target } from '../provider.ts';

/** `{message, id, error_type}`. https://docs.cohere.com/reference/errors */
export function toError(status: number | undefined, body: Buffer, target: Target): GatewayError {
  return providerError(status, readProviderFault(body), target);
}
