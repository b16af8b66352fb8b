import type { Database } from '../store/database.ts';
import { chainOf, seqOf } from './chain-position.ts';
import { REPORTED } from './price-tables.ts';
import { readDetails } from './row-reader.ts';

/** Everything that is known of one exchange, as JSON; undefined: no row has this id (any more, or yet). */
export async function readReceipt(database: Database, id: string): Promise<object | undefined> {
  const row = await database.query.selectFrom('ledger_rows').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) return undefined;
  const series = await database.query
    .selectFrom('ledger_series')
    .selectAll()
    .where('series', '=', row.series)
    .executeTakeFirst();
  const details = readDetails(row.details);
  return {
    id: row.id,
    request_id: details?.request_id ?? row.id,
    who: {
      subject: series?.subject ?? null,
      key_id: series?.key_id ?? null,
      teams: parsed(series?.teams) ?? [],
      metadata: parsed(series?.metadata) ?? {},
    },
    what: {
      method: details?.method,
      path: details?.path,
      model: series?.model ?? null,
      stream: details?.stream,
      bytes_in: details?.bytes_in,
      bytes_out: details?.bytes_out,
    },
    when: { started_at: instant(row.started_at), ended_at: instant(row.ended_at) },
    route: {
      target: series?.target ?? null,
      provider: series?.provider ?? null,
      attempts: details?.attempts,
      failed_attempts: details?.failed_attempts ?? [],
      applied_rules: details?.rules ?? null,
    },
    outcome: {
      status: row.status,
      outcome: row.outcome,
      error_code: row.error_code,
      error_detail: details?.error_detail ?? null,
    },
    usage: {
      source: details?.usage_source ?? null,
      input_tokens: row.input_tokens,
      output_tokens: row.output_tokens,
      cache_read_input_tokens: details?.cache_read_input_tokens ?? null,
      cache_creation_input_tokens: details?.cache_creation_input_tokens ?? null,
      cache_creation_1h_input_tokens: details?.cache_creation_1h_input_tokens ?? null,
      reasoning_output_tokens: details?.reasoning_output_tokens ?? null,
      audio_input_tokens: details?.audio_input_tokens ?? null,
      audio_output_tokens: details?.audio_output_tokens ?? null,
    },
    cost: {
      nano_usd: row.cost_nano_usd,
      usd: dollars(row.cost_nano_usd),
      reserved_nano_usd: details?.reserved_nano_usd ?? null,
      charges: details?.charges ?? [],
      provider_cost_usd: details?.provider_cost_usd ?? null,
      price_version: details?.price_version ?? null,
      price_table: await priceTable(database, row.price_table),
    },
    latency_ms: {
      total: details?.duration_ms,
      overhead: details?.overhead_ms,
      upstream: details?.upstream_ms,
      first_token: details?.first_token_ms ?? null,
      between_tokens: details?.inter_token_ms ?? null,
    },
    ledger: {
      gateway: await gatewayOf(database, row.position),
      seq: seqOf(row.position),
      hash: row.hash,
      previous_hash: await hashBefore(database, row.position),
    },
  };
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
