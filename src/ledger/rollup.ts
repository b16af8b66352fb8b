import type { UsageTable } from '../store/tables/ledger-tables.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';
import type { Series } from './labels.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

export const USAGE_KEYS = ['series', 'starts_at'] as const;
export const USAGE_SUMS = [
  'requests',
  'errors',
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_creation_tokens',
  'reasoning_tokens',
  'estimated_requests',
  'unknown_usage_requests',
  'cost_nano_usd',
  'unknown_cost_requests',
  'duration_ms',
  'overhead_us',
] as const;

/** The sums of one batch: added up in memory, so that the database sees one row a series and hour. */
export class Rollup {
  /** By the beginning of the hour: nearly always one. */
  readonly #hours = new Map<number, Map<Series, UsageTable>>();

  add(record: RecordView, series: Series, endedAtMs: number): void {
    const hour = endedAtMs - (endedAtMs % HOUR_MS);
    let ofHour = this.#hours.get(hour);
    if (ofHour === undefined) {
      ofHour = new Map();
      this.#hours.set(hour, ofHour);
    }
    let sums = ofHour.get(series);
    if (sums === undefined) {
      sums = noUsage(series.series, hour);
      ofHour.set(series, sums);
    }
    addRecord(sums, record);
  }

  hourly(): UsageTable[] {
    return merged(this.#all(), (startsAt) => startsAt);
  }

  daily(): UsageTable[] {
    return merged(this.#all(), (startsAt) => startsAt - (startsAt % DAY_MS));
  }

  *#all(): Iterable<UsageTable> {
    for (const ofHour of this.#hours.values()) yield* ofHour.values();
  }
}

export function noUsage(series: string, startsAtMs: number): UsageTable {
  return {
    series,
    starts_at: startsAtMs,
    requests: 0,
    errors: 0,
    input_tokens: 0,
    output_tokens: 0,
    cache_read_tokens: 0,
    cache_creation_tokens: 0,
    reasoning_tokens: 0,
    estimated_requests: 0,
    unknown_usage_requests: 0,
    cost_nano_usd: 0,
    unknown_cost_requests: 0,
    duration_ms: 0,
    overhead_us: 0,
  };
}

/** Keys are unique afterwards: two objects of one series come from a book that forgot it in between. */
function merged(rows: Iterable<UsageTable>, bucket: (startsAt: number) => number): UsageTable[] {
  const sums = new Map<string, UsageTable>();
  for (const row of rows) {
    const startsAt = bucket(row.starts_at);
    const key = `${row.series} ${startsAt}`;
    let sum = sums.get(key);
    if (sum === undefined) {
      sum = noUsage(row.series, startsAt);
      sums.set(key, sum);
    }
    for (const name of USAGE_SUMS) sum[name] += row[name];
  }
  return [...sums.values()];
}

function addRecord(sums: UsageTable, record: RecordView): void {
  const { usage, costNanoUsd } = record;
  sums.requests += 1;
  if (record.outcome === 'error' || record.outcome === 'cut') sums.errors += 1;
  // A target that refused used nothing: that nobody counted it is no gap.
  const answered = record.target !== undefined && record.outcome !== 'error';
  if (usage !== undefined) {
    // Sums of what is known: the gaps are counted beside them.
    if (usage.inputTokens !== undefined) sums.input_tokens += usage.inputTokens;
    if (usage.outputTokens !== undefined) sums.output_tokens += usage.outputTokens;
    if (usage.cacheReadInputTokens !== undefined) sums.cache_read_tokens += usage.cacheReadInputTokens;
    if (usage.cacheCreationInputTokens !== undefined) sums.cache_creation_tokens += usage.cacheCreationInputTokens;
    if (usage.reasoningOutputTokens !== undefined) sums.reasoning_tokens += usage.reasoningOutputTokens;
    if (record.usageSource === 'estimate') sums.estimated_requests += 1;
  } else if (answered) sums.unknown_usage_requests += 1;
  if (costNanoUsd !== undefined) sums.cost_nano_usd += costNanoUsd;
  else if (answered) sums.unknown_cost_requests += 1;
  sums.duration_ms += Math.round(record.durationMs);
  sums.overhead_us += Math.round(record.overheadMs * 1000);
}
