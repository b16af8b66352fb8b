import { storableText } from '../store/storable-text.ts';
import type { LedgerSeriesTable } from '../store/tables/ledger-tables.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';
import { contentHash } from './row-hash.ts';

export type Series = Readonly<LedgerSeriesTable>;

/** Beyond it all are forgotten and made again as they come: a bound against metadata that is never the same. */
const MOST_KNOWN = 20_000;
const MOST_METADATA = 5_000;

/** Who, what and where of a record, once per combination: rows and rollups name it by its hash. */
export class SeriesBook {
  #known = new Map<string, Series>();
  readonly #metadata = new Map<string, string | null>();
  readonly #metadataKeys: ReadonlySet<string>;

  /** `metadataKeys`: those of a record's metadata that the ledger keeps; a record may hold some for metrics alone. */
  constructor(metadataKeys: readonly string[]) {
    this.#metadataKeys = new Set(metadataKeys);
  }

  of(record: ExchangeRecord): Series {
    const { subject, keyId, teamsJson, model, target, provider, metadataJson } = record;
    const label = `${subject ?? ''}\n${keyId ?? ''}\n${teamsJson ?? ''}\n${model ?? ''}\n${target ?? ''}\n${provider ?? ''}\n${metadataJson ?? ''}`;
    let series = this.#known.get(label);
    if (series === undefined) {
      series = hashed({
        subject: storable(subject),
        key_id: storable(keyId),
        teams: storable(teamsJson),
        model: storable(model),
        target: storable(target),
        provider: storable(provider),
        metadata: metadataJson === undefined ? null : this.#kept(metadataJson),
      });
      if (this.#known.size >= MOST_KNOWN) this.#known = new Map();
      this.#known.set(label, series);
    }
    return series;
  }

  #kept(metadataJson: string): string | null {
    let kept = this.#metadata.get(metadataJson);
    if (kept === undefined) {
      const all: Record<string, unknown> = JSON.parse(metadataJson);
      const entries = Object.entries(all).filter(([key]) => this.#metadataKeys.has(key));
      entries.sort(([a], [b]) => (a < b ? -1 : 1));
      kept = entries.length === 0 ? null : storableText(JSON.stringify(Object.fromEntries(entries)));
      if (this.#metadata.size >= MOST_METADATA) this.#metadata.clear();
      this.#metadata.set(metadataJson, kept);
    }
    return kept;
  }
}

/** The hash is over the columns, so that verify can hold a stored series against its name. */
export function seriesHash(columns: Omit<LedgerSeriesTable, 'series'>): string {
  const { subject, key_id, teams, model, target, provider, metadata } = columns;
  return contentHash(JSON.stringify([subject, key_id, teams, model, target, provider, metadata]));
}

function hashed(columns: Omit<LedgerSeriesTable, 'series'>): Series {
  return { series: seriesHash(columns), ...columns };
}

function storable(text: string | undefined): string | null {
  return text === undefined ? null : storableText(text);
}
