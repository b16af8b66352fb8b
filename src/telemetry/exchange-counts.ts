import type { RecordView } from './exchange-record.ts';
import type { Labels } from './metric-registry.ts';

/** One counter with its own labels. */
export interface Count {
  readonly labels: Labels;
  value: number;
}

/** What is counted of exchanges that share all labels. Undefined: nothing was seen yet. */
export class ExchangeCounts {
  readonly labels: Labels;
  readonly byStatus = new Map<number, Count>();
  inputTokens: number | undefined;
  outputTokens: number | undefined;
  costNanoUsd: number | undefined;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  add({ usage, costNanoUsd }: RecordView): void {
    if (usage !== undefined) {
      if (usage.inputTokens !== undefined) this.inputTokens = (this.inputTokens ?? 0) + usage.inputTokens;
      if (usage.outputTokens !== undefined) this.outputTokens = (this.outputTokens ?? 0) + usage.outputTokens;
    }
    if (costNanoUsd !== undefined) this.costNanoUsd = (this.costNanoUsd ?? 0) + costNanoUsd;
  }
}
