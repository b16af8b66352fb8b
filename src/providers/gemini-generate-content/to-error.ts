import { GatewayError } from '../../core/errors.ts';
import { providerError } from '../base/provider-error.ts';
import { readProviderFault } from '../base/provider-fault.ts';
import type { Target } from '../provider.ts';

/** https://google.aip.dev/193. A refused key is told with status 400, as if it were the client's fault. */
export function toError(status: number, body: Buffer, target: Target): GatewayError {
  const fault = readProviderFault(body);
  const refusedKey = status === 400 && /^api key (not valid|expired)/i.test(fault.message ?? '');
  const error = providerError(refusedKey ? 401 : status, fault, target);
  const retryAfterMs = status === 429 || status === 503 ? retryDelayMs(body) : undefined;
  return retryAfterMs === undefined ? error : new GatewayError(error.code, { ...error.context, retryAfterMs });
}

/** Milliseconds that `google.rpc.RetryInfo` asks to wait; undefined where it says nothing. */
function retryDelayMs(body: Buffer): number | undefined {
  const seconds = /"retryDelay"\s*:\s*"(\d{1,9}(?:\.\d{1,9})?)s"/.exec(body.toString('latin1'))?.[1];
  return seconds === undefined ? undefined : Math.ceil(Number(seconds) * 1000);
}
