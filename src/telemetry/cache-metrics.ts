import { z } from 'zod';
import type { RecordView } from './exchange-record.ts';
import type { MetricRegistry, Sample } from './metric-registry.ts';

/** Texts remembered with what they say. */
const MAX_TEXTS = 4_096;

const SAVING: ReadonlySet<string> = new Set(['hit', 'joined']);

const said = z.object({
  status: z.string(),
  type: z.string(),
  saved_nano_usd: z.number().optional(),
  shadow: z.object({ status: z.string(), saved_nano_usd: z.number().optional() }).optional(),
});
type Said = z.output<typeof said>;

interface Series {
  readonly labels: { readonly cache_type: string; readonly status: string };
  requests: number;
  savedNanoUsd: number;
}

/** How often the cache was asked and what it spared. Read from records; types and statuses are a handful of words. */
export class CacheMetrics {
  readonly #series = new Map<string, Series>();
  readonly #shadows = new Map<string, Series>();
  readonly #said = new Map<string, Said>();

  add({ cacheJson }: RecordView): void {
    if (cacheJson !== undefined) this.#add(this.#read(cacheJson));
  }

  register(registry: MetricRegistry): void {
    registry.family(
      'counter',
      'ai_gateway_cache_requests_total',
      'Requests that asked the cache, by its type and what it said',
      () => [...this.#series.values()].map(({ labels, requests }): Sample => ({ labels, value: requests })),
    );
    registry.family(
      'counter',
      'ai_gateway_cache_saved_cost_total',
      'US dollars that the answers of hits had cost',
      () =>
        [...this.#series.values()]
          .filter(({ labels: { status } }) => SAVING.has(status))
          .map(({ labels, savedNanoUsd }): Sample => ({ labels, value: savedNanoUsd / 1e9 })),
    );
    registry.family(
      'counter',
      'sluice_cache_shadow_requests_total',
      'Requests of rules that only look, by the type of the cache and what it would have said',
      () => [...this.#shadows.values()].map(({ labels, requests }): Sample => ({ labels, value: requests })),
    );
    registry.family(
      'counter',
      'sluice_cache_shadow_saved_cost_total',
      'US dollars that the answers had cost which would have been served',
      () =>
        [...this.#shadows.values()]
          .filter(({ labels: { status } }) => SAVING.has(status))
          .map(({ labels, savedNanoUsd }): Sample => ({ labels, value: savedNanoUsd / 1e9 })),
    );
  }

  #read(text: string): Said {
    let known = this.#said.get(text);
    if (known === undefined) {
      known = said.parse(JSON.parse(text));
      if (this.#said.size >= MAX_TEXTS) this.#said.clear();
      this.#said.set(text, known);
    }
    return known;
  }

  #add({ status, type, saved_nano_usd: saved, shadow }: Said): void {
    count(this.#series, type, status, saved);
    if (shadow !== undefined) count(this.#shadows, type, shadow.status, shadow.saved_nano_usd);
  }
}

function count(list: Map<string, Series>, type: string, status: string, savedNanoUsd = 0): void {
  const key = `${type} ${status}`;
  let series = list.get(key);
  if (series === undefined) {
    series = { labels: { cache_type: type, status }, requests: 0, savedNanoUsd: 0 };
    list.set(key, series);
  }
  series.requests += 1;
  series.savedNanoUsd += savedNanoUsd;
}
