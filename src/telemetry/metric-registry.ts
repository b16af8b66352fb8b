import { createRequire } from 'node:module';
import type { Metric } from 'prom-client';

/*
 * The only door to prom-client, which keeps the families and writes the text format. Its own counters sort and hash the
 * labels on every observation: too slow for the way of a record. So the values live in our accumulators, and a family
 * hands them over when somebody scrapes. So of prom-client only its registry is loaded; all of it brings OpenTelemetry.
 */
const Registry: typeof import('prom-client').Registry = createRequire(import.meta.url)('prom-client/lib/registry');

export type MetricType = 'counter' | 'gauge' | 'histogram';
export type Labels = Readonly<Record<string, string | number>>;

export interface Sample {
  /** Where it differs from the family's (`…_bucket`, `…_sum`, `…_count`). */
  metricName?: string;
  /** Labels of this sample alone, as `le`. */
  labels: Labels;
  /** Labels of its series: one object per series for its whole life, since the registry keeps their text by object. */
  sharedLabels?: Labels;
  value: number;
}

const noLabels: Labels = {};

export class MetricRegistry {
  readonly #registry = new Registry();
  readonly #others: (() => string)[] = [];

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All families in Prometheus' text format, and behind them those of other threads. */
  async render(): Promise<string> {
    const own = await this.#registry.metrics();
    return this.#others.reduce((text, other) => text + other(), own);
  }

  /** Families of another thread as text, whenever somebody scrapes; none of them may be here as well. */
  append(other: () => string): void {
    this.#others.push(other);
  }

  family(type: MetricType, name: string, help: string, samples: () => Sample[]): void {
    const metric = { name, help, type, get: async () => ({ name, help, type, values: samples() }) };
    // The registry calls `get` and reads `name`; the declared type asks for a whole class of prom-client's own.
    this.#registry.registerMetric(metric as unknown as Metric);
  }

  /** A family of one series without labels; left out while its value is unknown. */
  single(type: 'counter' | 'gauge', name: string, help: string, value: () => number | undefined): void {
    this.family(type, name, help, () => {
      const current = value();
      return current === undefined ? [] : [{ labels: noLabels, value: current }];
    });
  }
}
