import { z } from 'zod';
import { limitAmount, limitTo } from '../rules/amounts.ts';
import { groupKeys, matchOfRule, ruleConditions } from '../rules/conditions.ts';
import type { RateLimitRule } from '../rules/counted-rules.ts';
import { checkRules } from '../rules/rule-checks.ts';
import { optionalKey, restricting, text } from '../scalar-schema.ts';
import { manifestKind } from './manifest-kind.ts';

/** `gateway-rate-limiting-config`; the units of weeks, months, cost and open requests are ours. */

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

type Unit = Pick<RateLimitRule, 'counts' | 'windowMs'>;

const UNITS = {
  requests_per_minute: { counts: 'requests', windowMs: MINUTE_MS },
  requests_per_hour: { counts: 'requests', windowMs: HOUR_MS },
  requests_per_day: { counts: 'requests', windowMs: DAY_MS },
  requests_per_week: { counts: 'requests', windowMs: 7 * DAY_MS },
  // A sliding window has one length: thirty days, not a month of the calendar.
  requests_per_month: { counts: 'requests', windowMs: 30 * DAY_MS },
  tokens_per_minute: { counts: 'tokens', windowMs: MINUTE_MS },
  tokens_per_hour: { counts: 'tokens', windowMs: HOUR_MS },
  tokens_per_day: { counts: 'tokens', windowMs: DAY_MS },
  tokens_per_week: { counts: 'tokens', windowMs: 7 * DAY_MS },
  tokens_per_month: { counts: 'tokens', windowMs: 30 * DAY_MS },
  cost_per_minute: { counts: 'cost', windowMs: MINUTE_MS },
  cost_per_hour: { counts: 'cost', windowMs: HOUR_MS },
  concurrent_requests: { counts: 'concurrent', windowMs: 0 },
} as const satisfies Record<string, Unit>;

const unitNames = Object.keys(UNITS) as [keyof typeof UNITS, ...(keyof typeof UNITS)[]];

const rule = z
  .object({
    id: text(256).describe('Stands in headers, errors and metrics.'),
    when: ruleConditions,
    limit_to: limitTo.describe('How much of the unit.'),
    unit: z.enum(unitNames).describe('What is counted, over which sliding window.'),
    rate_limit_applies_per: groupKeys,
  })
  .transform((written, context): RateLimitRule => {
    const { counts, windowMs } = UNITS[written.unit];
    return {
      id: written.id,
      match: matchOfRule(written.when),
      counts,
      unit: written.unit,
      windowMs,
      limit: limitAmount(written.limit_to, counts, context),
      appliesPer: written.rate_limit_applies_per,
    };
  });

const schema = restricting(
  z.object({
    type: z.literal('gateway-rate-limiting-config'),
    name: optionalKey(text(256)).describe('Of older forms; has no effect.'),
    rules: z
      .array(rule)
      .nullish()
      .transform((rules) => rules ?? [])
      .describe('The first that matches a request decides and counts.'),
  }),
);

export const gatewayRateLimitingConfig = manifestKind({
  type: 'gateway-rate-limiting-config',
  schema,
  uniqueKeys: [{ path: 'rules[].id', what: 'this rule id' }],
  check(written, context) {
    for (const { manifest, value } of written) {
      const list = value.rules.map((each, index) => ({ rule: each, manifest, path: ['rules', index] }));
      checkRules(list, 'never counts: the first rule that matches decides', context);
    }
  },
  part: (written): { rateLimits: RateLimitRule[][] } => ({ rateLimits: written.map(({ value }) => value.rules) }),
});
