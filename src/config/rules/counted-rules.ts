import type { NotificationTarget } from '../channels/notification-target.ts';
import type { GroupKey, RuleMatch } from './rule-match.ts';

export interface RateLimitRule {
  id: string;
  match: RuleMatch;
  counts: 'requests' | 'tokens' | 'cost' | 'concurrent';
  /** As written: `requests_per_minute`. */
  unit: string;
  /** Length of the sliding window; 0 for `concurrent`. */
  windowMs: number;
  /** Requests, tokens, integer nano-dollars, or open requests. */
  limit: number;
  appliesPer: GroupKey[];
}

export type BudgetPeriod = 'day' | 'week' | 'month' | 'quarter';

export interface BudgetLimit {
  /** As written: `cost_per_day`. */
  unit: string;
  counts: 'cost' | 'tokens';
  period: BudgetPeriod;
  /** Integer nano-dollars or tokens. */
  amount: number;
}

/** v1 rules and v2 manifests in one form. */
export interface BudgetRule {
  /** The id of the rule, or the name of the manifest: unique over all budgets. */
  id: string;
  /** v1: place of its manifest, among whose rules the first match decides; undefined (v2): it decides for itself. */
  list?: number;
  match: RuleMatch;
  limits: BudgetLimit[];
  appliesPer: GroupKey[];
  /** Other limits for single values of the group; an empty list of limits there means: none. */
  overrides: { values: string[]; limits: BudgetLimit[] }[];
  /** `cut` enforces, and ends a stream that is under way when the budget ends. */
  mode: 'enforce' | 'audit' | 'downgrade' | 'cut';
  /** `downgrade` names here the model that is asked instead. */
  downgradeTo?: string;
  alerts?: BudgetAlerts;
}

export interface BudgetAlerts {
  /** Percent of the limit, ascending. */
  thresholds: number[];
  sendTo: 'shared' | 'breaching-user';
  targets: NotificationTarget[];
}
