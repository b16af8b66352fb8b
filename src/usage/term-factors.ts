import {
  type ListTerms,
  MULTIPLYING_TERMS,
  SERVED_TERMS,
  type ServedAs,
  type TermMultiplier,
} from '../inference/served-as.ts';
import type { Multipliers } from './account-cost.ts';

/**
 * The dearest that any provider publishes: https://platform.claude.com/docs/en/build-with-claude/fast-mode (Opus 4.6) and
 * https://developers.openai.com/api/docs/pricing (`ultrafast`). Held for a request that asks for a term without a price.
 */
const DEAREST_FACTOR = 6;

const NO_TERMS: ListTerms = { multipliers: [] };

/** By how much tier, speed and geography multiply the rates of one model. */
export class TermFactors {
  readonly #account: Multipliers;
  readonly #published: readonly TermMultiplier[];

  constructor(account: Multipliers, terms: ListTerms = NO_TERMS, modelId: string) {
    this.#account = account;
    this.#published = terms.multipliers.filter(({ models }) => models?.test(modelId) ?? true);
  }

  /** A text: the term with its value of which nobody published a price, as `service_tier=scale`. */
  factor(served: ServedAs): number | string {
    let product = 1;
    for (const name of MULTIPLYING_TERMS) {
      const value = served[name];
      if (value === undefined) continue;
      const factor = this.#of(name, value);
      if (factor === undefined) return `${SERVED_TERMS[name].column}=${value}`;
      product *= factor;
    }
    return product;
  }

  /** The most it may be: asking for a cheap tier may end in the standard one, and an unknown one in the dearest. */
  dearest(served: ServedAs): number {
    let product = 1;
    for (const name of MULTIPLYING_TERMS) {
      const value = served[name];
      if (value !== undefined) product *= Math.max(1, this.#of(name, value) ?? DEAREST_FACTOR);
    }
    return product;
  }

  #of(name: (typeof MULTIPLYING_TERMS)[number], value: string): number | undefined {
    const said = this.#account[SERVED_TERMS[name].column]?.[value];
    return said ?? this.#published.find(({ term, values }) => term === name && values.includes(value))?.factor;
  }
}
