import { countIn, type Usage } from '../inference/usage.ts';
import { COUNTER_NAMES, USAGE_COUNTERS } from '../inference/usage-counters.ts';
import type { Database } from '../store/database.ts';
import { NO_PRICE } from '../telemetry/exchange-record.ts';
import { chainOf, seqOf } from './chain-position.ts';
import { REPORTED } from './price-tables.ts';
import { readDetail, usageOfRow } from './read-row.ts';
import { readNumbers } from './row-numbers.ts';

/** Everything that is known of one exchange, as JSON; undefined: no row has this id (any more, or yet). */
export async function readReceipt(database: Database, id: string): Promise<object | undefined> {
  const row = await database.query
    .selectFrom('ledger_rows')
    .leftJoin('ledger_labels', 'ledger_labels.labels', 'ledger_rows.labels')
    .leftJoin('ledger_series', 'ledger_series.series', 'ledger_labels.series')
    .selectAll(['ledger_rows', 'ledger_labels', 'ledger_series'])
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const numbers = readNumbers(row.numbers);
  const detail = readDetail(row.detail);
  const known = (count: number | undefined): number | null => count ?? null;
  return {
    id: row.id,
    request_id: detail.request_id ?? row.id,
    who: {
      subject: row.subject,
      key_id: row.key_id,
      teams: parsed(row.teams) ?? [],
      metadata: parsed(row.metadata) ?? {},
    },
    what: {
      method: row.method,
      path: row.path,
      model: row.model,
      stream: row.stream === 1,
      bytes_in: known(numbers.bytes_in),
      bytes_out: known(numbers.bytes_out),
    },
    when: { started_at: instant(row.started_at), ended_at: instant(row.ended_at) },
    route: {
      target: row.target,
      provider: row.provider,
      attempts: known(numbers.attempts),
      failed_attempts: detail.failed_attempts ?? [],
      applied_rules: parsed(row.rules) ?? null,
    },
    outcome: {
      status: row.status,
      outcome: row.outcome,
      error_code: row.error_code,
      error_detail: detail.error_detail ?? null,
    },
    usage: { source: row.usage_source, ...countsOf(usageOfRow(row, numbers, detail)) },
    cost: {
      nano_usd: row.cost_nano_usd,
      usd: dollars(row.cost_nano_usd),
      unknown_part:
        detail.unknown_cost?.part ?? (row.cost_nano_usd === null && row.usage_source !== null ? NO_PRICE : null),
      charged_nano_usd: row.cost_nano_usd ?? known(detail.unknown_cost?.charged_nano_usd),
      reserved_nano_usd: known(numbers.reserved_nano_usd),
      charges: parsed(row.charges) ?? [],
      provider_cost_usd: known(numbers.provider_cost_usd),
      served_as: detail.served_as ?? {},
      price_version: row.price_version,
      price_table: await priceTable(database, row.price_table),
    },
    latency_ms: {
      total: milliseconds(numbers.duration_us),
      overhead: milliseconds(numbers.overhead_us),
      upstream: milliseconds(numbers.upstream_us),
      first_token: milliseconds(numbers.first_token_us),
      between_tokens: milliseconds(numbers.between_tokens_us),
    },
    ledger: {
      gateway: await gatewayOf(database, row.position),
      seq: seqOf(row.position),
      hash: row.hash,
      previous_hash: await hashBefore(database, row.position),
    },
  };
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

/** Of the row before it, or the anchor where retention took that one; empty before the first. */
async function hashBefore(database: Database, position: number): Promise<string | null> {
  const before = await database.query
    .selectFrom('ledger_rows')
    .select('hash')
    .where('position', '=', position - 1)
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

function dollars(nano: number | null): number | null {
  return nano === null ? null : nano / 1e9;
}

function milliseconds(us: number | undefined): number | null {
  return us === undefined ? null : us / 1000;
}
