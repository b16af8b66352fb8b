import type { GatewayError } from '../../core/errors.ts';
import type { Target } from '../provider.ts';
import { providerError } from './provider-error.ts';
import { readProviderFault } from './provider-fault.ts';

/** A refused signature is told with 400 by some of AWS's front doors. Signatures of reasoning are the client's own. */
const REFUSED_CREDENTIAL = /security token|request signature we calculated|^signature (expired|not yet)/i;

/** A failure in the words of a service of AWS. */
export function awsError(status: number | undefined, body: Buffer, target: Target): GatewayError {
  const fault = readProviderFault(body);
  const credential = status === 400 && REFUSED_CREDENTIAL.test(fault.message ?? '');
  return providerError(credential ? 403 : status, fault, target);
}
