import type { ErrorCode, GatewayError } from '../core/errors.ts';
import type { AnswerHeaders } from '../core/http-client.ts';

/**
 * The party that a failed attempt is held against. `nobody`: the request itself, or the gateway, or a wait that the client set;
 * `limited`: the credential's use of this model, until an instant.
 */
export type Blamed = 'nobody' | 'credential' | 'limited' | 'target';

/** Failures that no status of the provider tells of. */
const TARGET_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'connect_failed',
  'connect_timeout',
  'first_byte_timeout',
  'idle_timeout',
  'upstream_cut',
  'upstream_protocol',
  'upstream_stream_error',
]);

/** Statuses that an error stands for which was told inside of a 200. */
const STATUS_OF: Partial<Record<ErrorCode, number>> = {
  upstream_credential: 401,
  upstream_rate_limited: 429,
  upstream_overloaded: 503,
  upstream_failed: 500,
};

/** The provider's own status, before it was mapped to ours; undefined: it told none. `answered`: of its head. */
export function providerStatus(answered: number, error: GatewayError): number | undefined {
  if (answered >= 300) return answered;
  const { upstreamStatus, status } = error.context;
  return upstreamStatus ?? (error.code === 'upstream_rejected' ? status : STATUS_OF[error.code]);
}

export function blamed(error: GatewayError, status: number | undefined): Blamed {
  if (status === undefined) return TARGET_CODES.has(error.code) ? 'target' : 'nobody';
  if (status === 401 || status === 402 || status === 403) return 'credential';
  if (status === 429) return 'limited';
  return status >= 500 || status === 408 ? 'target' : 'nobody';
}

/** Behind the statuses, which are their own numbers. */
const FIRST_CODE = 1000;
const CODES = [...TARGET_CODES];

/** Why something is out, as a number that fits into shared memory. */
export function reasonNumber(error: GatewayError, status: number | undefined): number {
  return status ?? FIRST_CODE + Math.max(0, CODES.indexOf(error.code));
}

export function reasonText(reason: number): string {
  return reason >= FIRST_CODE ? (CODES[reason - FIRST_CODE] ?? 'failed') : `status ${reason}`;
}

const MAX_WAIT_MS = 3_600_000;
/** How long a provider waits that does not say so. */
const DEFAULT_WAIT_MS = 1_000;

/** When a provider wants to be asked again, in milliseconds from now, at most an hour; undefined: it does not say. */
export function retryAfterMs(headers: AnswerHeaders, wallMs: number): number | undefined {
  const ms = Number(first(headers['retry-after-ms']) ?? Number.NaN);
  if (Number.isFinite(ms) && ms >= 0) return Math.min(ms, MAX_WAIT_MS);
  const text = first(headers['retry-after']);
  if (text === undefined) return undefined;
  const seconds = Number(text);
  const waitMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - wallMs;
  return Number.isFinite(waitMs) ? Math.min(Math.max(0, waitMs), MAX_WAIT_MS) : undefined;
}

export function limitedForMs(headers: AnswerHeaders, wallMs: number): number {
  return retryAfterMs(headers, wallMs) ?? DEFAULT_WAIT_MS;
}

function first(value: string | string[] | undefined): string | undefined {
  return typeof value === 'object' ? value[0] : value;
}
