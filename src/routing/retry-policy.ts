import type { GatewayError } from '../core/errors.ts';

export type Decision = 'same-target' | 'next-target' | 'give-up';

export interface AttemptOutcome {
  readonly error: GatewayError;
  /** A reused connection turned out dead before any byte of an answer. */
  readonly diedReused: boolean;
  /** Whether that was answered with a second try before, in this exchange. */
  readonly retriedReused: boolean;
  /** Only because the gateway asked for usage, which the client did not; the next attempt does not ask. */
  readonly refusedUsage: boolean;
  readonly hasNextTarget: boolean;
}

/**
 * What to do after a failed attempt, before the commit point. A request that died with a reused connection most likely
 * never reached the provider, which had closed it; but it may have, so `retry_reused_connection` can forbid it. A refusal
 * that the gateway caused is no answer to the client.
 */
export function decide(outcome: AttemptOutcome, retryReusedConnection: boolean): Decision {
  if (outcome.refusedUsage) return 'same-target';
  if (outcome.diedReused && !outcome.retriedReused && retryReusedConnection) return 'same-target';
  if (outcome.error.rule.retry !== 'never' && outcome.hasNextTarget) return 'next-target';
  return 'give-up';
}
