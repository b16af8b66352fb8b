import { type ErrorCode, GatewayError } from '../../core/errors.ts';
import type { Target } from '../provider.ts';
import type { ProviderFault } from './provider-fault.ts';

/** Its verdict on the client's own request: status and words pass. */
const PASSED_STATUSES: ReadonlySet<number> = new Set([400, 404, 409, 413, 415, 422]);
/** SDKs try again by themselves on 5xx; another try with the same credential is refused as well. */
const NO_RETRY = ['x-should-retry', 'false'];

/**
 * What a provider says instead of an answer, as our error: the one place where its statuses get their meaning, and where
 * its words lose what they quote of the account's credentials. 401, 402 and 403 are about *our* credential: their words
 * are for the operator (log, receipt) and never for the client.
 * `status` undefined: told inside a 200, in words that stand for none.
 */
export function providerError(status: number | undefined, said: ProviderFault, target: Target): GatewayError {
  const fault = redacted(said, target);
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
    return new GatewayError('upstream_credential', {
      target: target.id,
      upstreamStatus: status,
      detail: `\`${target.id}\` was asked.`,
      operatorDetail: operatorDetail(status, fault),
      providerWords: true,
      headers: NO_RETRY,
    });
  }
  const code: ErrorCode = status === 503 || status === 529 ? 'upstream_overloaded' : 'upstream_failed';
  return new GatewayError(code, { ...words(fault, target), detail: fault.message ?? `It answered ${status}.` });
}

function redacted(said: ProviderFault, target: Target): ProviderFault {
  const credentials = new Set([...target.mounts.values()].flat().map(({ credential }) => credential));
  const clean = (text: string | undefined): string | undefined => {
    let words = text;
    for (const credential of credentials) words &&= credential.redact(words);
    return words;
  };
  const { message, type, code, param, status } = said;
  return { message: clean(message), type: clean(type), code: clean(code), param: clean(param), status };
}

function words(fault: ProviderFault, target: Target) {
  return {
    detail: fault.message,
    param: fault.param,
    upstreamType: fault.type,
    upstreamCode: fault.code,
    target: target.id,
    providerWords: true as const,
  };
}

function operatorDetail(status: number, { message, type, code }: ProviderFault): string {
  const kinds = [type, code].filter((each) => each !== undefined).join(', ');
  return `The provider answered ${status}${kinds === '' ? '' : ` (${kinds})`}: ${message ?? 'no reason given'}`;
}
