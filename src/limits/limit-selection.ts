import type { LimitLeg } from './limit-rules.ts';

/** A budget that is charged, and for whom. */
export interface Charge {
  readonly ruleId: string;
  readonly group: string;
}

/** All that one kind of request is held against: made once, then only looked up. */
export class LimitSelection {
  readonly legs: readonly LimitLeg[];
  /** JSON of `x-tfy-applied-rules`; undefined: no rule applied. */
  readonly rulesJson: string | undefined;
  readonly chargesJson: string | undefined;
  readonly hasTokens: boolean;
  readonly hasCost: boolean;
  /** Indexes of legs whose budget ends streams. */
  readonly cuts: readonly number[];
  /** What is asked for and used where every leg counts requests; else what a list for one exchange begins as. */
  readonly #ones: readonly number[];
  readonly #zeros: readonly number[];

  constructor(legs: readonly LimitLeg[], rulesJson: string | undefined, charges: readonly Charge[]) {
    this.legs = legs;
    this.rulesJson = rulesJson;
    this.chargesJson =
      charges.length > 0 ? JSON.stringify(charges.map(({ ruleId, group }) => [ruleId, group])) : undefined;
    this.hasTokens = legs.some(({ counts }) => counts === 'tokens');
    this.hasCost = legs.some(({ counts }) => counts === 'cost');
    this.cuts = legs.flatMap(({ rule, limit }, index) => (rule.mode === 'cut' && limit < Infinity ? [index] : []));
    this.#ones = legs.map(() => 1);
    this.#zeros = legs.map(() => 0);
  }

  /** What each leg is asked for, or used. */
  amounts(tokens: number, cost: number): readonly number[] {
    if (!this.hasTokens && !this.hasCost) return this.#ones;
    const { legs } = this;
    const amounts = this.#ones.slice();
    for (let index = 0; index < legs.length; index += 1) {
      const { counts } = legs[index]!;
      if (counts === 'tokens') amounts[index] = tokens;
      else if (counts === 'cost') amounts[index] = cost;
    }
    return amounts;
  }

  /** What a request used that never went to a provider. */
  get nothing(): readonly number[] {
    return this.#zeros;
  }
}
