import type { Labels } from './metric-registry.ts';

/** Texts remembered; keys that only the ledger keeps may make each text another one. */
const MAX_TEXTS = 10_000;
const LONGEST_LABEL = 128;

interface MetadataLabelSet {
  /** Equal for equal labels. */
  readonly key: string;
  readonly labels: Labels;
}

/** Request metadata as labels of metrics: `metrics.metadata_keys`, each as `metadata_<key>`, empty where a request has none. */
export class MetadataLabels {
  /** Label name by metadata key; of two that become one name the first counts. */
  readonly #names = new Map<string, string>();
  readonly #byText = new Map<string, MetadataLabelSet>();
  readonly #none: MetadataLabelSet;

  constructor(keys: readonly string[]) {
    const taken = new Set<string>();
    for (const key of keys) {
      const name = metadataLabelName(key);
      if (!taken.has(name)) this.#names.set(key, name);
      taken.add(name);
    }
    this.#none = this.#setOf({});
  }

  get any(): boolean {
    return this.#names.size > 0;
  }

  /** Each value is this one. */
  allAs(value: string): Labels {
    return Object.fromEntries([...this.#names.values()].map((name) => [name, value]));
  }

  /** `text`: ExchangeRecord.metadataJson. */
  of(text: string | undefined): MetadataLabelSet {
    if (text === undefined) return this.#none;
    let set = this.#byText.get(text);
    if (set === undefined) {
      set = this.#setOf(JSON.parse(text));
      if (this.#byText.size < MAX_TEXTS) this.#byText.set(text, set);
    }
    return set;
  }

  #setOf(metadata: Readonly<Record<string, unknown>>): MetadataLabelSet {
    const labels: Record<string, string> = {};
    for (const [key, name] of this.#names) labels[name] = String(metadata[key] ?? '').slice(0, LONGEST_LABEL);
    return { key: Object.values(labels).join('\0'), labels };
  }
}

/** A label name has letters, digits and underscores. */
function metadataLabelName(key: string): string {
  return `metadata_${key.replace(/[^A-Za-z0-9_]/g, '_')}`;
}
