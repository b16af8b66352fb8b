import type { GatewayError } from '../../core/errors.ts';
import { providerError } from '../base/provider-error.ts';
import { readProviderFault } from '../base/provider-fault.ts';
import type { Target } from '../provider.ts';

/** How xAI and Gemini begin when they refuse a key: with status 400, as if it were the client's fault. */
const REFUSED_KEY = /^(incorrect|invalid) api key|^api key not valid/i;

/** Types and codes that are told inside streams, where no status stands beside them. */
const STATUS_OF_WORD: ReadonlyMap<string, number> = new Map([
  ['invalid_request_error', 400],
  ['context_length_exceeded', 400],
  ['content_filter', 400],
  ['invalid_prompt', 400],
  ['BadRequestError', 400],
  ['authentication_error', 401],
  ['permission_error', 403],
  ['rate_limit_exceeded', 429],
  ['rate_limit_error', 429],
  ['insufficient_quota', 429],
  ['service_unavailable', 503],
  ['server_is_overloaded', 503],
  ['slow_down', 503],
  ['overloaded_error', 529],
]);

/** The HTTP status that a code or type in a stream stands for; undefined: none is known. */
export function statusOfWord(word: string | undefined): number | undefined {
  return word === undefined ? undefined : STATUS_OF_WORD.get(word);
}

export function toError(told: number | undefined, body: Buffer, target: Target): GatewayError {
  const fault = readProviderFault(body);
  const { code = '', type = '' } = fault;
  const own = target.faultStatuses?.get(code) ?? target.faultStatuses?.get(type);
  const status = own ?? told ?? fault.status ?? statusOfWord(code) ?? statusOfWord(type);
  const mayBeKey = status === 400 || status === undefined;
  return providerError(mayBeKey && REFUSED_KEY.test(fault.message ?? '') ? 401 : status, fault, target);
}
