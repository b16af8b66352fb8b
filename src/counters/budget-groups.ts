import type { BudgetLimit, BudgetPeriod, BudgetRule } from '../config/rules/counted-rules.ts';
import type { GroupKey } from '../config/rules/rule-match.ts';

/*
 * What a budget counts apart, as one text: admission names cells with it, records and windows keep it, alerts and the
 * admin API read it again.
 */

/** One limit of a budget for one group, in one period. */
export interface BudgetWindowKey {
  readonly budget: string;
  /** As written: `cost_per_day`. */
  readonly unit: string;
  readonly period: BudgetPeriod;
  /** Milliseconds since the Unix epoch. */
  readonly periodStart: number;
  readonly group: string;
}

/** What becomes of a request that does not fit into a budget. */
export type RefusalAction = 'refuse' | 'downgrade';

/** The values of a rule's keys, in their order: none is '', one stands for itself, several are a JSON array. */
export function groupOf(values: readonly string[]): string {
  return values.length > 1 ? JSON.stringify(values) : (values[0] ?? '');
}

/** Undefined: the text was made for other keys, before a reload. */
export function valuesOf(group: string, keys: readonly GroupKey[]): readonly string[] | undefined {
  if (keys.length <= 1) return keys.length === 1 ? [group] : [];
  try {
    const values: unknown = JSON.parse(group);
    const fits = Array.isArray(values) && values.length === keys.length;
    return fits && values.every((value) => typeof value === 'string') ? values : undefined;
  } catch {
    return undefined;
  }
}

/** The limits that hold for one group; empty: it is counted and never refused. */
export function limitsOfGroup(budget: BudgetRule, group: string): readonly BudgetLimit[] {
  if (budget.overrides.length === 0) return budget.limits;
  const [key] = budget.appliesPer;
  // Only where the kind is ours: a client may write `user:vip` into its metadata too, and would have a second `vip`.
  const bare = key === 'user' || key === 'virtualaccount' ? bareName(group) : group;
  const means = (value: string): boolean =>
    value === group || value === bare || (key === 'model' && fits(value, group));
  return budget.overrides.find(({ values }) => values.some(means))?.limits ?? budget.limits;
}

/** Models may be named by patterns, in which `*` stands for any characters. */
function fits(pattern: string, value: string): boolean {
  if (!pattern.includes('*')) return false;
  const [first = '', ...pieces] = pattern.split('*');
  const last = pieces.pop() ?? '';
  if (value.length < first.length + last.length || !value.startsWith(first) || !value.endsWith(last)) return false;
  let at = first.length;
  for (const piece of pieces) {
    const found = value.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at <= value.length - last.length;
}

/** `a@b.c` of `user:a@b.c`: manifests name users and virtual accounts without their kind. */
function bareName(value: string): string {
  const kind = /^(?:user|virtualaccount):/.exec(value);
  return kind ? value.slice(kind[0].length) : value;
}

/** The e-mail of the user that a group stands for; undefined where it stands for none. */
export function userOfGroup(budget: BudgetRule, group: string): string | undefined {
  const place = budget.appliesPer.indexOf('user');
  const value = place < 0 ? undefined : valuesOf(group, budget.appliesPer)?.[place];
  return value?.startsWith('user:') ? bareName(value) : undefined;
}
