import { dollarText } from '../core/dollars.ts';
import { GatewayError } from '../core/errors.ts';
import type { Refusal } from '../counters/counters.ts';
import type { LimitLeg } from './limit-rules.ts';

/*
 * What a client is told of limits: on every answer which rules applied (`x-tfy-applied-rules`), and on a refusal which
 * rule refused, of what, counted for whom, and when the request will fit.
 */

/** JSON for a header: letters beyond ASCII are written as escapes. */
export function asciiJson(value: object): string {
  return JSON.stringify(value).replace(
    /[\x7f-\uffff]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The header's JSON; undefined: no rule applied. */
export function appliedRules(ratelimit: readonly string[], budget: readonly string[]): string | undefined {
  if (ratelimit.length === 0 && budget.length === 0) return undefined;
  return asciiJson({ ...(ratelimit.length > 0 && { ratelimit }), ...(budget.length > 0 && { budget }) });
}

/** Adds the rule that refused the request. */
export function withRefused(rulesJson: string | undefined, ruleId: string): string {
  return merged(rulesJson, asciiJson({ refused: ruleId }));
}

/** Adds that a spent budget sent the request to another model. */
export function withDowngrade(rulesJson: string | undefined, from: string, to: string, by: string): string {
  return merged(rulesJson, asciiJson({ downgrade: { from, to, by } }));
}

/** Either may be undefined: nothing applied. */
export function joinedRules(first: string | undefined, second: string | undefined): string | undefined {
  return second === undefined ? first : merged(first, second);
}

/** Two JSON objects as one: the first was made with its rules, the second for this request. */
function merged(first: string | undefined, second: string): string {
  return first === undefined ? second : `${first.slice(0, -1)},${second.slice(1)}`;
}

/** The error of a request that did not fit. */
export function limitRefusal(leg: LimitLeg, refusal: Refusal, model: string, rulesJson?: string): GatewayError {
  const { rule, unit } = leg;
  const { used, retryAfterMs } = refusal;
  const applied = withRefused(rulesJson, rule.id);
  const per = rule.appliesPer.length > 0 ? `, counted per ${rule.appliesPer.join(' and ')}` : '';
  const rate = rule.kind === 'ratelimit';
  return new GatewayError(rate ? 'rate_limited' : 'budget_exceeded', {
    detail: rate
      ? `Rule \`${rule.id}\` allows ${amountText(leg)} ${unit}${per}.`
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

function amountText({ counts, limit }: LimitLeg): string {
  return counts === 'cost' ? `$${dollarText(limit, 0)}` : String(limit);
}

/**
 * What our own refusal says of the limit that refused, in OpenAI's header names, which its SDKs and many schedulers read.
 * They have words for requests and tokens only.
 */
function rateHeaders(leg: LimitLeg, used: number, resetMs: number): string[] {
  const { counts, limit, rule } = leg;
  if (rule.kind !== 'ratelimit' || (counts !== 'requests' && counts !== 'tokens')) return [];
  return [
    `x-ratelimit-limit-${counts}`,
    String(limit),
    `x-ratelimit-remaining-${counts}`,
    String(Math.max(0, limit - used)),
    `x-ratelimit-reset-${counts}`,
    resetText(resetMs),
  ];
}

/** As OpenAI writes spans: `20ms`, `1s`, `6m0s`, `1h0m0s`; never shorter than it is. */
export function resetText(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.ceil(ms))}ms`;
  const seconds = Math.ceil(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const rest = `${seconds % 60}s`;
  if (hours > 0) return `${hours}h${minutes % 60}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}
