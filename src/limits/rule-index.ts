import type { Caller } from '../policy/caller.ts';
import type { LimitRule, RuleList } from './limit-rules.ts';

/**
 * The rules of a list by the subjects or models that they name. Of a thousand rules, each for one user, the first request of
 * a caller looks at a handful (bench: scale).
 */
export class RuleIndex {
  readonly charged: RuleList['charged'];
  readonly #rules: readonly LimitRule[];
  /** Places in the list. */
  readonly #bySubject = new Map<string, number[]>();
  readonly #byModel = new Map<string, number[]>();
  readonly #forAnybody: number[] = [];

  constructor({ rules, charged }: RuleList) {
    this.#rules = rules;
    this.charged = charged;
    for (const [place, { match }] of rules.entries()) {
      const { only } = match;
      if (only === undefined) this.#forAnybody.push(place);
      else if ('subjects' in only) addTo(this.#bySubject, only.subjects, place);
      else addTo(this.#byModel, only.models, place);
    }
  }

  /** Those that fit, in the order of the list. */
  rulesFor(caller: Caller, models: readonly string[]): LimitRule[] {
    const places = new Set(this.#forAnybody);
    for (const subject of caller.subjects) for (const place of this.#bySubject.get(subject) ?? []) places.add(place);
    for (const model of models) for (const place of this.#byModel.get(model) ?? []) places.add(place);
    return [...places]
      .sort((one, other) => one - other)
      .map((place) => this.#rules[place]!)
      .filter(({ match }) => match.fits(caller, models));
  }
}

function addTo(index: Map<string, number[]>, names: readonly string[], place: number): void {
  for (const name of names) {
    const places = index.get(name);
    if (places === undefined) index.set(name, [place]);
    else places.push(place);
  }
}
