import { z } from 'zod';
import { ownedBy } from '../account-schema.ts';
import { dollars } from '../rules/amounts.ts';
import { budgetAlerts, budgetRules, checkDowngrade, downgradeTarget, type WrittenBudget } from '../rules/budgets.ts';
import {
  matchOfBudget,
  metadataKey,
  metadataValue,
  modelPattern,
  teamBudgetConditions,
  tenantBudgetConditions,
} from '../rules/conditions.ts';
import type { BudgetLimit, BudgetRule } from '../rules/counted-rules.ts';
import { checkBudget, checkMatch } from '../rules/rule-checks.ts';
import { keyWithDefault, optionalKey, restricting, text } from '../scalar-schema.ts';
import { teamName, userName, virtualAccountName } from '../subject-schema.ts';
import { type KindContext, manifestKind, type Written } from './manifest-kind.ts';

/** `tenant-budget-config` and `team-budget-config`: one budget a manifest. The modes `downgrade` and `cut` are ours. */

const limits = z
  .object({
    cost_per_day: optionalKey(dollars).describe('US dollars a day of the calendar (UTC).'),
    cost_per_week: optionalKey(dollars).describe('US dollars a week of the calendar (UTC).'),
    cost_per_month: optionalKey(dollars).describe('US dollars a month of the calendar (UTC).'),
    cost_per_quarter: optionalKey(dollars).describe('US dollars a quarter of the calendar (UTC).'),
  })
  .transform((written): BudgetLimit[] => {
    const all: BudgetLimit[] = [];
    for (const period of ['day', 'week', 'month', 'quarter'] as const) {
      const amount = written[`cost_per_${period}`];
      if (amount !== undefined) all.push({ unit: `cost_per_${period}`, counts: 'cost', period, amount });
    }
    return all;
  });

type Division = Pick<BudgetRule, 'appliesPer' | 'overrides'>;
type WrittenOverride = { limits: BudgetLimit[] };

function overridesOf<K extends string, T extends z.ZodType<string>>(key: K, item: T) {
  const values = z.array(item).min(1, { error: 'at least one' }).describe('For which of them.');
  const own = limits.describe('Their limits, in place of the common ones.');
  return keyWithDefault(
    z.array(z.object({ [key]: values, limits: own } as Record<K, typeof values> & { limits: typeof limits })),
    [],
  ).describe('Other limits for some of them; an empty map of limits: none.');
}

const aggregate = z
  .object({ type: z.literal('aggregate') })
  .transform((): Division => ({ appliesPer: [], overrides: [] }));

const perUser = z.object({ type: z.literal('per-user'), overrides: overridesOf('users', userName) }).transform(
  ({ overrides }): Division => ({
    appliesPer: ['user'],
    overrides: overrides.map((each) => override(each.users, each)),
  }),
);

const perModel = z.object({ type: z.literal('per-model'), overrides: overridesOf('models', modelPattern) }).transform(
  ({ overrides }): Division => ({
    appliesPer: ['model'],
    overrides: overrides.map((each) => override(each.models, each)),
  }),
);

const perVirtualAccount = z
  .object({ type: z.literal('per-virtual-account'), overrides: overridesOf('virtual_accounts', virtualAccountName) })
  .transform(
    ({ overrides }): Division => ({
      appliesPer: ['virtualaccount'],
      overrides: overrides.map((each) => override(each.virtual_accounts, each)),
    }),
  );

const perMetadata = z
  .object({
    type: z.literal('metadata'),
    metadata: metadataKey.describe('The key whose values are told apart.'),
    overrides: overridesOf('metadata_values', metadataValue),
  })
  .transform(
    ({ metadata, overrides }): Division => ({
      appliesPer: [`metadata.${metadata}`],
      overrides: overrides.map((each) => override(each.metadata_values, each)),
    }),
  );

function override(values: string[], { limits }: WrittenOverride): Division['overrides'][number] {
  return { values, limits };
}

const appliesTo = z.discriminatedUnion('type', [aggregate, perUser, perModel, perVirtualAccount, perMetadata]);

const common = {
  name: text(256).describe('Unique over all budgets: what was spent is kept under it.'),
  limits: limits.describe('All of them hold.'),
  applies_to: restricting(keyWithDefault(appliesTo, { appliesPer: [], overrides: [] })).describe(
    'One sum for all, or one for each user, model, virtual account or value of a metadata key.',
  ),
  mode: z
    .enum(['enforce', 'audit', 'downgrade', 'cut'])
    .describe(
      'What happens when it is spent: refuse, only watch, ask a cheaper model, or refuse and cut open streams.',
    ),
  downgrade_to: downgradeTarget,
  alerts: optionalKey(budgetAlerts).describe('Who is told, and when.'),
  ownedBy,
};

type WrittenManifest = z.output<z.ZodObject<typeof common>>;

function budgetOf(written: WrittenManifest, match: BudgetRule['match']): WrittenBudget {
  const { appliesPer, overrides } = written.applies_to;
  return {
    rule: {
      id: written.name,
      match,
      limits: written.limits,
      appliesPer,
      overrides,
      mode: written.mode,
      ...(written.downgrade_to !== undefined && { downgradeTo: written.downgrade_to }),
    },
    ...(written.alerts && { alerts: written.alerts }),
  };
}

const tenantSchema = restricting(
  z.object({ type: z.literal('tenant-budget-config'), when: tenantBudgetConditions, ...common }),
)
  .superRefine(checkDowngrade)
  .transform((written) => budgetOf(written, matchOfBudget(written.when, undefined)));

const teamSchema = restricting(
  z.object({
    type: z.literal('team-budget-config'),
    team_name: teamName.describe('Whose requests it is about.'),
    when: teamBudgetConditions,
    ...common,
  }),
)
  .superRefine(checkDowngrade)
  .transform((written) => budgetOf(written, matchOfBudget(written.when, written.team_name)));

function budgetKind(type: string, schema: z.ZodType<WrittenBudget>) {
  return manifestKind({
    type,
    schema,
    uniqueKeys: [{ path: 'name', what: 'this name of a budget', over: 'budgets' }],
    check(written, context) {
      for (const { manifest, value } of written) {
        const placed = { rule: value.rule, manifest, path: [] };
        checkMatch(placed, ['when', 'models', 'in'], context);
        checkBudget(placed, context);
      }
    },
    part: (written: readonly Written<WrittenBudget>[], context: KindContext): { budgets: BudgetRule[] } => ({
      budgets: budgetRules(
        written.map(({ manifest, value }) => ({ rule: value, manifest, path: [] })),
        context,
      ),
    }),
  });
}

export const tenantBudgetConfig = budgetKind('tenant-budget-config', tenantSchema);
export const teamBudgetConfig = budgetKind('team-budget-config', teamSchema);
