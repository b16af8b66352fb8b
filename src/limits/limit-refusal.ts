import { GatewayError } from '../core/errors.ts';
import type { Refusal } from '../counters/counters.ts';
import { withRefused } from './applied-rules.ts';
import type { LimitLeg } from './limit-rules.ts';
import { rateHeaders } from './rate-headers.ts';

/** What a client is told whose request did not fit: which rule, of what, counted for whom, and when it will. */
export function limitRefusal(leg: LimitLeg, refusal: Refusal, model: string, rulesJson?: string): GatewayError {
  const { rule, unit } = leg;
  const { used, retryAfterMs } = refusal;
  const applied = withRefused(rulesJson, rule.id);
  const per = rule.appliesPer.length > 0 ? `, counted per ${rule.appliesPer.join(' and ')}` : '';
  const rate = rule.kind === 'ratelimit';
  return new GatewayError(rate ? 'rate_limited' : 'budget_exceeded', {
    detail: rate
      ? `Rule \`${rule.id}\` allows ${leg.limit} ${unit}${per}.`
      : `Budget exceeded for model: ${model} with rule: ${rule.id} (${amountText(leg)} ${unit}${per}).`,
    retryAfterMs,
    headers: [...rateHeaders(leg, used, retryAfterMs), 'x-tfy-applied-rules', applied],
    rulesJson: applied,
  });
}

/** Redis is away and the configuration says closed, or there is no memory to count in. */
export function uncountable(retryAfterMs: number, rulesJson: string | undefined): GatewayError {
  return new GatewayError('counters_away', {
    retryAfterMs,
    headers: rulesJson === undefined ? [] : ['x-tfy-applied-rules', rulesJson],
    rulesJson,
  });
}

function amountText({ counts, limit, rule }: LimitLeg): string {
  return counts === 'cost' && rule.kind === 'budget' ? `$${limit / 1e9}` : String(limit);
}
