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
  /** The cost of the prompt with so many output tokens; undefined: no price is known. */
  costNanoUsd(outputTokens: number): number | undefined;
  now(): number;
}

/** What a stream may still use: what was held for it, and then more, step by step, while its budgets have some. */
export class StreamAllowance implements Allowance {
  readonly inputTokens: number;
  /** The budget that ended it, or that will. */
  budgetId: string;
  readonly #options: StreamAllowanceOptions;
  /** Output tokens that are paid for: of each cut, and the fewest of them. */
  readonly #coveredBy: number[];
  #covered: number;

  constructor(options: StreamAllowanceOptions) {
    this.#options = options;
    this.inputTokens = options.inputTokens;
    this.budgetId = options.legs[options.cuts[0]!]!.rule.id;
    this.#coveredBy = options.cuts.map((leg) => this.#fits(leg));
    this.#covered = Math.min(...this.#coveredBy);
  }

  covers(outputTokens: number): boolean {
    return outputTokens <= this.#covered || this.#grow(outputTokens);
  }

  #grow(outputTokens: number): boolean {
    const { cuts, legs } = this.#options;
    for (let index = 0; index < cuts.length; index += 1) {
      while (this.#coveredBy[index]! < outputTokens) {
        const more = this.#extend(cuts[index]!, STEP_TOKENS) || this.#extend(cuts[index]!, LAST_STEP_TOKENS);
        if (more === 0) {
          this.budgetId = legs[cuts[index]!]!.rule.id;
          return false;
        }
        this.#coveredBy[index]! += more;
      }
    }
    this.#covered = Math.min(...this.#coveredBy);
    return true;
  }

  /** The tokens, or 0: the budget has not so many. */
  #extend(leg: number, tokens: number): number {
    const { reservation, now } = this.#options;
    return reservation.extend(leg, this.#price(leg, tokens), now()) ? tokens : 0;
  }

  /** Output tokens that fit into what is held; less than none where not even the prompt does. */
  #fits(leg: number): number {
    const { legs, held, inputTokens } = this.#options;
    const amount = held[leg] ?? 0;
    if (legs[leg]!.counts === 'tokens') return amount - inputTokens;
    const step = this.#price(leg, STEP_TOKENS);
    if (step === 0) return Number.POSITIVE_INFINITY;
    const prompt = this.#options.costNanoUsd(0) ?? 0;
    return Math.floor(((amount - prompt) / step) * STEP_TOKENS);
  }

  /** What a step weighs in a leg, in its own count. */
  #price(leg: number, tokens: number): number {
    const { legs, costNanoUsd } = this.#options;
    if (legs[leg]!.counts === 'tokens') return tokens;
    return Math.max(0, (costNanoUsd(tokens) ?? 0) - (costNanoUsd(0) ?? 0));
  }
}
