import type { Database } from '../store/database.ts';
import type { UsageCountersTable, UsageLatenciesTable, UsageTable } from '../store/tables/ledger-tables.ts';
import { closedSums, closedUntil, type SpanSums } from './closed-sums.ts';
import { COUNTER_SUMS, LATENCY_SUMS, USAGE_SUMS } from './rollup.ts';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;
/** Different users, models, … in the time asked for, before it is refused: they are grouped in memory. */
export const MAX_SUMS = 250_000;

export interface Span {
  readonly table: 'usage_hourly' | 'usage_daily';
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Hours or days apart. */
  readonly inTime: boolean;
  /** Series apart; where it is nobody's question who it was, the database adds up a thousand rows to one. */
  readonly inSeries: boolean;
}

type SumTable = `usage_${'' | 'counters_' | 'latencies_'}${'hourly' | 'daily'}`;

/** One kind of sums that are kept of each hour and day of a series. */
interface SumKind<Row> {
  readonly tables: Readonly<Record<Span['table'], SumTable>>;
  /** What its rows are apart by besides series and time. */
  readonly keys: readonly string[];
  readonly sums: readonly string[];
  /** Never set: it only carries the type. */
  readonly row?: Row;
}

const USAGE: SumKind<UsageTable> = {
  tables: { usage_hourly: 'usage_hourly', usage_daily: 'usage_daily' },
  keys: [],
  sums: USAGE_SUMS,
};
const COUNTERS: SumKind<UsageCountersTable> = {
  tables: { usage_hourly: 'usage_counters_hourly', usage_daily: 'usage_counters_daily' },
  keys: ['counter'],
  sums: COUNTER_SUMS,
};
const LATENCIES: SumKind<UsageLatenciesTable> = {
  tables: { usage_hourly: 'usage_latencies_hourly', usage_daily: 'usage_latencies_daily' },
  keys: [],
  sums: LATENCY_SUMS,
};

/** What stands in a row that was added up over series or time. */
const NO_KEYS = { series: '', starts_at: 0 };

/** Many rows that are kept apart are asked for anew each time: they would be too many to remember. */
export function sumsOf(database: Database, span: Span, beyond: 'latencies' | undefined): Promise<SpanSums> {
  const ask = async (): Promise<SpanSums> => ({
    sums: await summed(database, span, USAGE),
    counters: await summed(database, span, COUNTERS),
    latencies: beyond === undefined ? [] : await summed(database, span, LATENCIES),
  });
  const isClosed = span.untilMs <= closedUntil(span.table === 'usage_hourly' ? HOUR_MS : DAY_MS);
  if (!isClosed || (span.inTime && span.inSeries)) return ask();
  return closedSums(database, JSON.stringify([span, beyond]), ask);
}

/** One more than may be grouped shows that there are more. */
async function summed<Row>(
  { query }: Database,
  { table, sinceMs, untilMs, inTime, inSeries }: Span,
  { tables, keys, sums }: SumKind<Row>,
): Promise<Row[]> {
  const { ref } = query.dynamic;
  const base = query
    .selectFrom(tables[table])
    .where('starts_at', '>=', sinceMs)
    .where('starts_at', '<', untilMs)
    .limit(MAX_SUMS + 1);
  // The columns of its tables are those of its rows.
  if (inTime && inSeries) return (await base.selectAll().execute()) as Row[];
  const apart = [...(inSeries ? ['series'] : []), ...(inTime ? ['starts_at'] : []), ...keys].map((key) => ref(key));
  const rows = await base
    .select(({ fn }) => [...apart, ...sums.map((sum) => fn.sum<number>(ref(sum)).as(sum))])
    .groupBy(apart)
    .execute();
  return rows.map((row) => ({ ...NO_KEYS, ...row })) as Row[];
}
