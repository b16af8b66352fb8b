import { setTimeout as delay } from 'node:timers/promises';
import type { LedgerSettings } from '../config/server/ledger.ts';
import type { Log } from '../core/log.ts';
import { removeAudit } from '../store/audit.ts';
import type { Database } from '../store/database.ts';
import { chainPosition, seqOf } from './chain-position.ts';

const DAY_MS = 86_400_000;
/** Frames taken away in one transaction, so that nobody waits long for it. */
const STEP_FRAMES = 50;
const STEP_PAUSE_MS = 20;
const FIRST_LOOK_MS = 60_000;
const LOOK_MS = 3_600_000;

/** Takes away what is older than the settings say, an hour late at most. Daily sums stay for ever. */
export class Retention {
  readonly #database: Database;
  readonly #settings: () => LedgerSettings;
  readonly #log: Log;
  #timer: NodeJS.Timeout;
  #stopped = false;

  constructor(database: Database, settings: () => LedgerSettings, log: Log) {
    this.#database = database;
    this.#settings = settings;
    this.#log = log;
    this.#timer = setTimeout(() => void this.#look(), FIRST_LOOK_MS).unref();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    try {
      const { retentionDays, hourlyRetentionDays, auditRetentionDays } = this.#settings();
      const stopped = () => this.#stopped;
      if (retentionDays > 0) await removeRows(this.#database, dayBefore(retentionDays, Date.now()), stopped);
      if (hourlyRetentionDays > 0)
        await removeHours(this.#database, dayBefore(hourlyRetentionDays, Date.now()), stopped);
      if (auditRetentionDays > 0) await removeAudit(this.#database, dayBefore(auditRetentionDays, Date.now()));
    } catch (error) {
      this.#log.warn({ error }, 'old rows of the ledger could not be taken away; they are tried again in an hour');
    }
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#look(), LOOK_MS).unref();
  }
}

/** The beginning of the first day that is kept: whole days only. */
export function dayBefore(days: number, nowMs: number): number {
  return Math.floor((nowMs - days * DAY_MS) / DAY_MS) * DAY_MS;
}

/**
 * Frames whose exchanges ended before `beforeMs`, from the old end of each chain up to the first that is kept; the newest that
 * goes leaves number and hash as the chain's anchor, from which verify begins. Gives how many exchanges.
 */
export async function removeRows(
  database: Database,
  beforeMs: number,
  stopped: () => boolean = () => false,
): Promise<number> {
  let removed = 0;
  const chains = await database.query.selectFrom('ledger_chains').select(['gateway', 'chain']).execute();
  for (const { gateway, chain } of chains) {
    for (;;) {
      if (stopped()) return removed;
      const step = await removeStep(database, gateway, chain, beforeMs);
      removed += step.rows;
      if (step.frames < STEP_FRAMES) break;
      await delay(STEP_PAUSE_MS);
    }
  }
  return removed;
}

async function removeStep(database: Database, gateway: string, chain: number, beforeMs: number) {
  const oldest = await database.query
    .selectFrom('ledger_frames')
    .select(['position', 'row_count', 'ended_to', 'hash'])
    .where('position', '>', chainPosition(chain, 0))
    .where('position', '<', chainPosition(chain + 1, 0))
    .orderBy('position')
    .limit(STEP_FRAMES)
    .execute();
  const kept = oldest.findIndex((frame) => frame.ended_to >= beforeMs);
  const old = kept === -1 ? oldest : oldest.slice(0, kept);
  const last = old.at(-1);
  if (last === undefined) return { frames: 0, rows: 0 };
  const anchorSeq = seqOf(last.position) + last.row_count - 1;
  await database.write(async ({ query }) => {
    // The anchor first: its lock keeps two gateways from taking the same frames away, and it never goes back.
    const moved = await query
      .updateTable('ledger_chains')
      .set({ anchor_seq: anchorSeq, anchor_hash: last.hash })
      .where('gateway', '=', gateway)
      .where('anchor_seq', '<', anchorSeq)
      .executeTakeFirst();
    if (moved.numUpdatedRows === 0n) return;
    for (const table of ['ledger_frames', 'ledger_ids'] as const)
      await query
        .deleteFrom(table)
        .where('position', '>', chainPosition(chain, 0))
        .where('position', '<=', last.position)
        .execute();
  });
  return { frames: old.length, rows: old.reduce((sum, { row_count }) => sum + row_count, 0) };
}

/** Hourly sums that begin before `beforeMs`. */
export async function removeHours(
  database: Database,
  beforeMs: number,
  stopped: () => boolean = () => false,
): Promise<void> {
  for (;;) {
    const hour = await database.query
      .selectFrom('usage_hourly')
      .select('starts_at')
      .where('starts_at', '<', beforeMs)
      .orderBy('starts_at')
      .limit(1)
      .executeTakeFirst();
    if (hour === undefined || stopped()) return;
    // The sums last: what is left of an hour without them would never be looked for again.
    for (const table of ['usage_counters_hourly', 'usage_latencies_hourly', 'usage_hourly'] as const)
      await database.query.deleteFrom(table).where('starts_at', '=', hour.starts_at).execute();
    await delay(STEP_PAUSE_MS);
  }
}
