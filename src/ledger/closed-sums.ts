import type { Database } from '../store/database.ts';
import type { UsageCountersTable, UsageLatenciesTable, UsageTable } from '../store/tables/ledger-tables.ts';

/** The sums of some hours or days. */
export interface SpanSums {
  readonly sums: readonly UsageTable[];
  readonly counters: readonly UsageCountersTable[];
  readonly latencies: readonly UsageLatenciesTable[];
}

interface Remembered {
  readonly sums: Promise<SpanSums>;
  readonly untilMs: number;
  rows: number;
}

/** Other gateways may still write to a database that is shared. */
const REMEMBERED_MS = 60_000;
/** An exchange counts for the hour in which it ended, and is written seconds later. */
const CLOSED_AFTER_MS = 3_600_000;
const MAX_ROWS_OF_ONE = 5_000;
/** The rows of all entries, about 10 MB. */
const MAX_ROWS = 20_000;

const remembered = new WeakMap<Database, Map<string, Remembered>>();

/** The start of the first hour or day, of `stepMs`, that is not over for long enough. */
export function closedUntil(stepMs: number): number {
  return Math.floor((Date.now() - CLOSED_AFTER_MS) / stepMs) * stepMs;
}

/**
 * Sums of hours that are over do not change: whoever looks at the console each ten seconds, and everybody who does so beside
 * them, has these added up once a minute, and the open hour anew. `name`: of what is asked, and of nothing else.
 */
export function closedSums(database: Database, name: string, ask: () => Promise<SpanSums>): Promise<SpanSums> {
  const known = remembered.get(database) ?? new Map<string, Remembered>();
  remembered.set(database, known);
  const now = performance.now();
  const before = known.get(name);
  if (before !== undefined && now < before.untilMs) return before.sums;
  const entry: Remembered = { sums: ask(), untilMs: now + REMEMBERED_MS, rows: 0 };
  known.set(name, entry);
  const forget = (): void => {
    if (known.get(name) === entry) known.delete(name);
  };
  entry.sums.then(({ sums, counters, latencies }) => {
    entry.rows = sums.length + counters.length + latencies.length;
    for (const [each, { untilMs }] of known) if (untilMs <= now) known.delete(each);
    const all = [...known.values()].reduce((total, { rows }) => total + rows, 0);
    if (entry.rows > MAX_ROWS_OF_ONE || all > MAX_ROWS) forget();
    // The database did not answer: the next one asks anew.
  }, forget);
  return entry.sums;
}

/** Something was written to hours that were over, or taken out of them. */
export function forgetClosedSums(database: Database): void {
  remembered.delete(database);
}
