import type { Database } from '../store/database.ts';
import { LATENCY_COLUMNS } from '../store/latency-buckets.ts';
import type {
  LedgerSeriesTable,
  UsageCountersTable,
  UsageLatenciesTable,
  UsageTable,
} from '../store/tables/ledger-tables.ts';
import { closedUntil } from './closed-sums.ts';
import { noUsage, USAGE_SUMS } from './rollup.ts';
import { DAY_MS, HOUR_MS, MAX_SUMS, type Span, sumsOf } from './span-sums.ts';
import { groupsOf, type UsageDimension } from './usage-groups.ts';

const PAGE_SERIES = 500;
const TURN_SUMS = 1_000;

export interface UsageQuery {
  readonly by: readonly UsageDimension[];
  /** Milliseconds since the Unix epoch; whole hours around them are taken, or whole days where hours are no longer kept. */
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Whose exchanges are summed; absent: all. */
  readonly sees?: (of: Pick<LedgerSeriesTable, 'subject' | 'teams' | 'metadata'>) => boolean;
  /** Figures beyond sums; absent: none. */
  readonly beyond?: 'latencies' | undefined;
}

/** `counters`: of what has no column of its own, by the columns of USAGE_COUNTERS; those that were told. */
export type UsageSums = Omit<UsageTable, 'series' | 'starts_at'> & { readonly counters: Record<string, number> };

export interface UsageRow {
  /** Values in the order of `by`; null: it has none. */
  readonly group: readonly (string | null)[];
  readonly sums: UsageSums;
  /** Counts of each of LATENCY_COLUMNS, where they were asked for. Exchanges of before they were kept are in none. */
  readonly latencies: number[] | undefined;
}

export interface UsageReport {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly sumsOf: 'hours' | 'days';
  readonly rows: readonly UsageRow[];
  /**
   * The sums of all exchanges, each once: rows by team may add up to more, since who is in two teams counts for both.
   */
  readonly total: UsageSums;
  readonly latencies: number[] | undefined;
}

/** A text: why it cannot be said. */
export async function usageReport(database: Database, query: UsageQuery): Promise<UsageReport | string> {
  const { by } = query;
  const table = (await hoursReach(database, query.sinceMs)) ? 'usage_hourly' : 'usage_daily';
  if (table === 'usage_daily' && by.includes('hour')) return 'Hours are no longer kept from so long ago: ask by day.';
  const step = table === 'usage_hourly' ? HOUR_MS : DAY_MS;
  const sinceMs = Math.floor(query.sinceMs / step) * step;
  const untilMs = Math.ceil(query.untilMs / step) * step;
  const sums: UsageTable[] = [];
  const counters: UsageCountersTable[] = [];
  const latencies: UsageLatenciesTable[] = [];
  for (const span of spansOf(table, sinceMs, untilMs, query)) {
    const known = await sumsOf(database, span, query.beyond);
    for (const sum of known.sums) sums.push(sum);
    for (const counter of known.counters) counters.push(counter);
    for (const latency of known.latencies) latencies.push(latency);
  }
  if (sums.length > MAX_SUMS || counters.length > MAX_SUMS)
    return `There are more than ${MAX_SUMS} combinations of user, key, model and so on in that time: ask for less of it.`;
  const series = await seriesOf(database, new Set(sums.map((sum) => sum.series)));
  const hidden = hiddenOf(series, query);
  const noLatencies = () => (query.beyond === undefined ? undefined : LATENCY_COLUMNS.map(() => 0));
  const all = { sums: noSums(), latencies: noLatencies() };
  const rows = new Map<string, UsageRow>();
  const rowsOf = ({ series: name, starts_at }: UsageTable | UsageCountersTable | UsageLatenciesTable): UsageRow[] =>
    groupsOf(by, series.get(name), starts_at).map((group) => {
      const key = JSON.stringify(group);
      const row = rows.get(key) ?? { group, sums: noSums(), latencies: noLatencies() };
      rows.set(key, row);
      return row;
    });
  const inTime = by.includes('day') || by.includes('hour');
  /** The same labels stand in several rows, and to find their groups takes longer than to add them up. */
  const known = new Map<string, UsageRow[]>();
  let sinceTurn = 0;
  for (const list of [sums, counters, latencies]) {
    for (const sum of list) {
      sinceTurn += 1;
      // A millisecond or two: whoever asks for much does not keep the ledger from being written.
      if (sinceTurn % TURN_SUMS === 0) await new Promise((resolve) => setImmediate(resolve));
      if (hidden?.(sum.series)) continue;
      add(all, sum);
      const name = inTime ? `${sum.starts_at} ${sum.series}` : sum.series;
      let found = known.get(name);
      if (found === undefined) {
        found = rowsOf(sum);
        known.set(name, found);
      }
      for (const row of found) add(row, sum);
    }
  }
  return {
    sinceMs,
    untilMs,
    sumsOf: table === 'usage_hourly' ? 'hours' : 'days',
    rows: sorted([...rows.values()], by),
    total: all.sums,
    latencies: all.latencies,
  };
}

/** Nobody can tell whose a series is that is not known. Undefined: nothing is hidden. */
function hiddenOf(
  series: ReadonlyMap<string, LedgerSeriesTable>,
  { sees }: UsageQuery,
): ((name: string) => boolean) | undefined {
  if (sees === undefined) return undefined;
  const visible = new Set([...series.values()].filter(sees).map((each) => each.series));
  return (name) => !visible.has(name);
}

/** Whether hourly sums are there for all of that time: days stay for ever, hours do not. */
async function hoursReach(database: Database, sinceMs: number): Promise<boolean> {
  const hour = await database.query
    .selectFrom('usage_hourly')
    .select(({ fn }) => fn.min('starts_at').as('oldest'))
    .executeTakeFirst();
  const day = await database.query
    .selectFrom('usage_daily')
    .select(({ fn }) => fn.min('starts_at').as('oldest'))
    .where('starts_at', '>=', Math.floor(sinceMs / DAY_MS) * DAY_MS)
    .executeTakeFirst();
  if (!day?.oldest) return true;
  // Hours are taken away by whole days: the day of the oldest hour is whole.
  return hour?.oldest ? day.oldest >= Math.floor(hour.oldest / DAY_MS) * DAY_MS : false;
}

/** Whole days are read from the sums of days, which are few, and what is around them from those of hours. */
function spansOf(table: Span['table'], sinceMs: number, untilMs: number, { by, sees }: UsageQuery): Span[] {
  const inTime = by.includes('day') || by.includes('hour');
  const inSeries = !inTime || sees !== undefined || by.some((dimension) => dimension !== 'day' && dimension !== 'hour');
  const apart = { inTime, inSeries };
  const firstDay = Math.ceil(sinceMs / DAY_MS) * DAY_MS;
  const lastDay = Math.floor(untilMs / DAY_MS) * DAY_MS;
  if (table === 'usage_daily' || by.includes('hour') || firstDay >= lastDay)
    return closedApart({ table, sinceMs, untilMs, ...apart });
  const spans: Span[] = [
    { table, sinceMs, untilMs: firstDay, ...apart },
    { table: 'usage_daily', sinceMs: firstDay, untilMs: lastDay, ...apart },
    { table, sinceMs: lastDay, untilMs, ...apart },
  ];
  return spans.filter((span) => span.sinceMs < span.untilMs).flatMap(closedApart);
}

/** Spans that are over, and those that still grow. */
function closedApart(span: Span): Span[] {
  const until = closedUntil(span.table === 'usage_hourly' ? HOUR_MS : DAY_MS);
  if (span.sinceMs >= until || span.untilMs <= until) return [span];
  return [
    { ...span, untilMs: until },
    { ...span, sinceMs: until },
  ];
}

async function seriesOf(database: Database, names: ReadonlySet<string>): Promise<Map<string, LedgerSeriesTable>> {
  const found = new Map<string, LedgerSeriesTable>();
  const all = [...names];
  for (let start = 0; start < all.length; start += PAGE_SERIES) {
    const page = await database.query
      .selectFrom('ledger_series')
      .selectAll()
      .where('series', 'in', all.slice(start, start + PAGE_SERIES))
      .execute();
    for (const each of page) found.set(each.series, each);
  }
  return found;
}

function noSums(): UsageSums {
  const { series: _series, starts_at: _startsAt, ...sums } = noUsage('', 0);
  return { ...sums, counters: {} };
}

function add(
  { sums, latencies }: Omit<UsageRow, 'group'>,
  more: UsageTable | UsageCountersTable | UsageLatenciesTable,
) {
  if ('counter' in more) {
    const { counter, amount } = more;
    sums.counters[counter] = (sums.counters[counter] ?? 0) + amount;
  } else if ('requests' in more) for (const name of USAGE_SUMS) sums[name] += more[name];
  else if (latencies !== undefined) {
    for (const [bucket, column] of LATENCY_COLUMNS.entries()) latencies[bucket]! += more[column]!;
  }
}

/** In time where it is by time, else what cost most first. */
function sorted(rows: UsageRow[], by: readonly UsageDimension[]): UsageRow[] {
  const inTime = by.includes('day') || by.includes('hour');
  return rows.sort((a, b) => {
    if (!inTime) {
      const difference = b.sums.cost_nano_usd - a.sums.cost_nano_usd || b.sums.requests - a.sums.requests;
      if (difference !== 0) return difference;
    }
    return compare(a.group, b.group);
  });
}

function compare(a: UsageRow['group'], b: UsageRow['group']): number {
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? '';
    if ((value ?? '') !== other) return (value ?? '') < other ? -1 : 1;
  }
  return 0;
}
