export interface BudgetTables {
  budget_windows: BudgetWindowsTable;
  budget_alerts: BudgetAlertsTable;
  alert_deliveries: AlertDeliveriesTable;
}

/** What one gateway charged to one budget and group in one period. What was spent is the sum over gateways. */
export interface BudgetWindowsTable {
  budget: string;
  /** As written: `cost_per_day`. Units of a budget are counted apart. */
  unit: string;
  /** Milliseconds since the Unix epoch. */
  period_start: number;
  /** Values of the budget's keys as counters name them; empty: all together. */
  group_value: string;
  /** Each writes rows of its own, so that gateways never wait for each other's locks. */
  gateway: string;
  /** Nano-dollars or tokens. */
  spent: number;
}

/** One row for each alert that was due: whoever inserts it sends it, over gateways and restarts. */
export interface BudgetAlertsTable {
  budget: string;
  unit: string;
  period_start: number;
  group_value: string;
  /** Percent in thousandths: thresholds may have fractions. */
  threshold: number;
  /** When it became due; the spending is that of this moment. */
  due_at: number;
  spent: number;
  limit_amount: number;
  /** 0: not yet. A gateway that died before it sent is stood in for by another after a while. */
  sent_at: number;
  /** Until then the one that claimed it is trusted to send it. */
  claimed_until: number;
}

/** What became of one message of an alert at one channel; the newest some thousand. */
export interface AlertDeliveriesTable {
  /** In the order of time. */
  id: string;
  at: number;
  budget: string;
  unit: string;
  period_start: number;
  group_value: string;
  /** As in budget_alerts. */
  threshold: number;
  spent: number;
  limit_amount: number;
  /** Its kind: `email`, `webhook` … */
  channel: string;
  /** Addresses of an e-mail, the channel of a chat, or the host of a webhook; never a secret. */
  recipient: string;
  /** `sent`, `failed` or `dropped`. */
  outcome: string;
  /** Why it failed. */
  reason: string | null;
  tries: number;
}
