import { type CounterName, RARE_COUNTERS, USAGE_COUNTERS } from '../inference/usage-counters.ts';
import { firstContentBucket, LATENCY_COLUMNS, overheadBucket } from '../store/latency-buckets.ts';
import type { RowValues } from '../store/row-values.ts';
import type { UsageCountersTable, UsageTable } from '../store/tables/ledger-tables.ts';
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
] as const satisfies readonly (keyof UsageTable)[];
export const COUNTER_KEYS = ['series', 'starts_at', 'counter'] as const;
export const COUNTER_SUMS = ['amount'] as const;
export const LATENCY_KEYS = USAGE_KEYS;
export const LATENCY_SUMS = LATENCY_COLUMNS;

/** What one batch adds to the sums of hours or of days. */
export interface UsageAdditions {
  readonly usage: UsageTable[];
  readonly counters: UsageCountersTable[];
  /** In the order of LATENCY_KEYS and LATENCY_SUMS. */
  readonly latencies: RowValues[];
}

class SeriesSums {
  readonly usage: UsageTable;
  /** Sums that have no column, by counter. */
  counters: Map<CounterName, number> | undefined;
  /** The sums of each of LATENCY_COLUMNS. */
  readonly latencies = new Float64Array(LATENCY_COLUMNS.length);

  constructor(series: string, startsAtMs: number) {
    this.usage = noUsage(series, startsAtMs);
  }

  count(name: CounterName, count: number | undefined): void {
    if (count === undefined || count === 0) return;
    this.counters ??= new Map();
    this.counters.set(name, (this.counters.get(name) ?? 0) + count);
  }
}

/** The sums of one batch: added up in memory, so that the database sees one row a series and hour. */
export class Rollup {
  /** By the beginning of the hour: nearly always one. */
  readonly #hours = new Map<number, Map<Series, SeriesSums>>();

  add(record: RecordView, series: Series, endedAtMs: number): void {
    const hour = endedAtMs - (endedAtMs % HOUR_MS);
    let ofHour = this.#hours.get(hour);
    if (ofHour === undefined) {
      ofHour = new Map();
      this.#hours.set(hour, ofHour);
    }
    let sums = ofHour.get(series);
    if (sums === undefined) {
      sums = new SeriesSums(series.series, hour);
      ofHour.set(series, sums);
    }
    addRecord(sums, record);
  }

  /** Infinity: there is none. */
  get earliestHour(): number {
    return Math.min(...this.#hours.keys());
  }

  hourly(): UsageAdditions {
    return merged(this.#all(), (startsAt) => startsAt);
  }

  daily(): UsageAdditions {
    return merged(this.#all(), (startsAt) => startsAt - (startsAt % DAY_MS));
  }

  *#all(): Iterable<SeriesSums> {
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
function merged(all: Iterable<SeriesSums>, bucket: (startsAt: number) => number): UsageAdditions {
  const sums = new Map<string, SeriesSums>();
  for (const each of all) {
    const { series } = each.usage;
    const startsAt = bucket(each.usage.starts_at);
    const key = `${series} ${startsAt}`;
    let sum = sums.get(key);
    if (sum === undefined) {
      sum = new SeriesSums(series, startsAt);
      sums.set(key, sum);
    }
    for (const name of USAGE_SUMS) sum.usage[name] += each.usage[name];
    if (each.counters) for (const [name, count] of each.counters) sum.count(name, count);
    for (let bucket = 0; bucket < each.latencies.length; bucket += 1) sum.latencies[bucket]! += each.latencies[bucket]!;
  }
  const added = [...sums.values()];
  return {
    usage: added.map(({ usage }) => usage),
    counters: added.flatMap(counterRows),
    latencies: added.map(latencyRow),
  };
}

function counterRows({ usage: { series, starts_at }, counters }: SeriesSums): UsageCountersTable[] {
  if (counters === undefined) return [];
  return Array.from(counters, ([name, amount]) => ({
    series,
    starts_at,
    counter: USAGE_COUNTERS[name].column,
    amount,
  }));
}

/** At once as it is bound: twenty columns by their names would cost as much again. */
function latencyRow({ usage: { series, starts_at }, latencies }: SeriesSums): RowValues {
  return [series, starts_at, ...latencies];
}

function addRecord(sums: SeriesSums, record: RecordView): void {
  const { costNanoUsd } = record;
  const { usage: into, latencies } = sums;
  into.requests += 1;
  if (record.outcome === 'error' || record.outcome === 'cut') into.errors += 1;
  // A target that refused used nothing: that nobody counted it is no gap.
  // Nor has a tool tokens, and one without a price costs nothing.
  const answered = record.target !== undefined && record.outcome !== 'error' && record.provider !== 'mcp';
  if (record.usage !== undefined) {
    addUsage(sums, record.usage);
    if (record.usageSource === 'estimate') into.estimated_requests += 1;
  } else if (answered) into.unknown_usage_requests += 1;
  if (costNanoUsd !== undefined) into.cost_nano_usd += costNanoUsd;
  else if (answered) into.unknown_cost_requests += 1;
  into.duration_ms += Math.round(record.durationMs);
  into.overhead_us += Math.round(record.overheadMs * 1000);
  latencies[overheadBucket(record.overheadMs)]! += 1;
  if (record.firstTokenMs !== undefined) latencies[firstContentBucket(record.firstTokenMs)]! += 1;
}

/** Sums of what is known: the gaps are counted beside them. */
function addUsage(sums: SeriesSums, usage: NonNullable<RecordView['usage']>): void {
  const { usage: into } = sums;
  if (usage.inputTokens !== undefined) into.input_tokens += usage.inputTokens;
  if (usage.outputTokens !== undefined) into.output_tokens += usage.outputTokens;
  if (usage.cacheReadInputTokens !== undefined) into.cache_read_tokens += usage.cacheReadInputTokens;
  if (usage.cacheCreationInputTokens !== undefined) into.cache_creation_tokens += usage.cacheCreationInputTokens;
  if (usage.reasoningOutputTokens !== undefined) into.reasoning_tokens += usage.reasoningOutputTokens;
  sums.count('cacheCreation1hInputTokens', usage.cacheCreation1hInputTokens);
  sums.count('audioInputTokens', usage.audioInputTokens);
  sums.count('audioOutputTokens', usage.audioOutputTokens);
  const { rare } = usage;
  if (rare !== undefined) for (const name of RARE_COUNTERS) sums.count(name, rare[name]);
}
