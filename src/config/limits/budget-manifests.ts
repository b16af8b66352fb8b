import { z } from 'zod';
import type { BudgetLimit, BudgetRule } from '../configuration.ts';
import { keyWithDefault, optionalKey, text } from '../scalar-schema.ts';
import { teamName, userName, virtualAccountName } from '../subject.ts';
import { dollars } from './amount-schema.ts';
import { budgetAlerts } from './budget-alerts.ts';
import { downgradeTarget, type WrittenBudget } from './budget-rules.ts';
import { checkDowngrade } from './downgrade.ts';
import {
  matchOfBudget,
  metadataKey,
  metadataValue,
  modelPattern,
  teamBudgetConditions,
  tenantBudgetConditions,
} from './rule-conditions.ts';

/** `tenant-budget-config` and `team-budget-config`: one budget a manifest. The modes `downgrade` and `cut` are ours. */

const limits = z
  .object({
    cost_per_day: optionalKey(dollars),
    cost_per_week: optionalKey(dollars),
    cost_per_month: optionalKey(dollars),
    cost_per_quarter: optionalKey(dollars),
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
  const values = z.array(item).min(1, { error: 'at least one' });
  return keyWithDefault(
    z.array(z.object({ [key]: values, limits } as Record<K, typeof values> & { limits: typeof limits })),
    [],
  );
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
    metadata: metadataKey,
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
  name: text(256),
  limits,
  applies_to: keyWithDefault(appliesTo, { appliesPer: [], overrides: [] }),
  mode: z.enum(['enforce', 'audit', 'downgrade', 'cut']),
  downgrade_to: downgradeTarget,
  alerts: optionalKey(budgetAlerts),
  ownedBy: optionalKey(z.object({ account: optionalKey(text(256)), team: optionalKey(text(256)) })),
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

export const tenantBudgetSchema = z
  .object({ type: z.literal('tenant-budget-config'), when: tenantBudgetConditions, ...common })
  .superRefine(checkDowngrade)
  .transform((written) => budgetOf(written, matchOfBudget(written.when, undefined)));

export const teamBudgetSchema = z
  .object({ type: z.literal('team-budget-config'), team_name: teamName, when: teamBudgetConditions, ...common })
  .superRefine(checkDowngrade)
  .transform((written) => budgetOf(written, matchOfBudget(written.when, written.team_name)));
