import { storableText } from '../store/storable-text.ts';
import type { LedgerLabelsTable, LedgerSeriesTable } from '../store/tables/ledger-tables.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';
import type { PriceTables } from './price-tables.ts';
import { contentHash } from './row-hash.ts';

export interface Labels {
  readonly row: Readonly<LedgerLabelsTable>;
  readonly series: Series;
}

export type Series = Readonly<LedgerSeriesTable>;

/** Beyond it all are forgotten and made again as they come: a bound against metadata that is never the same. */
const MOST_KNOWN = 20_000;

/** The texts of a record, once per combination: rows name them by their hash. */
export class LabelBook {
  #known = new Map<string, Labels>();
  #series = new Map<string, Series>();
  readonly #prices: PriceTables;
  readonly #metadataKeys: ReadonlySet<string>;

  /** `metadataKeys`: those of a record's metadata that the ledger keeps; a record may hold some for metrics alone. */
  constructor(prices: PriceTables, metadataKeys: readonly string[]) {
    this.#prices = prices;
    this.#metadataKeys = new Set(metadataKeys);
  }

  of(record: ExchangeRecord): Labels {
    const r = record;
    const key = `${r.subject ?? ''}\n${r.keyId ?? ''}\n${r.model ?? ''}\n${r.target ?? ''}\n${r.outcome}\n${r.errorCode ?? ''}\n${r.path}\n${r.stream}\n${r.usageSource ?? ''}\n${r.provider ?? ''}\n${r.method}\n${r.priceVersion ?? ''}\n${r.priceTable ?? ''}\n${r.teamsJson ?? ''}\n${r.metadataJson ?? ''}\n${r.rulesJson ?? ''}\n${r.chargesJson ?? ''}`;
    let labels = this.#known.get(key);
    if (labels === undefined) {
      labels = this.#make(record);
      if (this.#known.size >= MOST_KNOWN) this.#known = new Map();
      this.#known.set(key, labels);
    }
    return labels;
  }

  #make(record: ExchangeRecord): Labels {
    const series = this.#seriesOf(record);
    const columns = {
      series: series.series,
      method: storableText(record.method),
      path: storableText(record.path),
      stream: record.stream ? 1 : 0,
      outcome: record.outcome,
      error_code: storable(record.errorCode),
      usage_source: storable(record.usageSource),
      price_table: this.#prices.hashOf(record),
      price_version: storable(record.priceVersion),
      rules: storable(record.rulesJson),
      charges: storable(record.chargesJson),
    };
    return { row: { labels: labelsHash(columns), ...columns }, series };
  }

  /** One object a series: sums are added up by it. */
  #seriesOf(record: ExchangeRecord): Series {
    const columns = {
      subject: storable(record.subject),
      key_id: storable(record.keyId),
      teams: storable(record.teamsJson),
      model: storable(record.model),
      target: storable(record.target),
      provider: storable(record.provider),
      metadata: this.#keptMetadata(record.metadataJson),
    };
    const hash = seriesHash(columns);
    let series = this.#series.get(hash);
    if (series === undefined) {
      series = { series: hash, ...columns };
      if (this.#series.size >= MOST_KNOWN) this.#series = new Map();
      this.#series.set(hash, series);
    }
    return series;
  }

  #keptMetadata(metadataJson: string | undefined): string | null {
    if (metadataJson === undefined) return null;
    const all: Record<string, unknown> = JSON.parse(metadataJson);
    const entries = Object.entries(all).filter(([key]) => this.#metadataKeys.has(key));
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return entries.length === 0 ? null : storableText(JSON.stringify(Object.fromEntries(entries)));
  }
}

/** The hash is over the columns, so that verify can hold what is stored against its name. */
export function seriesHash(columns: Omit<LedgerSeriesTable, 'series'>): string {
  const { subject, key_id, teams, model, target, provider, metadata } = columns;
  return contentHash(JSON.stringify([subject, key_id, teams, model, target, provider, metadata]));
}

export function labelsHash(columns: Omit<LedgerLabelsTable, 'labels'>): string {
  const { series, method, path, stream, outcome, error_code, usage_source, ...more } = columns;
  const { price_table, price_version, rules, charges } = more;
  const texts = [series, method, path, stream, outcome, error_code, usage_source];
  return contentHash(JSON.stringify([...texts, price_table, price_version, rules, charges]));
}

function storable(text: string | undefined): string | null {
  return text === undefined ? null : storableText(text);
}
