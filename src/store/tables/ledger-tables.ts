/** Times are milliseconds since the Unix epoch, money is integer nano-dollars (1e-9 USD). */
export interface LedgerTables {
  ledger_rows: LedgerRowsTable;
  ledger_labels: LedgerLabelsTable;
  ledger_series: LedgerSeriesTable;
  ledger_chains: LedgerChainsTable;
  price_tables: PriceTablesTable;
  usage_hourly: UsageTable;
  usage_daily: UsageTable;
  usage_counters_hourly: UsageCountersTable;
  usage_counters_daily: UsageCountersTable;
}

/**
 * One exchange, as short as it can be: a row costs what it weighs (bench/ledger). The view `ledger` has all of it in columns
 * that people can read.
 */
export interface LedgerRowsTable {
  /** Number of the chain × 2^40 + number in the chain: one column that orders every chain (ledger/chain-position.ts). */
  position: number;
  /** Of the exchange. */
  id: string;
  /** Who and what: see ledger_labels. */
  labels: string;
  started_at: number;
  ended_at: number;
  status: number;
  /** Null: nobody knows, which is not zero. */
  input_tokens: number | null;
  output_tokens: number | null;
  cost_nano_usd: number | null;
  /** Times, bytes and kinds of tokens, comma separated in the order of ledger/row-numbers.ts; empty: unknown. */
  numbers: string;
  /** JSON object of what is seldom there: the client's own request id, failed attempts, words about an error. */
  detail: string | null;
  /** SHA-256 in base64url over the hash of the row before it and all of the above (ledger/row-hash.ts). */
  hash: string;
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
  /** The newest row. */
  head_seq: number;
  head_hash: string;
  /** The newest row that retention took away; 0 and empty: none. */
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
