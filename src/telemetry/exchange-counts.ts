import type { Usage } from '../inference/usage.ts';
import { type CounterName, RARE_COUNTERS } from '../inference/usage-counters.ts';
import type { RecordView } from './exchange-record.ts';
import type { Labels } from './metric-registry.ts';

/** One counter with its own labels. */
export interface Count {
  readonly labels: Labels;
  value: number;
}

/** The counts of exchanges that share all labels. Undefined: none was seen yet. */
export class ExchangeCounts {
  readonly labels: Labels;
  readonly byStatus = new Map<number, Count>();
  inputTokens: number | undefined;
  outputTokens: number | undefined;
  costNanoUsd: number | undefined;
  /** All other counters of which more than zero was told. */
  readonly others = new Map<CounterName, number>();

  constructor(labels: Labels) {
    this.labels = labels;
  }

  add({ usage, costNanoUsd }: RecordView): void {
    if (usage !== undefined) {
      if (usage.inputTokens !== undefined) this.inputTokens = (this.inputTokens ?? 0) + usage.inputTokens;
      if (usage.outputTokens !== undefined) this.outputTokens = (this.outputTokens ?? 0) + usage.outputTokens;
      this.#addOthers(usage);
    }
    if (costNanoUsd !== undefined) this.costNanoUsd = (this.costNanoUsd ?? 0) + costNanoUsd;
  }

  #addOthers(usage: Readonly<Usage>): void {
    this.#count('cacheReadInputTokens', usage.cacheReadInputTokens);
    this.#count('cacheCreationInputTokens', usage.cacheCreationInputTokens);
    this.#count('cacheCreation1hInputTokens', usage.cacheCreation1hInputTokens);
    this.#count('reasoningOutputTokens', usage.reasoningOutputTokens);
    this.#count('audioInputTokens', usage.audioInputTokens);
    this.#count('audioOutputTokens', usage.audioOutputTokens);
    const { rare } = usage;
    if (rare !== undefined) for (const name of RARE_COUNTERS) this.#count(name, rare[name]);
  }

  /** Zero is told of most things by most providers: no series for it. */
  #count(name: CounterName, count: number | undefined): void {
    if (count === undefined || count === 0) return;
    this.others.set(name, (this.others.get(name) ?? 0) + count);
  }
}
