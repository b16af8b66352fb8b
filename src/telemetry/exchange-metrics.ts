import type { ErrorRule } from '../core/error-rule.ts';
import { ERRORS } from '../core/errors.ts';
import { USAGE_COUNTERS } from '../inference/usage-counters.ts';
import { type Count, ExchangeCounts } from './exchange-counts.ts';
import type { RecordView } from './exchange-record.ts';
import { ExchangeSeries } from './exchange-series.ts';
import { type Buckets, Histogram } from './histogram.ts';
import { MetadataLabels } from './metadata-labels.ts';
import type { Labels, MetricRegistry, Sample } from './metric-registry.ts';
import { type SeriesShare, SeriesShares } from './series-share.ts';

/** The stages whose failure is one of the model, not of the client or the gateway. */
const inferenceStages: readonly string[] = ['provider', 'upstream', 'relay'];
const ruleByCode = new Map<string, ErrorRule>(Object.entries(ERRORS));

/** Bounds of the gateway's own time: from one system call to a second of garbage collection or waiting. */
const overheadBuckets: Buckets = [0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

const other = 'other';
/** No model id holds it. */
const unproven = '\0';
const longestLabel = 256;

export interface ExchangeMetricsOptions {
  /** The one tenant this gateway serves. */
  tenantName: string;
  /** Label sets per family; what finds no room is counted under `other` (one series more per status or error code). */
  maxSeries: number;
  /** Keys of request metadata that become labels of requests, tokens and cost. */
  metadataKeys: readonly string[];
}

/**
 * Counters and histograms of exchanges under the reference product's names, so that its dashboards work. Every label
 * value of a client is bounded: a model is named only once it was resolved and something else came of it than that the request was
 * at fault (an account that passes on any model id is asked for made-up ones), and nobody's models, statuses and metadata
 * take the room of all others.
 */
export class ExchangeMetrics {
  readonly #tenantName: string;
  /** By subject, then by model: putting both together to one key for each record costs as much as all the counting. */
  readonly #shares: SeriesShares<ExchangeSeries>;
  readonly #other: ExchangeSeries;
  readonly #overheadStreamed = new Histogram(overheadBuckets);
  readonly #overheadWhole = new Histogram(overheadBuckets);
  readonly #unknownCosts = new Map<string, Count>();
  readonly #metadata: MetadataLabels;
  /** What the latest record was counted under: records of its texts are counted there, too. */
  #like: number | undefined;
  #series: ExchangeSeries;
  #counts: ExchangeCounts;

  constructor(options: ExchangeMetricsOptions) {
    this.#tenantName = options.tenantName;
    this.#shares = new SeriesShares(options.maxSeries);
    this.#metadata = new MetadataLabels(options.metadataKeys);
    this.#other = this.#newSeries(other, other, undefined);
    this.#series = this.#other;
    this.#counts = this.#other.counts;
  }

  add(record: RecordView): void {
    const { like } = record;
    if (like === undefined || like !== this.#like) {
      this.#like = undefined;
      this.#series = this.#seriesOf(record);
      this.#counts = this.#countsOf(this.#series, record);
      this.#like = like;
    }
    const series = this.#series;
    const counts = this.#counts;
    series.add(record);
    counts.add(record);
    this.#statusOf(counts, record.status, series.share).value += 1;
    if (record.errorCode !== undefined) this.#countFailure(series, record.errorCode, record.status);
    if (record.unknownCost !== undefined) this.#countUnknownCost(record.unknownCost.part);
    (record.stream ? this.#overheadStreamed : this.#overheadWhole).observe(record.overheadMs);
  }

  #seriesOf(record: RecordView): ExchangeSeries {
    const model = record.model ?? '';
    const subject = record.subject ?? '';
    const share = this.#shares.of(subject);
    return share?.byModel.get(model) ?? this.#addSeries(model, subject, share, record);
  }

  #addSeries(
    model: string,
    subject: string,
    share: SeriesShare<ExchangeSeries> | undefined,
    record: RecordView,
  ): ExchangeSeries {
    const key = model === '' || isProven(record) ? model : unproven;
    const known = share?.byModel.get(key);
    if (known) return known;
    if (!this.#shares.hasRoom('models', share)) return this.#other;
    const taken = share ?? this.#shares.begin(subject);
    this.#shares.take('models', taken);
    const series = this.#newSeries(key === unproven ? other : model, subject, taken);
    taken.byModel.set(key, series);
    return series;
  }

  #newSeries(model: string, subject: string, share: SeriesShare | undefined): ExchangeSeries {
    const labels = this.#labels(model, subject);
    const countLabels = this.#metadata.any ? { ...labels, ...this.#metadata.allAs(other) } : labels;
    return new ExchangeSeries(labels, countLabels, share);
  }

  #countsOf(series: ExchangeSeries, record: RecordView): ExchangeCounts {
    const { share } = series;
    if (!this.#metadata.any || share === undefined) return series.counts;
    const { key, labels } = this.#metadata.of(record.metadataJson);
    let counts = series.byMetadata?.get(key);
    if (counts === undefined) {
      if (!this.#shares.hasRoom('metadata', share)) return series.counts;
      this.#shares.take('metadata', share);
      counts = new ExchangeCounts({ ...series.labels, ...labels });
      series.byMetadata ??= new Map();
      series.byMetadata.set(key, counts);
    }
    return counts;
  }

  #labels(model: string, subject: string): Labels {
    return {
      model_name: model.slice(0, longestLabel),
      tenant_name: this.#tenantName,
      username: subject.slice(0, longestLabel),
    };
  }

  #statusOf(counts: ExchangeCounts, status: number, share: SeriesShare | undefined): Count {
    let count = counts.byStatus.get(status);
    if (count === undefined) {
      if (share) {
        if (!this.#shares.hasRoom('statuses', share)) return this.#statusOf(this.#other.counts, status, undefined);
        this.#shares.take('statuses', share);
      }
      count = { labels: { ...counts.labels, status_code: status }, value: 0 };
      counts.byStatus.set(status, count);
    }
    return count;
  }

  #countFailure(series: ExchangeSeries, code: string, status: number): void {
    const rule = ruleByCode.get(code);
    if (rule === undefined || !inferenceStages.includes(rule.stage)) return;
    const key = `${status} ${code}`;
    let count = series.failures.get(key);
    if (count === undefined) {
      const { share } = series;
      if (share) {
        if (!this.#shares.hasRoom('failures', share)) {
          this.#countFailure(this.#other, code, status);
          return;
        }
        this.#shares.take('failures', share);
      }
      count = { labels: { ...series.labels, error_code: status, exception_class: code }, value: 0 };
      series.failures.set(key, count);
    }
    count.value += 1;
  }

  /** Parts are columns and terms of ours, without the values that a provider gave them: few. */
  #countUnknownCost(part: string): void {
    const [name = ''] = part.split('=', 1);
    let count = this.#unknownCosts.get(name);
    if (count === undefined) {
      count = { labels: { part: name }, value: 0 };
      this.#unknownCosts.set(name, count);
    }
    count.value += 1;
  }

  register(registry: MetricRegistry): void {
    const each = ({ labels, value }: Count): Sample => ({ labels: {}, sharedLabels: labels, value });
    const sums = (of: (counts: ExchangeCounts) => number | undefined) => () => {
      const samples: Sample[] = [];
      for (const series of this.#all()) {
        for (const counts of series.allCounts()) {
          const value = of(counts);
          if (value !== undefined) samples.push(each({ labels: counts.labels, value }));
        }
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
      () =>
        [...this.#all()].flatMap((series) =>
          [...series.allCounts()].flatMap((counts) => [...counts.byStatus.values()].map(each)),
        ),
    );
    registry.family(
      'counter',
      'ai_gateway_input_tokens_total',
      'Input tokens, those read from and written to a cache included, in tokens',
      sums((counts) => counts.inputTokens),
    );
    registry.family(
      'counter',
      'ai_gateway_output_tokens_total',
      'Output tokens, reasoning included, in tokens',
      sums((counts) => counts.outputTokens),
    );
    registry.family(
      'counter',
      'sluice_usage_total',
      'What else was used (cache, reasoning, audio, images, searches), by counter, in the unit that it is named for',
      () => [...this.#all()].flatMap((series) => [...series.allCounts()].flatMap(otherCounts)),
    );
    registry.family(
      'counter',
      'sluice_unknown_cost_total',
      'Exchanges whose cost is not known, by what of them could not be priced',
      () => [...this.#unknownCosts.values()].map(each),
    );
    registry.family(
      'counter',
      'ai_gateway_request_cost_total',
      'Cost of exchanges whose price is known, in US dollars',
      sums((counts) => counts.costNanoUsd && counts.costNanoUsd / 1e9),
    );
    registry.family(
      'counter',
      'ai_gateway_request_model_inference_failure_total',
      'Exchanges that failed at a provider: error_code is the status the client saw, exception_class our error code',
      () => [...this.#all()].flatMap((series) => [...series.failures.values()].map(each)),
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
    yield* this.#shares.series();
    if (this.#other.counts.byStatus.size > 0) yield this.#other;
  }
}

function otherCounts({ labels, others }: ExchangeCounts): Sample[] {
  return Array.from(others, ([name, value]) => ({
    labels: { counter: USAGE_COUNTERS[name].column },
    sharedLabels: labels,
    value,
  }));
}

/** Whether the exchange says that there is such a model: it was served, or failed for another reason than its request. */
function isProven(record: RecordView): boolean {
  if (record.errorCode === undefined || record.outcome === 'client-closed') return true;
  return ruleByCode.get(record.errorCode)?.blame !== 'client';
}

const wholeLabels: Labels = { stream: 'false' };
const streamedLabels: Labels = { stream: 'true' };
