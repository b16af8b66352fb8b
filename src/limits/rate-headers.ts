import type { LimitLeg } from './limit-rules.ts';

/**
 * What our own refusal says of the limit that refused, in OpenAI's header names, which its SDKs and many schedulers read.
 * They have words for requests and tokens only.
 */
export function rateHeaders(leg: LimitLeg, used: number, resetMs: number): string[] {
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
