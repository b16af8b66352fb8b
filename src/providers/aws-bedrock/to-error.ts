import type { GatewayError } from '../../core/errors.ts';
import { providerError } from '../base/provider-error.ts';
import { readProviderFault } from '../base/provider-fault.ts';
import type { Target } from '../provider.ts';

/** https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html */
const STATUS_OF_TYPE: ReadonlyMap<string, number> = new Map([
  ['validationexception', 400],
  ['accessdeniedexception', 403],
  ['resourcenotfoundexception', 404],
  ['throttlingexception', 429],
  ['servicequotaexceededexception', 429],
  ['modelerrorexception', 424],
  ['modelstreamerrorexception', 424],
  ['modeltimeoutexception', 504],
  ['modelnotreadyexception', 503],
  ['internalserverexception', 500],
  ['serviceunavailableexception', 503],
]);

/** Within a stream there is no status, only the type of the exception. */
export function statusOfType(type: string): number {
  return STATUS_OF_TYPE.get(type.toLowerCase()) ?? 500;
}

/** A refused signature is told with 400 by some of AWS's front doors. Signatures of reasoning are the client's own. */
const REFUSED_CREDENTIAL = /security token|request signature we calculated|^signature (expired|not yet)/i;

export function toError(status: number | undefined, body: Buffer, target: Target): GatewayError {
  const fault = readProviderFault(body);
  const credential = status === 400 && REFUSED_CREDENTIAL.test(fault.message ?? '');
  return providerError(credential ? 403 : status, fault, target);
}
