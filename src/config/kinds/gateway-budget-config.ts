import { z } from 'zod';
import { limitAmount, limitTo } from '../rules/amounts.ts';
import { budgetRules, checkDowngrade, downgradeTarget, ruleAlerts, type WrittenBudget } from '../rules/budgets.ts';
import { groupKeys, matchOfRule, ruleConditions } from '../rules/conditions.ts';
import type { BudgetLimit, BudgetRule } from '../rules/counted-rules.ts';
import { checkBudget, checkRules } from '../rules/rule-checks.ts';
import { optionalKey, restricting, text } from '../scalar-schema.ts';
import { manifestKind } from './manifest-kind.ts';

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

const rule = z
  .object({
    id: text(256).describe('Unique over all budgets: what was spent is kept under it.'),
    when: ruleConditions,
    limit_to: limitTo.describe('US dollars or tokens.'),
    unit: z.enum(unitNames).describe('What is counted, in which period of the calendar (UTC).'),
    budget_applies_per: groupKeys,
    alerts: optionalKey(ruleAlerts).describe('Who is told, and when.'),
    audit_mode: optionalKey(z.boolean()).describe('`true`: as `mode: audit`.'),
    mode: optionalKey(z.enum(['enforce', 'audit', 'downgrade', 'cut'])).describe(
      'What happens when it is spent: refuse, only watch, ask a cheaper model, or refuse and cut open streams.',
    ),
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

const schema = restricting(
  z.object({
    type: z.literal('gateway-budget-config'),
    name: optionalKey(text(256)).describe('Of older forms; has no effect.'),
    rules: z
      .array(rule)
      .nullish()
      .transform((rules) => rules ?? [])
      .describe('All that match are charged; the first decides.'),
  }),
);

export const gatewayBudgetConfig = manifestKind({
  type: 'gateway-budget-config',
  schema,
  uniqueKeys: [{ path: 'rules[].id', what: 'this name of a budget', over: 'budgets' }],
  check(written, context) {
    for (const { manifest, value } of written) {
      const list = value.rules.map((each, index) => ({ rule: each.rule, manifest, path: ['rules', index] }));
      for (const placed of list) checkBudget(placed, context);
      checkRules(list, 'never decides, it is only charged', context);
    }
  },
  part(written, context): { budgets: BudgetRule[] } {
    const placed = written.flatMap(({ manifest, value }, list) =>
      value.rules.map((each, index) => ({ rule: each, manifest, path: ['rules', index], list })),
    );
    return { budgets: budgetRules(placed, context) };
  },
});
