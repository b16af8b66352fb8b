import { contentHash } from '../store/frame-hash.ts';
import { storableText } from '../store/storable-text.ts';
import type { LedgerLabelsTable, LedgerSeriesTable } from '../store/tables/ledger-tables.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';
import type { PriceTables } from './price-tables.ts';

export interface Labels {
  readonly row: Readonly<LedgerLabelsTable>;
  readonly series: Series;
}

/** One of the labels of one subject and its metadata: which one, comparing tells. */
interface Known {
  /** What they were made of. Labels of frames are shared texts, so that a record is compared at a glance. */
  readonly like: LabelTexts;
  readonly labels: Labels;
  readonly depth: number;
  readonly next: Known | undefined;
}

/** The fields of a record that its labels follow from. */
type LabelTexts = Pick<
  RecordView,
  | 'subject'
  | 'keyId'
  | 'model'
  | 'target'
  | 'provider'
  | 'stream'
  | 'outcome'
  | 'errorCode'
  | 'usageSource'
  | 'path'
  | 'method'
  | 'chargesJson'
  | 'rulesJson'
  | 'teamsJson'
  | 'metadataJson'
  | 'priceTable'
  | 'priceVersion'
>;

export type Series = Readonly<LedgerSeriesTable>;

/** Beyond it all are forgotten and made again as they come: a bound against metadata that is never the same. */
const MOST_KNOWN = 20_000;
/** The most models, outcomes and rules of one subject that are compared. */
const MOST_COMPARED = 256;

/** The texts of a record, once per combination: rows name them by their hash. */
export class LabelBook {
  #known = new Map<string, Known>();
  /** Most records are like the one before. */
  #last: Known | undefined;
  /** See RecordView, of the same record. */
  #like: number | undefined;
  #size = 0;
  #series = new Map<string, Series>();
  readonly #prices: PriceTables;
  readonly #metadataKeys: ReadonlySet<string>;

  /** `metadataKeys`: those of a record's metadata that the ledger keeps; a record may hold some for metrics alone. */
  constructor(prices: PriceTables, metadataKeys: readonly string[]) {
    this.#prices = prices;
    this.#metadataKeys = new Set(metadataKeys);
  }

  of(record: RecordView): Labels {
    const last = this.#last;
    const { like } = record;
    if (last !== undefined && like !== undefined && like === this.#like && last.like.stream === record.stream)
      return last.labels;
    const known = last !== undefined && sameLabels(last.like, record) ? last : this.#find(record);
    this.#last = known;
    this.#like = like;
    return known.labels;
  }

  /** Found by a short key and then compared: hashing all the texts of every record costs a microsecond. */
  #find(record: RecordView): Known {
    const { subject = '', metadataJson } = record;
    const key = metadataJson === undefined ? subject : `${subject} ${metadataJson}`;
    const first = this.#known.get(key);
    for (let known = first; known !== undefined; known = known.next) if (sameLabels(known.like, record)) return known;
    const labels = this.#make(record);
    this.#size += 1;
    if (this.#size > MOST_KNOWN) {
      this.#known = new Map();
      this.#size = 1;
    }
    const next = first !== undefined && first.depth < MOST_COMPARED ? first : undefined;
    const known = { like: textsOf(record), labels, depth: (next?.depth ?? 0) + 1, next };
    this.#known.set(key, known);
    return known;
  }

  #make(record: RecordView): Labels {
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
  #seriesOf(record: RecordView): Series {
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

function textsOf(record: RecordView): LabelTexts {
  const { subject, keyId, model, target, provider, stream, outcome, errorCode, usageSource, path, method } = record;
  const { chargesJson, rulesJson, teamsJson, metadataJson, priceTable, priceVersion } = record;
  const who = { subject, keyId, model, target, provider, stream, outcome, errorCode, usageSource, path, method };
  return { ...who, chargesJson, rulesJson, teamsJson, metadataJson, priceTable, priceVersion };
}

function sameLabels(a: LabelTexts, b: LabelTexts): boolean {
  return (
    a.subject === b.subject &&
    a.keyId === b.keyId &&
    a.model === b.model &&
    a.target === b.target &&
    a.provider === b.provider &&
    a.stream === b.stream &&
    a.outcome === b.outcome &&
    a.errorCode === b.errorCode &&
    a.usageSource === b.usageSource &&
    a.path === b.path &&
    a.method === b.method &&
    a.chargesJson === b.chargesJson &&
    a.rulesJson === b.rulesJson &&
    a.teamsJson === b.teamsJson &&
    a.metadataJson === b.metadataJson &&
    a.priceTable === b.priceTable &&
    a.priceVersion === b.priceVersion
  );
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
