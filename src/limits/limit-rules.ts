import type { Configuration } from '../config/configuration.ts';
import type { BudgetPeriod, BudgetRule, RateLimitRule } from '../config/rules/counted-rules.ts';
import type { GroupKey } from '../config/rules/rule-match.ts';
import { canonicalSubject } from '../config/subject.ts';
import type { Steps } from '../core/steps.ts';
import { groupOf, limitsOfGroup } from '../counters/budget-groups.ts';
import { budgetCellName, Cell, type CellWindow, overflowCellName, rateLimitCellName } from '../counters/cell.ts';
import type { Leg } from '../counters/counters.ts';
import type { Caller } from '../policy/caller.ts';
import type { Metadata } from '../policy/metadata.ts';
import { type CompiledMatch, compileMatch } from '../policy/rule-match.ts';

/** One count that a request is held against, with what must be said of it. */
export interface LimitLeg extends Leg {
  readonly rule: LimitRule;
  readonly counts: RateLimitRule['counts'];
  /** As written: `requests_per_minute`. */
  readonly unit: string;
  readonly group: string;
  /** The period of a budget; undefined: a rate limit has none. */
  readonly period: BudgetPeriod | undefined;
}

/** A rule of either kind, ready to be held against requests. Immutable, for the life of a configuration. */
export interface LimitRule {
  readonly kind: 'ratelimit' | 'budget';
  readonly id: string;
  readonly match: CompiledMatch;
  readonly appliesPer: readonly GroupKey[];
  readonly mode: BudgetRule['mode'];
  readonly downgradeTo: string | undefined;
  /** Its counts for one group: several where a budget has several limits. */
  legs(group: string): LimitLeg[];
}

/** What the rules of one list do beyond the first that matches. */
export interface RuleList {
  readonly rules: readonly LimitRule[];
  /** `first`: only the first match counts. `all`: the first decides, every match is charged. */
  readonly charged: 'first' | 'all';
}

/** One list per rate limit manifest and per v1 budget manifest; a v2 budget is a list by itself. A step for each rule. */
export function* ruleLists({ rateLimits, budgets }: Pick<Configuration, 'rateLimits' | 'budgets'>): Steps<RuleList[]> {
  const sameId = new Map<string, number>();
  const lists: RuleList[] = [];
  for (const written of rateLimits) {
    const rules: LimitRule[] = [];
    for (const rule of written) {
      const before = sameId.get(rule.id) ?? 0;
      sameId.set(rule.id, before + 1);
      rules.push(rateRule(rule, before));
      yield;
    }
    lists.push({ rules, charged: 'first' });
  }
  const byList = new Map<number, LimitRule[]>();
  for (const budget of budgets) {
    const listed = budget.list === undefined ? undefined : byList.get(budget.list);
    const rule = budgetRule(budget);
    if (listed) listed.push(rule);
    else {
      const rules = [rule];
      if (budget.list !== undefined) byList.set(budget.list, rules);
      lists.push({ rules, charged: 'all' });
    }
    yield;
  }
  return lists;
}

/**
 * Rules by the manifest's rule, which a reload keeps where it is unchanged: to make five hundred again takes a thread as many
 * milliseconds as a request takes.
 */
const madeOf = new WeakMap<RateLimitRule | BudgetRule, { readonly rule: LimitRule; readonly sameId: number }>();

function rateRule(written: RateLimitRule, sameId: number): LimitRule {
  const known = madeOf.get(written);
  if (known?.sameId === sameId) return known.rule;
  const { id, unit, counts, limit, appliesPer } = written;
  const window: CellWindow = counts === 'concurrent' ? { kind: 'open' } : { kind: 'sliding', ms: written.windowMs };
  const cellOf = cells(appliesPer, window, (group) => rateLimitCellName(sameId, id, unit, group));
  const rule: LimitRule = {
    kind: 'ratelimit',
    id,
    match: compileMatch(written.match),
    appliesPer,
    mode: 'enforce',
    downgradeTo: undefined,
    legs: (group) => [{ cell: cellOf(group), limit, rule, counts, unit, group, period: undefined }],
  };
  madeOf.set(written, { rule, sameId });
  return rule;
}

function budgetRule(budget: BudgetRule): LimitRule {
  const known = madeOf.get(budget);
  if (known !== undefined) return known.rule;
  const { id, appliesPer, mode } = budget;
  const rule: LimitRule = {
    kind: 'budget',
    id,
    match: compileMatch(budget.match),
    appliesPer,
    mode,
    downgradeTo: mode === 'downgrade' ? budget.downgradeTo : undefined,
    legs: (group) =>
      limitsOfGroup(budget, group).map(({ unit, counts, period, amount }): LimitLeg => {
        const cellOf = cells(appliesPer, { kind: 'calendar', period }, (each) => budgetCellName(id, unit, each));
        const limit = mode === 'audit' ? Number.POSITIVE_INFINITY : amount;
        return { cell: cellOf(group), limit, rule, counts, unit, group, period };
      }),
  };
  madeOf.set(budget, { rule, sameId: 0 });
  return rule;
}

/** A rule that counts all together has one cell; of groups there may be more than memory has room for. */
function cells(appliesPer: readonly GroupKey[], window: CellWindow, name: (group: string) => string) {
  return (group: string): Cell => {
    if (appliesPer.length === 0) return new Cell(name(group), window);
    return new Cell(name(group), window, new Cell(overflowCellName(name('')), window));
  };
}

/** Requests without the value share one group, the empty one. */
export function groupFor(rule: LimitRule, caller: Caller, model: string, metadata: Metadata): string {
  return groupOf(rule.appliesPer.map((key) => groupValue(key, caller, model, metadata)));
}

function groupValue(key: GroupKey, { principal: { subject } }: Caller, model: string, metadata: Metadata): string {
  switch (key) {
    case 'model':
      return model;
    case 'user':
      // As rules write it: one person whose issuer capitalizes the address must not have two budgets.
      return subject.startsWith('user:') ? canonicalSubject(subject) : '';
    case 'virtualaccount':
      return subject.startsWith('virtualaccount:') ? subject : '';
    default:
      return metadataValue(metadata, metadataKeyOf(key)) ?? '';
  }
}

/** Undefined: it groups by something else. */
export function metadataKeyOf(key: GroupKey): string {
  return key.slice('metadata.'.length);
}

/** Only what the request itself says: `constructor` is a key like any other. */
export function metadataValue(metadata: Metadata, key: string): string | undefined {
  return Object.hasOwn(metadata, key) ? metadata[key] : undefined;
}
