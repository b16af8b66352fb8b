import type { ExchangeRecord } from './exchange-record.ts';
import { type Buckets, Histogram } from './histogram.ts';
import type { Labels } from './metric-registry.ts';

/** From a refusal to a ten-minute answer. */
export const latencyBuckets: Buckets = [
  1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000,
];

/** All that is counted for one model and one user: one lookup per record finds it. Undefined: nothing was seen yet. */
export class ExchangeSeries {
  readonly labels: Labels;
  readonly byStatus = new Map<number, Count>();
  readonly failures = new Map<string, Count>();
  readonly processingMs = new Histogram(latencyBuckets);
  firstTokenMs: Histogram | undefined;
  interTokenMs: Histogram | undefined;
  inputTokens: number | undefined;
  outputTokens: number | undefined;
  costNanoUsd: number | undefined;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  add(record: ExchangeRecord): void {
    this.processingMs.observe(record.durationMs);
    if (record.firstTokenMs !== undefined) {
      this.firstTokenMs ??= new Histogram(latencyBuckets);
      this.firstTokenMs.observe(record.firstTokenMs);
    }
    if (record.interTokenMs !== undefined) {
      this.interTokenMs ??= new Histogram(latencyBuckets);
      this.interTokenMs.observe(record.interTokenMs);
    }
    const usage = record.usage;
    if (usage !== undefined) {
      if (usage.inputTokens !== undefined) this.inputTokens = (this.inputTokens ?? 0) + usage.inputTokens;
      if (usage.outputTokens !== undefined) this.outputTokens = (this.outputTokens ?? 0) + usage.outputTokens;
    }
    if (record.costNanoUsd !== undefined) this.costNanoUsd = (this.costNanoUsd ?? 0) + record.costNanoUsd;
  }
}

/** One counter with its own labels. */
export interface Count {
  readonly labels: Labels;
  value: number;
}
