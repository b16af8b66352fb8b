import { type Count, ExchangeCounts } from './exchange-counts.ts';
import type { RecordView } from './exchange-record.ts';
import { type Buckets, Histogram } from './histogram.ts';
import type { Labels } from './metric-registry.ts';
import type { SeriesShare } from './series-share.ts';

/** From a refusal to a ten-minute answer. */
const latencyBuckets: Buckets = [
  1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000,
];

/** All that is observed for one model and one user: one lookup per record finds it. Undefined: nothing was seen yet. */
export class ExchangeSeries {
  readonly labels: Labels;
  /** Undefined: of all that there is no room for. */
  readonly share: SeriesShare | undefined;
  readonly failures = new Map<string, Count>();
  readonly processingMs = new Histogram(latencyBuckets);
  firstTokenMs: Histogram | undefined;
  interTokenMs: Histogram | undefined;
  /** Counters; where metadata are labels, of those whose labels there is no room for. */
  readonly counts: ExchangeCounts;
  /** Counters apart by labels of metadata; latencies are not: a histogram is twenty series. */
  byMetadata: Map<string, ExchangeCounts> | undefined;

  constructor(labels: Labels, countLabels: Labels, share: SeriesShare | undefined) {
    this.labels = labels;
    this.share = share;
    this.counts = new ExchangeCounts(countLabels);
  }

  add(record: RecordView): void {
    this.processingMs.observe(record.durationMs);
    if (record.firstTokenMs !== undefined) {
      this.firstTokenMs ??= new Histogram(latencyBuckets);
      this.firstTokenMs.observe(record.firstTokenMs);
    }
    if (record.interTokenMs !== undefined) {
      this.interTokenMs ??= new Histogram(latencyBuckets);
      this.interTokenMs.observe(record.interTokenMs);
    }
  }

  *allCounts(): Iterable<ExchangeCounts> {
    if (this.byMetadata) yield* this.byMetadata.values();
    yield this.counts;
  }
}
