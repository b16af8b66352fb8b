import type { ErrorCode, GatewayError } from '../core/errors.ts';
import type { StepRetry } from './route-plan.ts';

export type Decision =
  | { readonly next: 'same-step'; readonly afterMs: number }
  | { readonly next: 'next-step' }
  | { readonly next: 'give-up' };

/** What was tried of the step that failed. */
export interface AttemptHistory {
  readonly retry: StepRetry;
  readonly fallbackStatuses: ReadonlySet<number> | undefined;
  /** The provider's own, before our mapping; undefined: it told none. */
  readonly status: number | undefined;
  /** When the provider wants to be asked again; undefined: it does not say. */
  readonly retryAfterMs: number | undefined;
  /** Those of `retry` that were used. */
  readonly retries: number;
  /** Whether retries are a small enough share of the traffic; asked only where one would follow. */
  mayRetry(): boolean;
  /** From 0 to 1: no two clients come back at the same moment. */
  readonly chance: number;
  /** A reused connection turned out dead before any byte of an answer. */
  readonly diedReused: boolean;
  /** Whether that may be answered with one more try: not by configuration, or not a second time in this exchange. */
  readonly mayRetryReused: boolean;
  /** It was refused for asking for usage, which the client did not; the next attempt does not ask. */
  readonly refusedUsage: boolean;
}

/** The statuses of a step that names none: what tells of the provider rather than of the request. */
export const DEFAULT_RETRY_STATUSES: ReadonlySet<number> = new Set([429, ...serverErrors()]);
export const DEFAULT_FALLBACK_STATUSES: ReadonlySet<number> = new Set([
  401,
  402,
  403,
  404,
  408,
  429,
  ...serverErrors(),
]);

/** What another credential of the same account may answer. */
export const CREDENTIAL_STATUSES: readonly number[] = [401, 402, 403, 429];

/** Before the first retry, where nobody says another. */
export const DEFAULT_DELAY_MS = 100;

/** Another try of the same target would wait as long again, say as much again, or need what the gateway lacks. */
const NOT_TRIED_AGAIN: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'connect_timeout',
  'first_byte_timeout',
  'first_token_timeout',
  'attempt_timeout',
  'idle_timeout',
  'out_of_sockets',
  'upstream_queue_full',
  'account_token_missing',
  'upstream_too_large',
]);
/** Another target may understand what this one cannot be asked. */
const ASKED_ELSEWHERE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['unsupported_parameter', 'unsupported_operation']);
/** The wait before a retry; where a provider wants longer, the next target is asked. */
const MAX_RETRY_WAIT_MS = 10_000;

const AT_ONCE: Decision = { next: 'same-step', afterMs: 0 };
const NEXT_STEP: Decision = { next: 'next-step' };
const GIVE_UP: Decision = { next: 'give-up' };

/**
 * What to do after a failed attempt, before the commit point. A request that died with a reused connection most likely
 * never reached the provider, which had closed it; but it may have, so `retry_reused_connection` can forbid it. A refusal
 * that the gateway caused is no answer to the client.
 * `leftMs`: until the exchange's deadline; Infinity where it has none. A retry that could only begin behind it is none.
 */
export function decide(error: GatewayError, history: AttemptHistory, leftMs: number): Decision {
  if (history.refusedUsage || (history.diedReused && history.mayRetryReused)) return AT_ONCE;
  if (history.retries < history.retry.maxRetries && isTriedAgain(error, history)) {
    const afterMs = waitMs(history);
    if (afterMs <= MAX_RETRY_WAIT_MS && afterMs < leftMs && history.mayRetry()) return { next: 'same-step', afterMs };
  }
  return isAskedElsewhere(error, history) ? NEXT_STEP : GIVE_UP;
}

function isTriedAgain(error: GatewayError, { retry, status }: AttemptHistory): boolean {
  if (retry.statuses === undefined) return error.rule.retry !== 'never';
  return status === undefined
    ? error.rule.retry !== 'never' && !NOT_TRIED_AGAIN.has(error.code)
    : names(retry.statuses, status);
}

function isAskedElsewhere(error: GatewayError, { fallbackStatuses, status }: AttemptHistory): boolean {
  if (fallbackStatuses === undefined || status === undefined) {
    return error.rule.retry !== 'never' || (fallbackStatuses !== undefined && ASKED_ELSEWHERE.has(error.code));
  }
  return names(fallbackStatuses, status);
}

/** 529 is a provider's word for 503. */
function names(statuses: ReadonlySet<number>, status: number): boolean {
  return statuses.has(status) || (status === 529 && statuses.has(503));
}

/** Twice as long each time, and half as much more or less; never before the provider wants to be asked. */
function waitMs({ retry, retries, chance, retryAfterMs = 0 }: AttemptHistory): number {
  const backoff = retry.delayMs * 2 ** retries * (0.5 + chance);
  return Math.max(backoff, retryAfterMs);
}

function serverErrors(): number[] {
  return Array.from({ length: 100 }, (_, index) => 500 + index);
}
