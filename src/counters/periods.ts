import type { BudgetPeriod } from '../config/rules/counted-rules.ts';

/**
 * When budgets begin anew: UTC midnight, Monday, the first of a month, the first of a quarter.
 * Times are milliseconds since the Unix epoch.
 */
const DAY_MS = 86_400_000;

export function periodStart(period: BudgetPeriod, atMs: number): number {
  const date = new Date(atMs);
  switch (period) {
    case 'day':
      return Math.floor(atMs / DAY_MS) * DAY_MS;
    case 'week':
      // The epoch was a Thursday: three days after a Monday.
      return Math.floor((atMs / DAY_MS + 3) / 7) * 7 * DAY_MS - 3 * DAY_MS;
    case 'month':
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
    case 'quarter':
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - (date.getUTCMonth() % 3), 1);
  }
}

/** The first moment that no longer belongs to the period of `atMs`. */
export function periodEnd(period: BudgetPeriod, atMs: number): number {
  const start = periodStart(period, atMs);
  switch (period) {
    case 'day':
      return start + DAY_MS;
    case 'week':
      return start + 7 * DAY_MS;
    case 'month':
    case 'quarter': {
      const date = new Date(start);
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + (period === 'month' ? 1 : 3), 1);
    }
  }
}
