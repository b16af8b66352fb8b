import type { Reservation } from '../counters/counters.ts';
import type { Allowance } from './admission.ts';
import type { LimitLeg } from './limit-rules.ts';

/** A reservation grows by the price of so many tokens at a time; near the end of a budget by fewer, so that less is left. */
const STEP_TOKENS = 256;
const LAST_STEP_TOKENS = 16;

export interface StreamAllowanceOptions {
  readonly reservation: Reservation;
  readonly legs: readonly LimitLeg[];
  /** Those whose budget ends streams; at least one. */
  readonly cuts: readonly number[];
  readonly held: readonly number[];
  readonly inputTokens: number;
  /** Of the prompt with so many output tokens; undefined: no price is known. */
  costNanoUsd(outputTokens: number): number | undefined;
  now(): number;
}

/** What a stream may still use: what was held for it, and then more of it, step by step, while its budgets have some. */
export class StreamAllowance implements Allowance {
  readonly inputTokens: number;
  /** The budget that ended it, or that will. */
  budgetId: string;
  readonly #options: StreamAllowanceOptions;
  #covered = Number.POSITIVE_INFINITY;

  constructor(options: StreamAllowanceOptions) {
    this.#options = options;
    this.inputTokens = options.inputTokens;
    this.budgetId = options.legs[options.cuts[0]!]!.rule.id;
    for (const leg of options.cuts) this.#covered = Math.min(this.#covered, this.#coveredBy(leg));
  }

  covers(outputTokens: number): boolean {
    while (this.#covered < outputTokens) {
      if (!this.#grow(STEP_TOKENS) && !this.#grow(LAST_STEP_TOKENS)) return false;
    }
    return true;
  }

  /** Output tokens that fit into what is held. */
  #coveredBy(leg: number): number {
    const { legs, held, inputTokens } = this.#options;
    const amount = held[leg] ?? 0;
    if (legs[leg]!.counts === 'tokens') return Math.max(0, amount - inputTokens);
    const step = this.#price(leg, STEP_TOKENS);
    if (step === 0) return Number.POSITIVE_INFINITY;
    const prompt = this.#options.costNanoUsd(0) ?? 0;
    return Math.max(0, Math.floor(((amount - prompt) / step) * STEP_TOKENS));
  }

  /** What a step weighs in a leg, in its own count. */
  #price(leg: number, tokens: number): number {
    const { legs, costNanoUsd } = this.#options;
    if (legs[leg]!.counts === 'tokens') return tokens;
    return Math.max(0, (costNanoUsd(tokens) ?? 0) - (costNanoUsd(0) ?? 0));
  }

  /** What one budget gave before another refused stays held until the end: it is settled with the rest. */
  #grow(tokens: number): boolean {
    const { reservation, legs, cuts, now } = this.#options;
    const nowMs = now();
    for (const leg of cuts) {
      if (reservation.extend(leg, this.#price(leg, tokens), nowMs)) continue;
      this.budgetId = legs[leg]!.rule.id;
      return false;
    }
    this.#covered += tokens;
    return true;
  }
}
