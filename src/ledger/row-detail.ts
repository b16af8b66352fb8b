import { SERVED_TERMS, type ServedAs, TERM_NAMES } from '../inference/served-as.ts';
import { RARE_COUNTERS, type RareCounts, USAGE_COUNTERS } from '../inference/usage-counters.ts';
import { storableText } from '../store/storable-text.ts';
import { NO_PRICE, type RecordView, type UnknownCost } from '../telemetry/exchange-record.ts';

/** Rare fields, by names that stay for ever: rows are hashed with them. A further counter needs no column. */
export interface RowDetail {
  readonly request_id?: string | undefined;
  /** `{target, error, ms, status, why, nano_usd}` of each attempt before the last. */
  readonly failed_attempts?: readonly unknown[] | undefined;
  /** What each guard came to: `{guardrail, hook, operation, strategy, result, ms, detail}`. */
  readonly guardrails?: readonly unknown[] | undefined;
  readonly error_detail?: string | undefined;
  /** Counts by the columns of their counters. */
  readonly usage?: Readonly<Record<string, number>> | undefined;
  /** Tier, speed and geography, where they are not the provider's default. */
  readonly served_as?: Readonly<Record<string, string>> | undefined;
  /** `{status, type, rule, from, saved_nano_usd}` of an exchange that asked the cache. */
  readonly cache?: unknown;
  readonly unknown_cost?: { readonly part: string; readonly charged_nano_usd?: number | undefined } | undefined;
}

/** Undefined: nothing of it. */
export function detailOf(record: RecordView): string | undefined {
  const { id, requestId, attemptsJson, guardrailsJson, cacheJson, errorDetail, usage } = record;
  const unknownCost = saidOf(record.unknownCost);
  const rare = usage?.rare;
  const servedAs = usage?.servedAs;
  if (requestId === id && attemptsJson === undefined && errorDetail === undefined && guardrailsJson === undefined) {
    if (rare === undefined && servedAs === undefined && unknownCost === undefined)
      return cacheJson && cacheDetail(cacheJson);
  }
  return JSON.stringify({
    ...(requestId !== id && { request_id: storableText(requestId) }),
    ...(attemptsJson !== undefined && { failed_attempts: JSON.parse(attemptsJson) }),
    ...(guardrailsJson !== undefined && { guardrails: JSON.parse(guardrailsJson) }),
    ...(errorDetail !== undefined && { error_detail: storableText(errorDetail) }),
    ...(rare !== undefined && { usage: countColumns(rare) }),
    ...(servedAs !== undefined && { served_as: termColumns(servedAs) }),
    ...(cacheJson !== undefined && { cache: JSON.parse(cacheJson) }),
    ...(unknownCost !== undefined && { unknown_cost: unknownCostColumns(unknownCost) }),
  } satisfies RowDetail);
}

/** All hits of one answer say the same. */
const cacheDetails = new Map<string, string>();
const MAX_CACHE_DETAILS = 1_024;

function cacheDetail(cacheJson: string): string {
  let detail = cacheDetails.get(cacheJson);
  if (detail === undefined) {
    detail = JSON.stringify({ cache: JSON.parse(cacheJson) } satisfies RowDetail);
    if (cacheDetails.size >= MAX_CACHE_DETAILS) cacheDetails.clear();
    cacheDetails.set(cacheJson, detail);
  }
  return detail;
}

function countColumns(rare: RareCounts): Record<string, number> {
  const columns: Record<string, number> = {};
  for (const name of RARE_COUNTERS) {
    const count = rare[name];
    if (count !== undefined) columns[USAGE_COUNTERS[name].column] = count;
  }
  return columns;
}

function termColumns(servedAs: ServedAs): Record<string, string> {
  const columns: Record<string, string> = {};
  for (const name of TERM_NAMES) {
    const value = servedAs[name];
    if (value !== undefined) columns[SERVED_TERMS[name].column] = value;
  }
  return columns;
}

/** That no price is known at all is said by the lack of a cost: some accounts have none for any of their answers. */
function saidOf(unknownCost: UnknownCost | undefined): UnknownCost | undefined {
  return unknownCost?.part === NO_PRICE && unknownCost.atMostNanoUsd === undefined ? undefined : unknownCost;
}

function unknownCostColumns({ part, atMostNanoUsd }: UnknownCost): NonNullable<RowDetail['unknown_cost']> {
  return { part, ...(atMostNanoUsd !== undefined && { charged_nano_usd: atMostNanoUsd }) };
}
