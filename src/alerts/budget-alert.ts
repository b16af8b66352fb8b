import type { BudgetRule } from '../config/rules/counted-rules.ts';
import type { GroupKey } from '../config/rules/rule-match.ts';
import { dollarText } from '../core/dollars.ts';
import { type BudgetWindowKey, valuesOf } from '../counters/budget-groups.ts';
import { periodEnd } from '../counters/periods.ts';

/** Percent of the limit; or the first request of a period that did not fit into what is left. */
export type AlertThreshold = number | 'refuses';

/** In a row, in the place of a percentage: the first refusal. */
export const REFUSES = -1;

/** Thousandths of a percent. */
export function storedThreshold(threshold: AlertThreshold): number {
  return threshold === 'refuses' ? REFUSES : Math.round(threshold * 1000);
}

/** A budget's group reached a threshold in one period. Amounts are nano-dollars or tokens. */
export interface BudgetAlert extends BudgetWindowKey {
  readonly mode: BudgetRule['mode'];
  readonly appliesPer: readonly GroupKey[];
  readonly counts: 'cost' | 'tokens';
  readonly threshold: AlertThreshold;
  readonly spent: number;
  readonly limit: number;
}

/** What webhooks get; the keys are ours and stay. */
export function alertJson(alert: BudgetAlert): object {
  const inUnit = (amount: number): number => (alert.counts === 'cost' ? amount / 1e9 : amount);
  return {
    type: alertType(alert),
    text: alertText(alert),
    budget: alert.budget,
    mode: alert.mode,
    group: Object.fromEntries(labelled(alert)),
    unit: alert.unit,
    currency: alert.counts === 'cost' ? 'USD' : undefined,
    threshold: alert.threshold === 'refuses' ? undefined : alert.threshold,
    percent: percentOf(alert),
    spent: inUnit(alert.spent),
    limit: inUnit(alert.limit),
    period_start: new Date(alert.periodStart).toISOString(),
    resets_at: new Date(resetsAt(alert)).toISOString(),
  };
}

export function alertTitle(alert: BudgetAlert): string {
  const budget = `Budget ${plain(alert.budget)}`;
  if (alert.threshold !== 'refuses') return `${budget}: ${alert.threshold}% of ${amountOf(alert, alert.limit)} reached`;
  return `${budget}: ${alert.mode === 'downgrade' ? 'requests go to a cheaper model' : 'requests are refused'}`;
}

/** What happened, for programs: `budget.threshold`, `budget.refuses` or `budget.downgrades`. */
function alertType({ threshold, mode }: BudgetAlert): string {
  if (threshold !== 'refuses') return 'budget.threshold';
  return mode === 'downgrade' ? 'budget.downgrades' : 'budget.refuses';
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
    `Spent this ${alert.period}${who === '' ? '' : ` by ${who}`}: ${spentOf(alert, percent)}.`,
    alert.threshold === 'refuses' ? NO_LONGER_FITS : CONSEQUENCE[alert.mode](alert.spent >= alert.limit),
    `It begins anew at ${reset} UTC.`,
  ].join(' ');
}

/** The same thing for a channel that joins what it has heard of before. */
export function alertId(alert: BudgetAlert): string {
  return JSON.stringify(['sluice', alert.budget, alert.unit, alert.periodStart, alert.group, alert.threshold]);
}

/** Requests that are open hold their forecast, so it may happen before all is spent. */
const NO_LONGER_FITS = 'A request did not fit into what is left beside what open requests hold.';

const CONSEQUENCE: Record<BudgetRule['mode'], (spent: boolean) => string> = {
  enforce: (spent) => (spent ? 'Further requests are refused.' : 'At 100% requests are refused.'),
  cut: (spent) => (spent ? 'Further requests are refused.' : 'At 100% streams are cut and requests are refused.'),
  downgrade: (spent) => (spent ? 'Further requests go to a cheaper model.' : 'At 100% requests go to a cheaper model.'),
  audit: () => 'It is watched and not enforced.',
};

/** The title of an alert names the limit where a threshold was reached. */
function spentOf(alert: BudgetAlert, percent: number | null): string {
  const limit = alert.threshold === 'refuses' ? ` of ${amountOf(alert, alert.limit)}` : '';
  return `${amountOf(alert, alert.spent)}${limit}${percent === null ? '' : ` (${percent}%)`}`;
}

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
