import type { GatewayError } from '../../core/errors.ts';
import type { Target } from '../provider.ts';
import { providerError } from './provider-error.ts';
import { readProviderFault } from './provider-fault.ts';

export function toError(status: number, body: Buffer, target: Target): GatewayError {
  return providerError(status, readProviderFault(body), target);
}
