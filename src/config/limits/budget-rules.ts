import { z } from 'zod';
import type { BudgetLimit, BudgetRule } from '../configuration.ts';
import { canonicalModel } from '../resource-name.ts';
import { optionalKey, text } from '../scalar-schema.ts';
import { limitAmount, limitTo } from './amount-schema.ts';
import { ruleAlerts, type WrittenAlerts } from './budget-alerts.ts';
import { checkDowngrade } from './downgrade.ts';
import { groupKeys } from './group-key.ts';
import { matchOfRule, ruleConditions } from './rule-conditions.ts';

/** A budget whose alerts name channels that other manifests hold. */
export interface WrittenBudget {
  rule: Omit<BudgetRule, 'alerts' | 'list'>;
  alerts?: WrittenAlerts;
}

/** `gateway-budget-config`; `mode` and `downgrade_to` are ours. */
const UNITS = {
  cost_per_day: { counts: 'cost', period: 'day' },
  cost_per_week: { counts: 'cost', period: 'week' },
  cost_per_month: { counts: 'cost', period: 'month' },
  cost_per_quarter: { counts: 'cost', period: 'quarter' },
  tokens_per_day: { counts: 'tokens', period: 'day' },
  tokens_per_month: { counts: 'tokens', period: 'month' },
} as const satisfies Record<string, Pick<BudgetLimit, 'counts' | 'period'>>;

const unitNames = Object.keys(UNITS) as [keyof typeof UNITS, ...(keyof typeof UNITS)[]];

export const downgradeTarget = optionalKey(text(320).transform(canonicalModel));

const rule = z
  .object({
    id: text(256),
    when: ruleConditions,
    limit_to: limitTo,
    unit: z.enum(unitNames),
    budget_applies_per: groupKeys,
    alerts: optionalKey(ruleAlerts),
    audit_mode: optionalKey(z.boolean()),
    mode: optionalKey(z.enum(['enforce', 'audit', 'downgrade', 'cut'])),
    downgrade_to: downgradeTarget,
  })
  .superRefine((written, context) => {
    checkDowngrade(written, context);
    const { mode, audit_mode: audit } = written;
    if (mode === undefined || audit === undefined || (mode === 'audit') === audit) return;
    const message = audit ? '`audit`, as `audit_mode: true` says, or none' : 'another mode, as `audit_mode` is false';
    context.issues.push({ code: 'custom', path: ['mode'], message, input: written });
  })
  .transform((written, context): WrittenBudget => {
    const { counts, period } = UNITS[written.unit];
    const amount = limitAmount(written.limit_to, counts, context);
    return {
      rule: {
        id: written.id,
        match: matchOfRule(written.when),
        limits: [{ unit: written.unit, counts, period, amount }],
        appliesPer: written.budget_applies_per,
        overrides: [],
        mode: written.mode ?? (written.audit_mode ? 'audit' : 'enforce'),
        ...(written.downgrade_to !== undefined && { downgradeTo: written.downgrade_to }),
      },
      ...(written.alerts && { alerts: written.alerts }),
    };
  });

export const budgetRulesSchema = z.object({
  type: z.literal('gateway-budget-config'),
  /** Older manifests have one; it has no effect. */
  name: optionalKey(text(256)),
  rules: z
    .array(rule)
    .nullish()
    .transform((rules) => rules ?? []),
});
