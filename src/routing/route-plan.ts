import type { Target } from '../providers/provider.ts';

/** One entry of a plan: one target, and how it is asked. Immutable. */
export interface Step {
  readonly target: Target;
  /** What the step changes of the client's request; undefined: nothing. */
  readonly overrides: StepOverrides | undefined;
  readonly retry: StepRetry;
  readonly waits: StepWaits;
  /**
   * After so long without content the next step begins beside this one, and the first content of the two wins;
   * undefined: never.
   */
  readonly hedgeAfterMs: number | undefined;
}

export interface StepOverrides {
  /** Top-level parameters in the client's dialect, set over those of the body; undefined: none. */
  readonly params: Readonly<Record<string, unknown>> | undefined;
  /** Of the headers that go to the provider; names in lower case. A credential among them takes the place of the target's. */
  readonly headers: { readonly remove: readonly string[]; readonly set: Readonly<Record<string, string>> } | undefined;
}

/** Whether and when the same target is asked again, before the commit point. */
export interface StepRetry {
  /** Further tries, after an error that another try may mend. */
  readonly maxRetries: number;
  /** Before each of them. */
  readonly delayMs: number;
}

/** Of each attempt at the target, in milliseconds; undefined: the gateway's own timeouts alone hold. */
export interface StepWaits {
  readonly attemptMs: number | undefined;
  readonly firstTokenMs: number | undefined;
}

/** The steps of one exchange in their order. The place of an exchange in its plan is the relay's to know. */
export interface RoutePlan {
  /** `step(0)`: what it costs is forecast before it is asked. */
  readonly first: Step;
  /**
   * Asked when the step is about to begin, so that a plan can look at the health of its targets at that moment. The same
   * index gives the same step. Undefined: there is no further one.
   */
  step(index: number): Step | undefined;
}

/** What of a request a plan may depend on. */
export interface PlanContext {
  /** The client's own; they hold for every step. */
  readonly waits: StepWaits;
}

/** A client's model name, resolved. Rules, labels and records use `model`. */
export interface Route {
  readonly model: string;
  /** Every target that a plan may name: what is asked must be possible at one of them. */
  readonly targets: readonly Target[];
  plan(context: PlanContext): RoutePlan;
}

export const NO_WAITS: StepWaits = { attemptMs: undefined, firstTokenMs: undefined };
export const NO_RETRY: StepRetry = { maxRetries: 0, delayMs: 0 };

/** A model of one account: its plan never varies, so an exchange allocates none unless its client set waits. */
export class TargetRoute implements Route {
  readonly model: string;
  readonly targets: readonly Target[];
  readonly #target: Target;
  #plan: RoutePlan | undefined;

  constructor(target: Target) {
    this.model = target.id;
    this.targets = [target];
    this.#target = target;
  }

  plan({ waits }: PlanContext): RoutePlan {
    if (waits !== NO_WAITS) return fixedPlan([stepAt(this.#target, { waits })]);
    this.#plan ??= fixedPlan([stepAt(this.#target)]);
    return this.#plan;
  }
}

/** A step without overrides, retries, hedge or waits of the client, but for what is given. */
export function stepAt(target: Target, more: Partial<Step> = {}): Step {
  return { target, overrides: undefined, retry: NO_RETRY, waits: NO_WAITS, hedgeAfterMs: undefined, ...more };
}

/** A plan that is known beforehand. */
export function fixedPlan(steps: readonly [Step, ...Step[]]): RoutePlan {
  return { first: steps[0], step: (index) => steps[index] };
}
