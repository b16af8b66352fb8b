import type { Database } from '../store/database.ts';
import { type BudgetAlert, REFUSES, storedThreshold } from './budget-alert.ts';

/*
 * Each alert once, over gateways and restarts: whoever inserts its row sends it. One that was claimed and not sent (the
 * gateway was killed in between) is claimed anew after a while, so in that case it may come twice rather than never.
 */

/** Longer than all tries of all channels. */
const CLAIM_MS = 300_000;
const MOST_AT_ONCE = 100;

export type AlertClaim = Pick<
  BudgetAlert,
  'budget' | 'unit' | 'periodStart' | 'group' | 'threshold' | 'spent' | 'limit'
>;

/** False: it was claimed before. */
export async function claimAlert(database: Database, alert: AlertClaim, nowMs: number): Promise<boolean> {
  const inserted = await database.query
    .insertInto('budget_alerts')
    .values({
      ...keyOf(alert),
      due_at: nowMs,
      spent: alert.spent,
      limit_amount: alert.limit,
      sent_at: 0,
      claimed_until: nowMs + CLAIM_MS,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('threshold')
    .execute();
  return inserted.length > 0;
}

export async function alertSent(database: Database, alert: AlertClaim, nowMs: number): Promise<void> {
  await matching(database, alert).set({ sent_at: nowMs }).execute();
}

/** Claims that somebody did not live to keep. */
export async function reclaimAlerts(database: Database, nowMs: number): Promise<AlertClaim[]> {
  const left = await database.query
    .selectFrom('budget_alerts')
    .selectAll()
    .where('sent_at', '=', 0)
    .where('claimed_until', '<', nowMs)
    .limit(MOST_AT_ONCE)
    .execute();
  const ours: AlertClaim[] = [];
  for (const row of left) {
    const claim: AlertClaim = {
      budget: row.budget,
      unit: row.unit,
      periodStart: row.period_start,
      group: row.group_value,
      threshold: row.threshold === REFUSES ? 'refuses' : row.threshold / 1000,
      spent: row.spent,
      limit: row.limit_amount,
    };
    const claimed = await matching(database, claim)
      .set({ claimed_until: nowMs + CLAIM_MS })
      .where('claimed_until', '=', row.claimed_until)
      .returning('threshold')
      .execute();
    if (claimed.length > 0) ours.push(claim);
  }
  return ours;
}

function matching(database: Database, alert: AlertClaim) {
  const key = keyOf(alert);
  return database.query
    .updateTable('budget_alerts')
    .where('budget', '=', key.budget)
    .where('unit', '=', key.unit)
    .where('period_start', '=', key.period_start)
    .where('group_value', '=', key.group_value)
    .where('threshold', '=', key.threshold);
}

function keyOf({ budget, unit, periodStart, group, threshold }: AlertClaim) {
  return {
    budget,
    unit,
    period_start: periodStart,
    group_value: group,
    threshold: storedThreshold(threshold),
  };
}
