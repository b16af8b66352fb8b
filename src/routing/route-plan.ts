import type { ClassifierSettings, ComplexityTier, ShadowSettings } from '../config/rules/routing-settings.ts';
import type { ConditionValues } from '../config/rules/target-condition.ts';
import type { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { AnswerHeaders } from '../core/http-client.ts';
import type { ModelType } from '../inference/operation.ts';
import type { Target } from '../providers/provider.ts';
import type { Blamed } from './blame.ts';

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
  /**
   * Statuses of the provider, before they become ours, after which the next step is asked; undefined: whatever another
   * try may mend.
   */
  readonly fallbackStatuses: ReadonlySet<number> | undefined;
  /** The observer of its attempts; undefined: none, since there is nothing to choose. */
  readonly observer: StepObserver | undefined;
  /** Why it was chosen, in a word for receipts: `weight`, `sticky`, `probe`, …; undefined: there was no choice. */
  readonly reason: string | undefined;
  /** What `x-tfy-applied-rules` says of it where it was the only one; undefined: there was no choice. */
  readonly appliedJson: string | undefined;
}

/** What a place's health and latency are made of. Each attempt ends with exactly one of `answered`, `failed`, `left` and `outrun`. */
export interface StepObserver {
  /** An attempt begins. */
  asked(): void;
  /** Whether retries are still a small enough share of what it is asked; a true answer takes one. */
  mayRetry(): boolean;
  /** First content came. */
  contentCame(): void;
  /** Milliseconds. `perTokenMs`: between two of them; undefined: there were no two. */
  answered(firstContentMs: number, perTokenMs: number | undefined): void;
  /** `outcome`: of the provider's head; status 200 where none came. */
  failed(
    error: GatewayError,
    outcome: {
      readonly status: number;
      readonly headers: AnswerHeaders;
    },
  ): void;
  /** Nobody wanted its answer any more. */
  left(): void;
  /**
   * The same, since an attempt that began later had content first: it takes so long at least. Were its slow answers not
   * counted, the percentile after which it is hedged would fall, and hedges be spent on what is not slow.
   */
  outrun(afterMs: number): void;
}

export interface StepOverrides {
  /** Top-level parameters in the client's dialect, set over those of the body; undefined: none. */
  readonly params: Readonly<Record<string, unknown>> | undefined;
  /**
   * The headers that go to the provider; names in lower case. A credential among them takes the place of the
   * target's.
   */
  readonly headers: { readonly remove: readonly string[]; readonly set: Readonly<Record<string, string>> } | undefined;
}

/** Whether and when the same target is asked again, before the commit point. */
export interface StepRetry {
  /** Further tries, after an error that another try may mend. */
  readonly maxRetries: number;
  /** Before the first of them; twice as long before each next. */
  readonly delayMs: number;
  /** Statuses of the provider that are tried again; undefined: whatever another try may mend. */
  readonly statuses?: ReadonlySet<number> | undefined;
}

/** The waits of each attempt at the target, in milliseconds; undefined: the gateway's own timeouts alone hold. */
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
   * index gives the same step. `blame`: who the failure of the step before is held against; undefined: it has not
   * failed. Undefined: there is no further step.
   */
  step(index: number, blame?: Blamed): Step | undefined;
  /** Whether a second attempt may begin now; a true answer counts it. Absent: it may. */
  mayHedge?(): boolean;
  /** No second attempt began after all: what counted it is taken back. */
  notHedged?(): void;
  /**
   * What `x-tfy-applied-rules` says: `"model":"main/chat","type":"weight-based-routing"`; absent: nothing was chosen.
   */
  readonly description?: string | undefined;
}

/** What of a request a plan may depend on. */
export interface PlanContext {
  /** The client's own; they hold for every step. */
  readonly waits: StepWaits;
  /** The client's own, in the place of every other; undefined: it set none. */
  readonly retry: StepRetry | undefined;
  /** `user:…` or `virtualaccount:…`. */
  readonly subject: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** The client's header, by its name in lower case. */
  header(name: string): string | undefined;
  /** Whether the caller may use this target, and the target can do what is asked. */
  canAsk(target: Target): boolean;
  /** What conditions of targets are about. */
  conditionValues(): ConditionValues;
  /** How hard the request is. */
  complexity(): Complexity;
}

/** How hard a request is, and who says so. */
export interface Complexity {
  readonly tier: ComplexityTier;
  /** Signs in the request; the classifier; what it said of the conversation before; signs, since it failed. */
  readonly cause: 'signs' | 'classifier' | 'conversation' | 'classifier failed' | 'classifier late' | 'classifier busy';
}

/** A client's model name, resolved. Rules, labels and records use `model`. */
export interface Route {
  readonly model: string;
  /** A further name of a virtual model: rules and keys may name it by either. */
  readonly slug?: string | undefined;
  /** What a virtual model is for; undefined: as its targets say. */
  readonly modelTypes?: readonly ModelType[] | undefined;
  /** It stands for others; absent: it is a model of an account. */
  readonly isVirtual?: boolean;
  /** Every target that a plan may name: what is asked must be possible at one of them. */
  readonly targets: readonly Target[];
  /** The receiver of copies of its requests; absent: none. */
  readonly shadow?: ShadowSettings | undefined;
  /** The classifier that is asked how hard a request is; absent: signs in it tell. */
  readonly classifier?: ClassifierSettings | undefined;
  /** Whether who is asked first depends on how hard the request is. Absent: it does not. */
  needsComplexity?(context: PlanContext): boolean;
  /** What it changes of requests, by target; absent: nothing. */
  readonly changes?: string;
  /** Whether a plan in this context could ask the target. Absent: each of them. */
  mayAsk?(targetId: string, context: PlanContext): boolean;
  /** Where no target can be asked, why. */
  plan(context: PlanContext): OrError<RoutePlan>;
}

export const NO_WAITS: StepWaits = { attemptMs: undefined, firstTokenMs: undefined };
const NO_RETRY: StepRetry = { maxRetries: 0, delayMs: 0, statuses: undefined };

/** A model of one account: its plan never varies, so an exchange allocates none unless its client set waits. */
export class TargetRoute implements Route {
  readonly model: string;
  readonly targets: readonly Target[];
  readonly #target: Target;
  readonly #retry: StepRetry;
  #plan: RoutePlan | undefined;

  constructor(target: Target, retry: StepRetry = NO_RETRY) {
    this.#retry = retry;
    this.model = target.id;
    this.targets = [target];
    this.#target = target;
  }

  plan({ waits, retry = this.#retry }: PlanContext): RoutePlan {
    if (waits !== NO_WAITS || retry !== this.#retry) return fixedPlan([stepAt(this.#target, { waits, retry })]);
    this.#plan ??= fixedPlan([stepAt(this.#target, { retry })]);
    return this.#plan;
  }
}

/** A step without overrides, retries, hedge or waits of the client, but for what is given. */
export function stepAt(target: Target, more: Partial<Step> = {}): Step {
  return {
    target,
    overrides: undefined,
    retry: NO_RETRY,
    waits: NO_WAITS,
    hedgeAfterMs: undefined,
    fallbackStatuses: undefined,
    observer: undefined,
    reason: undefined,
    appliedJson: undefined,
    ...more,
  };
}

/** A plan that is known beforehand. */
export function fixedPlan(steps: readonly [Step, ...Step[]]): RoutePlan {
  return { first: steps[0], step: (index) => steps[index] };
}
