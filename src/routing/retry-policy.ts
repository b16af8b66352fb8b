import type { GatewayError } from '../core/errors.ts';
import type { StepRetry } from './route-plan.ts';

export type Decision =
  | { readonly next: 'same-step'; readonly afterMs: number }
  | { readonly next: 'next-step' }
  | { readonly next: 'give-up' };

/** What was tried of the step that failed. */
export interface AttemptHistory {
  readonly retry: StepRetry;
  /** Those of `retry` that were used. */
  readonly retries: number;
  /** A reused connection turned out dead before any byte of an answer. */
  readonly diedReused: boolean;
  /** Whether that may be answered with one more try: not by configuration, or not a second time in this exchange. */
  readonly mayRetryReused: boolean;
  /** It was refused for asking for usage, which the client did not; the next attempt does not ask. */
  readonly refusedUsage: boolean;
}

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
  if (error.rule.retry === 'never') return GIVE_UP;
  const { maxRetries, delayMs } = history.retry;
  if (history.retries < maxRetries && delayMs < leftMs) return { next: 'same-step', afterMs: delayMs };
  return NEXT_STEP;
}
