import type { GatewayError } from '../../core/errors.ts';
import { providerError } from '../base/provider-error.ts';
import { readProviderFault } from '../base/provider-fault.ts';
import type { Target } from '../provider.ts';

/** How xAI and Gemini begin when they refuse a key: with status 400, as if it were the client's fault. */
const REFUSED_KEY = /^(incorrect|invalid) api key|^api key not valid/i;

export function toError(status: number, body: Buffer, target: Target): GatewayError {
  const fault = readProviderFault(body);
  return providerError(status === 400 && REFUSED_KEY.test(fault.message ?? '') ? 401 : status, fault, target);
}
