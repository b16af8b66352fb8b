import { GenerationCache } from '../core/generation-cache.ts';
import type { Caller } from '../policy/caller.ts';
import type { Metadata } from '../policy/metadata.ts';
import { appliedRules } from './applied-rules.ts';
import { groupFor, type LimitLeg, type LimitRule, metadataKeyOf, metadataValue, type RuleList } from './limit-rules.ts';
import { RuleIndex } from './rule-index.ts';
import type { ModelForecast, TokenForecast } from './token-forecast.ts';

/**
 * The plans that are kept for one caller: clients choose models, where an account lists none, and values of metadata.
 */
const PLANS_PER_CALLER = 128;
const SELECTIONS_PER_CALLER = 512;
const NONE: readonly string[] = [];

/** A budget that is charged, and for whom. */
interface Charge {
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
  /** Amounts asked for and used where every leg counts requests; else the list that an exchange begins with. */
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

/** The rules that may apply to one caller's use of one model. */
class LimitPlan {
  readonly key: string;
  /** Names of the model, the one that was asked for first; a rule may be about any. */
  readonly models: readonly string[];
  readonly forecast: ModelForecast;
  readonly lists: readonly RuleList[];
  /** Keys of metadata that decide which rule applies or which group it counts. */
  readonly metadataKeys: readonly string[];
  /** Where there are none, this is the answer. */
  readonly ready: LimitSelection | undefined;
  /** The selection that was asked for last, and the values it is for: most clients send the same again and again. */
  last: LimitSelection | undefined;
  readonly lastValues: (string | undefined)[];
  /** Ids of budgets that sent the request to this model: charged here, deciding no more. */
  readonly #spent: readonly string[];

  constructor(key: string, caller: Caller, models: readonly string[], spent: readonly string[], options: PlanOptions) {
    this.key = key;
    this.models = models;
    this.#spent = spent;
    this.forecast = options.forecast.of(models.at(-1) ?? '');
    this.lists = options.lists
      .map((list) => ({ charged: list.charged, rules: list.rulesFor(caller, models) }))
      .filter(({ rules }) => rules.length > 0);
    const rules = this.lists.flatMap((list) => list.rules);
    this.metadataKeys = [...new Set(rules.flatMap(keysOf))];
    this.lastValues = this.metadataKeys.map(() => undefined);
    this.ready = this.metadataKeys.length === 0 ? this.select(caller, {}) : undefined;
  }

  select(caller: Caller, metadata: Metadata): LimitSelection {
    const legs: LimitLeg[] = [];
    const applied: Record<LimitRule['kind'], string[]> = { ratelimit: [], budget: [] };
    const charges: Charge[] = [];
    for (const { rules, charged } of this.lists) {
      let decided = false;
      for (const rule of rules) {
        const { kind, id, match } = rule;
        if (!match.metadata.every(({ key, holds }) => holds(metadataValue(metadata, key)))) continue;
        const group = groupFor(rule, caller, match.modelOf(this.models), metadata);
        const decides = !decided && !this.#spent.includes(id);
        for (const leg of rule.legs(group)) legs.push(decides ? leg : { ...leg, limit: Number.POSITIVE_INFINITY });
        applied[kind].push(id);
        if (kind === 'budget') charges.push({ ruleId: id, group });
        decided = true;
        if (charged === 'first') break;
      }
    }
    return new LimitSelection(legs, appliedRules(applied.ratelimit, applied.budget), charges);
  }
}

interface PlanOptions {
  readonly lists: readonly RuleIndex[];
  readonly forecast: TokenForecast;
}

/** What applies to a request, looked up: rules are read once per caller and model, and metadata once per set of values. */
export class LimitPlans {
  readonly #options: PlanOptions;
  readonly #callers = new WeakMap<Caller, CallerPlans>();

  constructor({ lists, forecast }: { readonly lists: readonly RuleList[]; readonly forecast: TokenForecast }) {
    this.#options = { lists: lists.map((list) => new RuleIndex(list)), forecast };
  }

  /** `names`: further ones of the model, its target the last. */
  plan(caller: Caller, model: string, names: readonly string[] = NONE, spent: readonly string[] = NONE): LimitPlan {
    const plans = this.#of(caller);
    const target = names.at(-1);
    const named = target === undefined ? model : `${model}\0\0${target}`;
    const key = spent.length === 0 ? named : `${named}\0${spent.join('\0')}`;
    if (plans.last?.key === key) return plans.last;
    let plan = plans.plans.get(key);
    if (plan === undefined) {
      plan = new LimitPlan(key, caller, [model, ...names], spent, this.#options);
      plans.plans.set(key, plan);
    }
    plans.last = plan;
    return plan;
  }

  selection(plan: LimitPlan, caller: Caller, metadata: Metadata): LimitSelection {
    if (plan.ready !== undefined) return plan.ready;
    const { metadataKeys, lastValues } = plan;
    let same = plan.last !== undefined;
    for (let index = 0; index < metadataKeys.length; index += 1) {
      const value = metadataValue(metadata, metadataKeys[index]!);
      if (lastValues[index] === value) continue;
      lastValues[index] = value;
      same = false;
    }
    if (!same) plan.last = this.#selectionOf(plan, caller, metadata);
    return plan.last!;
  }

  #selectionOf(plan: LimitPlan, caller: Caller, metadata: Metadata): LimitSelection {
    let key = plan.key;
    for (const value of plan.lastValues) {
      // With its length, so that no value can be written that reads like two others.
      key += value === undefined ? '\0-' : `\0${value.length}:${value}`;
    }
    const { selections } = this.#of(caller);
    let selection = selections.get(key);
    if (selection === undefined) {
      selection = plan.select(caller, metadata);
      selections.set(key, selection);
    }
    return selection;
  }

  #of(caller: Caller): CallerPlans {
    let plans = this.#callers.get(caller);
    if (plans === undefined) {
      plans = new CallerPlans();
      this.#callers.set(caller, plans);
    }
    return plans;
  }
}

class CallerPlans {
  readonly plans = new GenerationCache<LimitPlan>(PLANS_PER_CALLER);
  readonly selections = new GenerationCache<LimitSelection>(SELECTIONS_PER_CALLER);
  /** Most callers ask one model again and again. */
  last: LimitPlan | undefined;
}

function keysOf({ match, appliesPer }: LimitRule): string[] {
  const grouped = appliesPer.filter((key) => key.startsWith('metadata.')).map(metadataKeyOf);
  return [...match.metadata.map(({ key }) => key), ...grouped];
}
