import { countIn, type Usage } from '../inference/usage.ts';
import { COUNTER_NAMES, USAGE_COUNTERS } from '../inference/usage-counters.ts';
import type { Database } from '../store/database.ts';
import { frameOf } from '../store/id-blocks.ts';
import { readFrameRows } from '../store/ledger-frame.ts';
import { NO_PRICE } from '../telemetry/exchange-record.ts';
import { chainOf, chainPosition, seqOf } from './chain-position.ts';
import { REPORTED } from './price-tables.ts';
import { readDetail, usageOfRow } from './read-row.ts';

export interface Receipt {
  readonly [part: string]: unknown;
  readonly id: string;
  readonly who: { readonly [part: string]: unknown; readonly subject: string | null };
}

/** Everything that is known of one exchange, as JSON; undefined: no frame has this id (any more, or yet). */
export async function readReceipt(database: Database, id: string): Promise<Receipt | undefined> {
  const position = await frameOf(database, id);
  if (position === undefined) return undefined;
  const frame = await database.query
    .selectFrom('ledger_frames')
    .selectAll()
    .where('position', '=', position)
    .executeTakeFirst();
  const rows = frame === undefined ? [] : readFrameRows(frame.data);
  const index = rows.findIndex((each) => each.id === id);
  const row = rows[index];
  if (frame === undefined || row === undefined) return undefined;
  const labels = await labelsOf(database, row.labels);
  const { numbers } = row;
  const detail = readDetail(row.detail);
  const known = (count: number | undefined): number | null => count ?? null;
  return {
    id: row.id,
    request_id: detail.request_id ?? row.id,
    who: {
      subject: labels?.subject ?? null,
      key_id: labels?.key_id ?? null,
      teams: parsed(labels?.teams) ?? [],
      metadata: parsed(labels?.metadata) ?? {},
    },
    what: {
      method: labels?.method ?? null,
      path: labels?.path ?? null,
      model: labels?.model ?? null,
      stream: labels?.stream === 1,
      bytes_in: known(numbers.bytes_in),
      bytes_out: known(numbers.bytes_out),
    },
    when: { started_at: instant(row.started_at), ended_at: instant(row.ended_at) },
    route: {
      target: labels?.target ?? null,
      provider: labels?.provider ?? null,
      attempts: known(numbers.attempts),
      failed_attempts: detail.failed_attempts ?? [],
      applied_rules: parsed(labels?.rules) ?? null,
      cache: detail.cache ?? null,
      guardrails: detail.guardrails ?? [],
    },
    outcome: {
      status: row.status,
      outcome: labels?.outcome ?? null,
      error_code: labels?.error_code ?? null,
      error_detail: detail.error_detail ?? null,
    },
    usage: { source: labels?.usage_source ?? null, ...countsOf(usageOfRow(row, detail)) },
    cost: {
      nano_usd: known(row.cost_nano_usd),
      usd: dollars(row.cost_nano_usd),
      unknown_part:
        detail.unknown_cost?.part ??
        (row.cost_nano_usd === undefined && (labels?.usage_source ?? null) !== null ? NO_PRICE : null),
      charged_nano_usd: row.cost_nano_usd ?? known(detail.unknown_cost?.charged_nano_usd),
      reserved_nano_usd: known(numbers.reserved_nano_usd),
      charges: parsed(labels?.charges) ?? [],
      provider_cost_usd: known(numbers.provider_cost_usd),
      served_as: detail.served_as ?? {},
      price_version: labels?.price_version ?? null,
      price_table: await priceTable(database, labels?.price_table ?? null),
    },
    latency_ms: {
      total: milliseconds(numbers.duration_us),
      overhead: milliseconds(numbers.overhead_us),
      upstream: milliseconds(numbers.upstream_us),
      first_token: milliseconds(numbers.first_token_us),
      between_tokens: milliseconds(numbers.between_tokens_us),
    },
    ledger: {
      gateway: await gatewayOf(database, position),
      seq: seqOf(position) + index,
      frame: { first_seq: seqOf(position), rows: frame.row_count },
      hash: frame.hash,
      previous_hash: await hashBefore(database, position),
    },
  };
}

async function labelsOf(database: Database, name: string) {
  return database.query
    .selectFrom('ledger_labels')
    .leftJoin('ledger_series', 'ledger_series.series', 'ledger_labels.series')
    .selectAll(['ledger_labels', 'ledger_series'])
    .where('labels', '=', name)
    .executeTakeFirst();
}

/** Every counter that records carry as a number; of the rare ones those that were told. */
function countsOf(usage: Usage): Record<string, number | null> {
  const counts: Record<string, number | null> = {};
  for (const name of COUNTER_NAMES) {
    const count = countIn(usage, name);
    if (count !== undefined || USAGE_COUNTERS[name].carried === 'number')
      counts[USAGE_COUNTERS[name].column] = count ?? null;
  }
  return counts;
}

async function priceTable(database: Database, hash: string | null): Promise<object | string | null> {
  if (hash === null || hash === REPORTED) return hash;
  const found = await database.query.selectFrom('price_tables').selectAll().where('hash', '=', hash).executeTakeFirst();
  return { hash, unit: 'nano-dollars per token', ...(found && { rates: parsed(found.rates) }) };
}

async function gatewayOf(database: Database, position: number): Promise<string | null> {
  const chain = await database.query
    .selectFrom('ledger_chains')
    .select('gateway')
    .where('chain', '=', chainOf(position))
    .executeTakeFirst();
  return chain?.gateway ?? null;
}

/** The hash of the frame before it, or the anchor where retention took that one; empty before the first. */
async function hashBefore(database: Database, position: number): Promise<string | null> {
  const before = await database.query
    .selectFrom('ledger_frames')
    .select('hash')
    .where('position', '<', position)
    .where('position', '>', chainPosition(chainOf(position), 0))
    .orderBy('position', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (before) return before.hash;
  const chain = await database.query
    .selectFrom('ledger_chains')
    .select(['anchor_seq', 'anchor_hash'])
    .where('chain', '=', chainOf(position))
    .executeTakeFirst();
  return chain?.anchor_seq === seqOf(position) - 1 ? chain.anchor_hash : null;
}

/** A text of ours that somebody changed is shown as it is. */
function parsed(json: string | null | undefined): unknown {
  if (json === null || json === undefined) return undefined;
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}

function dollars(nano: number | undefined): number | null {
  return nano === undefined ? null : nano / 1e9;
}

function milliseconds(us: number | undefined): number | null {
  return us === undefined ? null : us / 1000;
}
