import { stringify } from 'csv-stringify/sync';
import { dollarText, placesOf } from '../../core/dollars.ts';
import { COUNTER_NAMES, USAGE_COUNTERS } from '../../inference/usage-counters.ts';
import type { UsageDimension } from '../../ledger/usage-groups.ts';
import type { UsageReport, UsageSums } from '../../ledger/usage-report.ts';
import { type Latency, latencyCount, latencyQuantile } from '../../store/latency-buckets.ts';

/** Columns behind those of the groups, in this order. */
const COLUMNS = [
  'requests',
  'errors',
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_creation_tokens',
  'reasoning_tokens',
  'estimated_requests',
  'unknown_usage_requests',
  'unknown_cost_requests',
  'cost_usd',
  'duration_ms',
] as const;
/** Behind them: all counters whose sums are no columns of their own. */
const COUNTER_COLUMNS = COUNTER_NAMES.map((name) => USAGE_COUNTERS[name]).flatMap((counter) =>
  'sum' in counter ? [] : [counter.column],
);

const LEAST_PLACES = 6;

/** A report as the admin API and `sluice usage --format json` give it. */
export function usageJson(report: UsageReport, by: readonly UsageDimension[]): object {
  return {
    since: new Date(report.sinceMs).toISOString(),
    until: new Date(report.untilMs).toISOString(),
    sums_of: report.sumsOf,
    by,
    rows: report.rows.map(({ group, sums, latencies }) => ({
      ...Object.fromEntries(by.map((dimension, index) => [dimension, group[index] ?? null])),
      ...sumsJson(sums),
      ...latenciesJson(latencies),
    })),
    total: { ...sumsJson(report.total), ...latenciesJson(report.latencies) },
  };
}

/** One line a group; no total, so that a column can be added up. */
export function usageCsv(report: UsageReport, by: readonly UsageDimension[]): string {
  const lines = report.rows.map(({ group, sums }) => [...group.map((value) => value ?? ''), ...values(sums)]);
  // What begins like a formula would be one where the file is opened: names come from clients.
  return stringify([[...by, ...COLUMNS, ...COUNTER_COLUMNS], ...lines], { escape_formulas: true });
}

/** The report as a terminal shows it. */
export function usageTable(report: UsageReport, by: readonly UsageDimension[]): string[] {
  const headings = [...by, 'requests', 'errors', 'input', 'output', 'cost_usd'].map((name) => name.toUpperCase());
  // As many for all as one of them needs, so that the points stand below each other.
  const places = Math.max(
    LEAST_PLACES,
    ...[...report.rows, { sums: report.total }].map(({ sums }) => placesOf(sums.cost_nano_usd)),
  );
  const line = (group: readonly (string | null)[], sums: UsageSums): string[] => [
    ...group.map((value) => (value ?? '-').replaceAll(/\p{C}/gu, '?')),
    String(sums.requests),
    String(sums.errors),
    String(sums.input_tokens),
    String(sums.output_tokens),
    `${dollarText(sums.cost_nano_usd, places)}${sums.unknown_cost_requests > 0 ? '+' : ''}`,
  ];
  const totalOf = by.map((_, index) => (index === 0 ? 'total' : ''));
  const lines = [headings, ...report.rows.map(({ group, sums }) => line(group, sums)), line(totalOf, report.total)];
  const widths = headings.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  const text = lines.map((cells) =>
    cells
      .map((cell, column) =>
        column < by.length ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  if (by.includes('team')) text.push('Who is in several teams counts for each; the total counts every request once.');
  if (report.total.unknown_cost_requests > 0)
    text.push(`+ of ${report.total.unknown_cost_requests} answered requests no cost is known`);
  return text;
}

/** Null where nothing was counted. */
function latenciesJson(counts: readonly number[] | undefined): object {
  if (counts === undefined) return {};
  const told = (latency: Latency) => ({
    count: latencyCount(latency, counts),
    p50: latencyQuantile(latency, counts, 0.5) ?? null,
    p95: latencyQuantile(latency, counts, 0.95) ?? null,
    p99: latencyQuantile(latency, counts, 0.99) ?? null,
  });
  return { first_content_ms: told('first_content'), overhead_ms: told('overhead') };
}

function sumsJson(sums: UsageSums): object {
  return { ...sums, cost_usd: sums.cost_nano_usd / 1e9 };
}

function values(sums: UsageSums): (string | number)[] {
  return [
    ...COLUMNS.map((column) => (column === 'cost_usd' ? dollarText(sums.cost_nano_usd) : sums[column])),
    ...COUNTER_COLUMNS.map((column) => sums.counters[column] ?? 0),
  ];
}
