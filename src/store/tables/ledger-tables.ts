import type { LatencyColumn } from '../latency-buckets.ts';

/** Times are milliseconds since the Unix epoch, money is integer nano-dollars (1e-9 USD). */
export interface LedgerTables {
  ledger_frames: LedgerFramesTable;
  ledger_ids: LedgerIdsTable;
  ledger_labels: LedgerLabelsTable;
  ledger_series: LedgerSeriesTable;
  ledger_chains: LedgerChainsTable;
  price_tables: PriceTablesTable;
  usage_hourly: UsageTable;
  usage_daily: UsageTable;
  usage_counters_hourly: UsageCountersTable;
  usage_counters_daily: UsageCountersTable;
  usage_latencies_hourly: UsageLatenciesTable;
  usage_latencies_daily: UsageLatenciesTable;
}

/** Up to some thousand exchanges, column by column and compressed (store/ledger-frame.ts): `sluice ledger export` prints them. */
export interface LedgerFramesTable {
  /** Number of the chain × 2^40 + number in the chain of its first exchange: it orders every chain (ledger/chain-position.ts). */
  position: number;
  /** Exchanges in it. */
  row_count: number;
  /** When the first and the last of them ended. */
  ended_from: number;
  ended_to: number;
  /** SHA-256 in base64url over the hash of the frame before it and all else here (store/frame-hash.ts). */
  hash: string;
  data: Uint8Array;
}

/** Which exchanges a frame has, by the blocks of their ids (store/id-blocks.ts). */
export interface LedgerIdsTable {
  block: string;
  position: number;
  rests: string;
}

/** What repeats from exchange to exchange, once, by the hash of its content. */
export interface LedgerLabelsTable {
  labels: string;
  /** See ledger_series. */
  series: string;
  method: string;
  path: string;
  /** 0 or 1. */
  stream: number;
  outcome: string;
  error_code: string | null;
  usage_source: string | null;
  /** Hash of the rates that the cost came from; `reported`: the provider's own bill; null: no cost. */
  price_table: string | null;
  price_version: string | null;
  /** JSON as in `x-tfy-applied-rules`. */
  rules: string | null;
  /** JSON array of `[budget id, group]`. */
  charges: string | null;
}

/** What usage is added up by, once, by the hash of its content. */
export interface LedgerSeriesTable {
  series: string;
  subject: string | null;
  key_id: string | null;
  /** JSON array of names. */
  teams: string | null;
  model: string | null;
  target: string | null;
  provider: string | null;
  /** JSON object of `ledger.metadata_keys`. */
  metadata: string | null;
}

/** One chain of hashes a gateway. */
export interface LedgerChainsTable {
  gateway: string;
  chain: number;
  /** The newest exchange, and the hash of its frame. */
  head_seq: number;
  head_hash: string;
  /** The newest exchange that retention took away, and the hash of its frame; 0 and empty: none. */
  anchor_seq: number;
  anchor_hash: string;
}

export interface PriceTablesTable {
  /** SHA-256 of `rates`. */
  hash: string;
  /** JSON (usage/price-basis.ts). */
  rates: string;
  /** Where they came from, as `account` or the price library with its version. */
  version: string;
}

/** Sums over the exchanges of one series that ended in one hour or day (UTC). */
export interface UsageTable {
  series: string;
  /** When the hour or day begins. */
  starts_at: number;
  requests: number;
  /** Refused, failed or cut off; a client that left is none. */
  errors: number;
  /** Sums of what is known. */
  input_tokens: number;
  output_tokens: number;
  cache_read_tokens: number;
  cache_creation_tokens: number;
  reasoning_tokens: number;
  /** Exchanges whose tokens were estimated, and those of which nothing is known although they were answered. */
  estimated_requests: number;
  unknown_usage_requests: number;
  cost_nano_usd: number;
  /** Answered, and no cost is known. */
  unknown_cost_requests: number;
  duration_ms: number;
  overhead_us: number;
}

/** Sums of what has no column in the tables above, a row for each counter that was told in that hour or day. */
export interface UsageCountersTable {
  series: string;
  starts_at: number;
  /** Column of the counter (inference/usage-counters.ts). */
  counter: string;
  amount: number;
}

/** Histograms of latencies over the exchanges of one series that ended in one hour or day (store/latency-buckets.ts). */
export type UsageLatenciesTable = { series: string; starts_at: number } & Record<LatencyColumn, number>;
