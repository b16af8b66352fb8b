import { ERRORS, type ErrorRule } from '../core/errors.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { type Count, ExchangeSeries } from './exchange-series.ts';
import { type Buckets, Histogram } from './histogram.ts';
import type { Labels, MetricRegistry, Sample } from './metric-registry.ts';

/** The stages whose failure is one of the model, not of the client or the gateway. */
const inferenceStages: readonly string[] = ['provider', 'upstream', 'relay'];
const ruleByCode = new Map<string, ErrorRule>(Object.entries(ERRORS));

/** What is ours alone: from one system call to a second of garbage collection or waiting. */
export const overheadBuckets: Buckets = [0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

const other = 'other';
const longestLabel = 256;

export interface ExchangeMetricsOptions {
  /** The one tenant this gateway serves. */
  tenantName: string;
  /** Label sets per family; what comes later is counted under `other` (one series more per status or error code). */
  maxSeries: number;
}

/**
 * Counters and histograms of exchanges under the reference product's names (facts/product.md §4). Every label value of a
 * client is bounded: a model is named only where it was resolved, and an account that passes on any model id cannot make
 * more than `maxSeries` series.
 */
export class ExchangeMetrics {
  readonly #tenantName: string;
  readonly #maxSeries: number;
  readonly #series = new Map<string, ExchangeSeries>();
  readonly #other: ExchangeSeries;
  readonly #overheadStreamed = new Histogram(overheadBuckets);
  readonly #overheadWhole = new Histogram(overheadBuckets);
  #requestSeries = 0;
  #failureSeries = 0;

  constructor(options: ExchangeMetricsOptions) {
    this.#tenantName = options.tenantName;
    this.#maxSeries = options.maxSeries;
    this.#other = new ExchangeSeries(this.#labels(other, other));
  }

  add(record: ExchangeRecord): void {
    const series = this.#seriesOf(record);
    series.add(record);
    this.#statusOf(series, record.status).value += 1;
    if (record.errorCode !== undefined) this.#countFailure(series, record.errorCode, record.status);
    (record.stream ? this.#overheadStreamed : this.#overheadWhole).observe(record.overheadMs);
  }

  #seriesOf(record: ExchangeRecord): ExchangeSeries {
    const model = record.model ?? '';
    const subject = record.subject ?? '';
    const key = `${model}\0${subject}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      if (this.#series.size >= this.#maxSeries) return this.#other;
      series = new ExchangeSeries(this.#labels(model, subject));
      this.#series.set(key, series);
    }
    return series;
  }

  #labels(model: string, subject: string): Labels {
    return {
      model_name: model.slice(0, longestLabel),
      tenant_name: this.#tenantName,
      username: subject.slice(0, longestLabel),
    };
  }

  #statusOf(series: ExchangeSeries, status: number): Count {
    let count = series.byStatus.get(status);
    if (count === undefined) {
      if (series !== this.#other) {
        if (this.#requestSeries >= this.#maxSeries) return this.#statusOf(this.#other, status);
        this.#requestSeries += 1;
      }
      count = { labels: { ...series.labels, status_code: status }, value: 0 };
      series.byStatus.set(status, count);
    }
    return count;
  }

  #countFailure(series: ExchangeSeries, code: string, status: number): void {
    const rule = ruleByCode.get(code);
    if (rule === undefined || !inferenceStages.includes(rule.stage)) return;
    const key = `${status} ${code}`;
    let count = series.failures.get(key);
    if (count === undefined) {
      if (series !== this.#other) {
        if (this.#failureSeries >= this.#maxSeries) {
          this.#countFailure(this.#other, code, status);
          return;
        }
        this.#failureSeries += 1;
      }
      count = { labels: { ...series.labels, error_code: status, exception_class: code }, value: 0 };
      series.failures.set(key, count);
    }
    count.value += 1;
  }

  register(registry: MetricRegistry): void {
    const counts = (of: (series: ExchangeSeries) => Iterable<Count>) => () => {
      const samples: Sample[] = [];
      for (const series of this.#all())
        for (const { labels, value } of of(series)) samples.push({ labels: {}, sharedLabels: labels, value });
      return samples;
    };
    const sums = (of: (series: ExchangeSeries) => number | undefined) => () => {
      const samples: Sample[] = [];
      for (const series of this.#all()) {
        const value = of(series);
        if (value !== undefined) samples.push({ labels: {}, sharedLabels: series.labels, value });
      }
      return samples;
    };
    const histogram = (name: string, help: string, of: (series: ExchangeSeries) => Histogram | undefined) => {
      registry.family('histogram', name, help, () => {
        const samples: Sample[] = [];
        for (const series of this.#all()) of(series)?.collect(name, series.labels, samples);
        return samples;
      });
    };
    registry.family(
      'counter',
      'ai_gateway_requests_total',
      'Exchanges that ended, by the status the client saw (499: it left first)',
      counts((series) => series.byStatus.values()),
    );
    registry.family(
      'counter',
      'ai_gateway_input_tokens_total',
      'Input tokens, those read from and written to a cache included, in tokens',
      sums((series) => series.inputTokens),
    );
    registry.family(
      'counter',
      'ai_gateway_output_tokens_total',
      'Output tokens, reasoning included, in tokens',
      sums((series) => series.outputTokens),
    );
    registry.family(
      'counter',
      'ai_gateway_request_cost_total',
      'Cost of exchanges whose price is known, in US dollars',
      sums((series) => series.costNanoUsd && series.costNanoUsd / 1e9),
    );
    registry.family(
      'counter',
      'ai_gateway_request_model_inference_failure_total',
      'Exchanges that failed at a provider: error_code is the status the client saw, exception_class our error code',
      counts((series) => series.failures.values()),
    );
    histogram(
      'ai_gateway_request_processing_ms',
      'Time of an exchange from its head to its last byte, in milliseconds',
      (series) => series.processingMs,
    );
    histogram(
      'ai_gateway_first_token_latency_ms',
      'Time to the first content of an answer, in milliseconds',
      (series) => series.firstTokenMs,
    );
    histogram(
      'ai_gateway_inter_token_latency_ms',
      'Mean time between two pieces of content of an exchange, in milliseconds',
      (series) => series.interTokenMs,
    );
    const overhead = 'sluice_gateway_overhead_ms';
    registry.family('histogram', overhead, 'Time of an exchange that was the gateway’s own, in milliseconds', () => {
      const samples: Sample[] = [];
      this.#overheadWhole.collect(overhead, wholeLabels, samples);
      this.#overheadStreamed.collect(overhead, streamedLabels, samples);
      return samples;
    });
  }

  *#all(): Iterable<ExchangeSeries> {
    yield* this.#series.values();
    if (this.#other.byStatus.size > 0) yield this.#other;
  }
}

const wholeLabels: Labels = { stream: 'false' };
const streamedLabels: Labels = { stream: 'true' };
