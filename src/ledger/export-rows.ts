import { countIn, type Usage } from '../inference/usage.ts';
import { COUNTER_NAMES, USAGE_COUNTERS } from '../inference/usage-counters.ts';
import type { Database } from '../store/database.ts';
import { type LedgerRow, readFrameRows } from '../store/ledger-frame.ts';
import type { LedgerFramesTable, LedgerLabelsTable, LedgerSeriesTable } from '../store/tables/ledger-tables.ts';
import { chainPosition, seqOf } from './chain-position.ts';
import { readDetail, usageOfRow } from './read-row.ts';

export interface ExportSpan {
  /** Exchanges that ended from `sinceMs` on and before `untilMs`; milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** One exchange, flat: lists and maps are values of their own. The names are columns, and stay. */
export type ExportedRow = Readonly<Record<string, unknown>>;

/** The labels of a row. */
export type RowLabels = LedgerLabelsTable & Omit<LedgerSeriesTable, 'series'>;

const PAGE_FRAMES = 16;
const LABELS_PER_QUERY = 400;
const MOST_REMEMBERED = 50_000;

/** Every exchange of that time, chain by chain in its order, some at a time. Memory holds one page of frames. */
export async function* exportRows(database: Database, span: ExportSpan): AsyncGenerator<ExportedRow[]> {
  const labels = new LabelReader(database);
  const chains = await database.query
    .selectFrom('ledger_chains')
    .select(['gateway', 'chain'])
    .orderBy('chain')
    .execute();
  for (const { gateway, chain } of chains) {
    let after = chainPosition(chain, 0);
    for (;;) {
      const frames = await framesAfter(database, after, chainPosition(chain + 1, 0), span);
      for (const frame of frames) {
        const rows = readFrameRows(frame.data);
        const known = await labels.of(rows.map((row) => row.labels));
        const first = seqOf(frame.position);
        const exported: ExportedRow[] = [];
        for (const [index, row] of rows.entries()) {
          if (row.ended_at < span.sinceMs || row.ended_at >= span.untilMs) continue;
          exported.push(exportedRow(row, known.get(row.labels), { gateway, seq: first + index }));
        }
        if (exported.length > 0) yield exported;
      }
      const last = frames.at(-1);
      if (last === undefined || frames.length < PAGE_FRAMES) break;
      after = last.position;
    }
  }
}

function framesAfter(
  database: Database,
  after: number,
  end: number,
  { sinceMs, untilMs }: ExportSpan,
): Promise<Pick<LedgerFramesTable, 'position' | 'data'>[]> {
  return database.query
    .selectFrom('ledger_frames')
    .select(['position', 'data'])
    .where('position', '>', after)
    .where('position', '<', end)
    .where('ended_to', '>=', sinceMs)
    .where('ended_from', '<', untilMs)
    .orderBy('position')
    .limit(PAGE_FRAMES)
    .execute();
}

/** What labels say, each asked for once. */
export class LabelReader {
  readonly #database: Database;
  #known = new Map<string, RowLabels>();

  constructor(database: Database) {
    this.#database = database;
  }

  async of(names: readonly string[]): Promise<ReadonlyMap<string, RowLabels>> {
    if (this.#known.size > MOST_REMEMBERED) this.#known = new Map();
    const missing = [...new Set(names)].filter((name) => !this.#known.has(name));
    for (let from = 0; from < missing.length; from += LABELS_PER_QUERY) {
      const found = await this.#database.query
        .selectFrom('ledger_labels')
        .innerJoin('ledger_series', 'ledger_series.series', 'ledger_labels.series')
        .selectAll(['ledger_labels', 'ledger_series'])
        .where('labels', 'in', missing.slice(from, from + LABELS_PER_QUERY))
        .execute();
      for (const each of found) this.#known.set(each.labels, each);
    }
    return this.#known;
  }

  /** Names of gateways by the numbers of their chains. */
  async gateways(): Promise<ReadonlyMap<number, string>> {
    const chains = await this.#database.query.selectFrom('ledger_chains').select(['chain', 'gateway']).execute();
    return new Map(chains.map(({ chain, gateway }) => [chain, gateway]));
  }
}

export function exportedRow(
  row: LedgerRow,
  labels: RowLabels | undefined,
  place: { gateway: string; seq: number },
): ExportedRow {
  const { numbers } = row;
  const detail = readDetail(row.detail);
  return {
    id: row.id,
    request_id: detail.request_id ?? row.id,
    started_at: new Date(row.started_at).toISOString(),
    ended_at: new Date(row.ended_at).toISOString(),
    subject: labels?.subject ?? null,
    key_id: labels?.key_id ?? null,
    teams: parsed(labels?.teams),
    model: labels?.model ?? null,
    target: labels?.target ?? null,
    provider: labels?.provider ?? null,
    metadata: parsed(labels?.metadata),
    method: labels?.method ?? null,
    path: labels?.path ?? null,
    stream: labels === undefined ? null : labels.stream === 1,
    status: row.status,
    outcome: labels?.outcome ?? null,
    error_code: labels?.error_code ?? null,
    error_detail: detail.error_detail ?? null,
    attempts: numbers.attempts ?? null,
    failed_attempts: detail.failed_attempts ?? null,
    applied_rules: parsed(labels?.rules),
    guardrails: detail.guardrails ?? null,
    charges: parsed(labels?.charges),
    usage_source: labels?.usage_source ?? null,
    ...countersOf(usageOfRow(row, detail)),
    served_as: detail.served_as ?? null,
    cost_nano_usd: row.cost_nano_usd ?? null,
    reserved_nano_usd: numbers.reserved_nano_usd ?? null,
    unknown_cost_part: detail.unknown_cost?.part ?? null,
    price_version: labels?.price_version ?? null,
    price_table: labels?.price_table ?? null,
    duration_ms: milliseconds(numbers.duration_us),
    overhead_ms: milliseconds(numbers.overhead_us),
    upstream_ms: milliseconds(numbers.upstream_us),
    first_token_ms: milliseconds(numbers.first_token_us),
    between_tokens_ms: milliseconds(numbers.between_tokens_us),
    bytes_in: numbers.bytes_in ?? null,
    bytes_out: numbers.bytes_out ?? null,
    gateway: place.gateway,
    seq: place.seq,
  };
}

/** All of them in every row: a file of commas has one heading. */
function countersOf(usage: Usage): Record<string, number | null> {
  const counts: Record<string, number | null> = {};
  for (const name of COUNTER_NAMES) counts[USAGE_COUNTERS[name].column] = countIn(usage, name) ?? null;
  return counts;
}

/** A text of ours that somebody changed is shown as it is. */
function parsed(json: string | null | undefined): unknown {
  if (json === null || json === undefined) return null;
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}

function milliseconds(us: number | undefined): number | null {
  return us === undefined ? null : us / 1000;
}
