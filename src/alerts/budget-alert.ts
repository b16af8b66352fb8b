import type { BudgetPeriod, BudgetRule, GroupKey } from '../config/configuration.ts';
import { dollarText } from '../core/dollars.ts';
import { valuesOf } from '../counters/budget-groups.ts';
import { periodEnd } from '../counters/periods.ts';

/** A budget's group reached a threshold in one period. Amounts are nano-dollars or tokens. */
export interface BudgetAlert {
  readonly budget: string;
  readonly mode: BudgetRule['mode'];
  readonly appliesPer: readonly GroupKey[];
  readonly group: string;
  readonly unit: string;
  readonly counts: 'cost' | 'tokens';
  readonly period: BudgetPeriod;
  readonly periodStart: number;
  /** Percent of the limit. */
  readonly threshold: number;
  readonly spent: number;
  readonly limit: number;
}

/** What webhooks get; the keys are ours and stay. */
export function alertJson(alert: BudgetAlert): object {
  const inUnit = (amount: number): number => (alert.counts === 'cost' ? amount / 1e9 : amount);
  return {
    type: 'budget.threshold',
    text: alertText(alert),
    budget: alert.budget,
    mode: alert.mode,
    group: Object.fromEntries(labelled(alert)),
    unit: alert.unit,
    currency: alert.counts === 'cost' ? 'USD' : undefined,
    threshold: alert.threshold,
    percent: percentOf(alert),
    spent: inUnit(alert.spent),
    limit: inUnit(alert.limit),
    period_start: new Date(alert.periodStart).toISOString(),
    resets_at: new Date(resetsAt(alert)).toISOString(),
  };
}

export function alertTitle(alert: BudgetAlert): string {
  return `Budget ${plain(alert.budget)}: ${alert.threshold}% of ${amountOf(alert, alert.limit)} reached`;
}

/** One paragraph for people. Group values come from requests: no line ends and no control characters of theirs in it. */
export function alertText(alert: BudgetAlert): string {
  const who = labelled(alert)
    .map(([key, value]) => `${key} ${plain(value) || '(none)'}`)
    .join(', ');
  const percent = percentOf(alert);
  const reset = new Date(resetsAt(alert)).toISOString().replace('T', ' ').slice(0, 16);
  return [
    `${alertTitle(alert)}.`,
    `Spent this ${alert.period}${who === '' ? '' : ` by ${who}`}: ${amountOf(alert, alert.spent)}${percent === null ? '' : ` (${percent}%)`}.`,
    CONSEQUENCE[alert.mode](alert.spent >= alert.limit),
    `It begins anew at ${reset} UTC.`,
  ].join(' ');
}

/** The same thing for a channel that joins what it has heard of before. */
export function alertId(alert: BudgetAlert): string {
  return JSON.stringify(['sluice', alert.budget, alert.unit, alert.periodStart, alert.group, alert.threshold]);
}

const CONSEQUENCE: Record<BudgetRule['mode'], (spent: boolean) => string> = {
  enforce: (spent) => (spent ? 'Further requests are refused.' : 'At 100% requests are refused.'),
  cut: (spent) => (spent ? 'Further requests are refused.' : 'At 100% streams are cut and requests are refused.'),
  downgrade: (spent) => (spent ? 'Further requests go to a cheaper model.' : 'At 100% requests go to a cheaper model.'),
  audit: () => 'It is watched and not enforced.',
};

/** Rounded down: nothing says 100% before it is; null where the limit is zero. */
function percentOf({ spent, limit }: BudgetAlert): number | null {
  return limit > 0 ? Math.floor((spent / limit) * 1000) / 10 : null;
}

function resetsAt({ period, periodStart }: BudgetAlert): number {
  return periodEnd(period, periodStart);
}

function amountOf({ counts }: BudgetAlert, amount: number): string {
  return counts === 'tokens' ? `${amount} tokens` : `${dollarText(amount)} US dollars`;
}

function labelled({ appliesPer, group }: BudgetAlert): [string, string][] {
  const values = valuesOf(group, appliesPer);
  if (values === undefined) return [['group', group]];
  return appliesPer.map((key, place) => [key, values[place] ?? '']);
}

function plain(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ').trim();
}
