import { randomBytes } from 'node:crypto';
import type { NotificationTarget } from '../config/channels/notification-target.ts';
import type { Log } from '../core/log.ts';
import type { Database } from '../store/database.ts';
import type { AlertDeliveriesTable } from '../store/tables/budget-tables.ts';
import { type AlertThreshold, type BudgetAlert, REFUSES, storedThreshold } from './budget-alert.ts';

/** What became of one message. */
export interface DeliveryReport {
  readonly alert: BudgetAlert;
  readonly channel: NotificationTarget['type'];
  /** Whom it went to, without a secret. */
  readonly recipient: string;
  readonly outcome: 'sent' | 'failed' | 'dropped';
  /** Absent: it was sent. */
  readonly reason?: string | undefined;
  readonly tries: number;
}

/** The newest are kept; alerts are few, since each budget's group sends one for each threshold of a period. */
const MAX_KEPT = 5_000;
const LOOK_EVERY = 100;

/** What was sent to whom, and what was not, for people that look. One that the database does not take is in the log alone. */
export class DeliveryLog {
  readonly #database: Database;
  readonly #log: Log;
  #written = 0;
  #lastAt = 0;

  constructor(database: Database, log: Log) {
    this.#database = database;
    this.#log = log;
  }

  /** Never rejects. */
  async record({ alert, channel, recipient, outcome, reason = '', tries }: DeliveryReport): Promise<void> {
    this.#lastAt = Math.max(Date.now(), this.#lastAt + 1);
    const at = this.#lastAt;
    const row: AlertDeliveriesTable = {
      id: `dlv_${at.toString(36).padStart(9, '0')}${randomBytes(6).toString('hex')}`,
      at,
      budget: alert.budget,
      unit: alert.unit,
      period_start: alert.periodStart,
      group_value: alert.group,
      threshold: storedThreshold(alert.threshold),
      spent: alert.spent,
      limit_amount: alert.limit,
      channel,
      recipient,
      outcome,
      reason: reason === '' ? null : reason,
      tries,
    };
    try {
      await this.#database.query.insertInto('alert_deliveries').values(row).execute();
      this.#written += 1;
      if (this.#written % LOOK_EVERY === 1) await forgetOld(this.#database);
    } catch (error) {
      this.#log.warn({ error, channel, outcome }, 'what became of an alert could not be kept');
    }
  }
}

async function forgetOld({ query }: Database): Promise<void> {
  const kept = await query
    .selectFrom('alert_deliveries')
    .select('id')
    .orderBy('id', 'desc')
    .offset(MAX_KEPT - LOOK_EVERY)
    .limit(1)
    .executeTakeFirst();
  if (kept !== undefined) await query.deleteFrom('alert_deliveries').where('id', '<', kept.id).execute();
}

export interface ToldDelivery extends Omit<AlertDeliveriesTable, 'threshold'> {
  readonly threshold: AlertThreshold;
}

/** Newest first, over all gateways; `after`: the id of the last one of the page before. */
export async function pageOfDeliveries(
  { query }: Database,
  after: string | undefined,
  limit: number,
): Promise<{ readonly rows: readonly ToldDelivery[]; readonly hasMore: boolean }> {
  const base = query.selectFrom('alert_deliveries').selectAll();
  const found = await (after === undefined ? base : base.where('id', '<', after))
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  const rows = found.slice(0, limit).map((row) => ({ ...row, threshold: readThreshold(row.threshold) }));
  return { rows, hasMore: found.length > limit };
}

function readThreshold(stored: number): AlertThreshold {
  return stored === REFUSES ? 'refuses' : stored / 1000;
}
