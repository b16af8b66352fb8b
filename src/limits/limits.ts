import type { Configuration } from '../config/configuration.ts';
import type { BudgetPeriod } from '../config/rules/counted-rules.ts';
import { GenerationCache } from '../core/generation-cache.ts';
import { runToEnd, type Steps } from '../core/steps.ts';
import type { BudgetWindowKey, RefusalAction } from '../counters/budget-groups.ts';
import { type Counters, isRefusal, type Refusal, type Reservation } from '../counters/counters.ts';
import { periodStart } from '../counters/periods.ts';
import type { Usage } from '../inference/usage.ts';
import type { Target } from '../providers/provider.ts';
import type { Price } from '../usage/price-table.ts';
import {
  type Admission,
  type AdmissionOutcome,
  type AdmissionRequest,
  type Allowance,
  type Limits,
  NO_LIMITS,
  NOTHING_HELD,
  Refused,
} from './admission.ts';
import { limitRefusal, uncountable, withDowngrade } from './applied-rules.ts';
import { LimitPlans, type LimitSelection } from './limit-plan.ts';
import { type LimitLeg, ruleLists } from './limit-rules.ts';
import { StreamAllowance } from './stream-allowance.ts';
import type { ModelForecast, TokenForecast } from './token-forecast.ts';

/** Windows whose refusals are known to be told. */
const MAX_TOLD_WINDOWS = 4_096;

/** Whole numbers up to here are exact, and sums of many of them still are. */
const MAX_AMOUNT = 2 ** 50;

export interface LimitsOptions {
  readonly counters: Counters;
  /** Milliseconds since the Unix epoch, the same on all threads. */
  now(): number;
  price(target: Target): Pick<Price, 'atMostNanoUsd'>;
  /** Forecasts of this thread; they outlive a configuration. */
  readonly forecast: TokenForecast;
  /** A budget begins to refuse requests, or to send them to a cheaper model. Once per window and configuration, about. */
  onBudgetRefuses?(window: BudgetWindowKey, action: RefusalAction): void;
}

/** The rate limits and budgets of one configuration. */
export function createLimits(
  configuration: Pick<Configuration, 'rateLimits' | 'budgets'>,
  options: LimitsOptions,
): Limits {
  return runToEnd(limitsInSteps(configuration, options));
}

/** The same; a step for each rule. */
export function* limitsInSteps(
  configuration: Pick<Configuration, 'rateLimits' | 'budgets'>,
  options: LimitsOptions,
): Steps<Limits> {
  const lists = yield* ruleLists(configuration);
  if (lists.length === 0) return NO_LIMITS;
  const cutsStreams = lists.some(({ rules }) => rules.some(({ mode }) => mode === 'cut'));
  return new ConfiguredLimits(new LimitPlans({ lists, ...options }), cutsStreams, options);
}

type Admitted = Admission | Refused;

/** One request with what it is held against and its forecast. */
interface Asked {
  readonly request: AdmissionRequest;
  readonly selection: LimitSelection;
  readonly forecast: ModelForecast;
  readonly inputTokens: number;
  /** Undefined: no price is known, or no rule asks for it. */
  readonly costNanoUsd: number | undefined;
}

class ConfiguredLimits implements Limits {
  readonly cutsStreams: boolean;
  readonly #plans: LimitPlans;
  readonly #options: LimitsOptions;
  readonly #told = new GenerationCache<true>(MAX_TOLD_WINDOWS);
  /** Reused for every question about a price, which keeps nothing of it. */
  readonly #usage: Usage = { inputTokens: 0, outputTokens: 0, servedAs: undefined };

  constructor(plans: LimitPlans, cutsStreams: boolean, options: LimitsOptions) {
    this.#plans = plans;
    this.cutsStreams = cutsStreams;
    this.#options = options;
  }

  admit(request: AdmissionRequest): Admitted | Promise<Admitted> {
    const { caller, model, names, metadata, downgradedBy } = request;
    const plan = this.#plans.plan(caller, model, names, downgradedBy?.spent);
    const selection = this.#plans.selection(plan, caller, metadata);
    if (selection.legs.length === 0) return uncounted(request, selection);
    const nowMs = this.#options.now();
    let inputTokens = 0;
    let outputTokens = 0;
    let costNanoUsd: number | undefined;
    if (selection.hasTokens || selection.hasCost) {
      inputTokens = plan.forecast.promptTokens(request.bodyBytes);
      outputTokens = plan.forecast.outputTokens(request.maxOutputTokens, request.choices);
      if (selection.hasCost) {
        const pages = request.pages && plan.forecast.pages(request.pages.most);
        costNanoUsd = this.#cost(request, inputTokens, outputTokens, nowMs, pages);
      }
    }
    const asked: Asked = { request, forecast: plan.forecast, selection, inputTokens, costNanoUsd };
    const amounts = selection.amounts(inputTokens + outputTokens, amountOf(costNanoUsd));
    return this.#reserve(asked, amounts, nowMs, 0);
  }

  #reserve(asked: Asked, amounts: readonly number[], nowMs: number, shrunk: number): Admitted | Promise<Admitted> {
    const answer = this.#options.counters.reserve(asked.selection.legs, amounts, nowMs);
    return answer instanceof Promise
      ? answer.then((each) => this.#answered(asked, amounts, each, shrunk))
      : this.#answered(asked, amounts, answer, shrunk);
  }

  #answered(
    asked: Asked,
    amounts: readonly number[],
    answer: Reservation | Refusal,
    shrunk: number,
  ): Admitted | Promise<Admitted> {
    if (!isRefusal(answer)) return this.#held(asked, amounts, answer);
    const { request, selection } = asked;
    const leg = selection.legs[answer.refusedLeg];
    if (leg === undefined) return new Refused(uncountable(answer.retryAfterMs, selection.rulesJson));
    const left = leg.limit - answer.used;
    // Each try lowers one leg, unless another request was faster.
    if (shrunk < 2 * selection.legs.length && this.#mayBegin(asked, leg, left)) {
      const fewer = amounts.map((amount, index) => (index === answer.refusedLeg ? Math.min(amount, left) : amount));
      return this.#reserve(asked, fewer, this.#options.now(), shrunk + 1);
    }
    const error = limitRefusal(leg, answer, request.model, rulesOf(request, selection));
    if (leg.period !== undefined) this.#tellRefusal(leg, leg.period);
    const { downgradeTo, id } = leg.rule;
    if (downgradeTo === undefined) return new Refused(error);
    const { downgradedBy, model } = request;
    return new Refused(error, downgradeTo, downgradedBy?.from ?? model, [...(downgradedBy?.spent ?? []), id]);
  }

  /**
   * Whether what is left will do: for a stream that can be cut, and where the length of the answer is only our guess. A
   * budget smaller than that guess would refuse everything, and nobody would ever learn how long answers are.
   */
  #mayBegin({ request, forecast, inputTokens }: Asked, { rule, counts }: LimitLeg, left: number): boolean {
    const isCut = rule.mode === 'cut' && request.stream;
    const isGuess =
      request.pages === undefined
        ? request.maxOutputTokens === undefined && forecast.guesses
        : request.pages.most === undefined && forecast.guessesPages;
    if (!isCut && !isGuess) return false;
    // At least the prompt and a first token of the answer, or a first page, must fit.
    if (counts === 'tokens') return left > inputTokens;
    if (counts !== 'cost') return false;
    return left > 0 && left >= amountOf(this.#cost(request, inputTokens, 1, this.#options.now(), 1));
  }

  #tellRefusal({ rule, unit, group }: LimitLeg, period: BudgetPeriod): void {
    const { now, onBudgetRefuses } = this.#options;
    const window = { budget: rule.id, unit, period, periodStart: periodStart(period, now()), group };
    const key = `${window.periodStart} ${unit} ${rule.id}\0${group}`;
    if (onBudgetRefuses === undefined || this.#told.get(key)) return;
    this.#told.set(key, true);
    onBudgetRefuses(window, rule.downgradeTo === undefined ? 'refuse' : 'downgrade');
  }

  #held(asked: Asked, amounts: readonly number[], reservation: Reservation): Admission {
    const { request, selection } = asked;
    const allowance =
      request.stream && selection.cuts.length > 0 ? this.#allowance(asked, amounts, reservation) : undefined;
    return new HeldAdmission(asked, reservation, rulesOf(request, selection), allowance);
  }

  #allowance(asked: Asked, amounts: readonly number[], reservation: Reservation): StreamAllowance {
    const { request, inputTokens, selection } = asked;
    const { legs, cuts } = selection;
    const { now } = this.#options;
    return new StreamAllowance({
      reservation,
      legs,
      cuts,
      held: amounts.map((amount, index) => Math.min(amount, legs[index]!.limit)),
      inputTokens,
      costNanoUsd: (outputTokens) => this.#cost(request, inputTokens, outputTokens, now()),
      now,
    });
  }

  /** The most it can cost: the tier that serves a request is known with its answer. */
  #cost(
    { target, servedAs, counted, pages: expected, costNanoUsd }: AdmissionRequest,
    inputTokens: number,
    outputTokens: number,
    nowMs: number,
    pages?: number,
  ): number | undefined {
    if (target === undefined) return costNanoUsd;
    this.#usage.inputTokens = inputTokens;
    this.#usage.outputTokens = outputTokens;
    this.#usage.servedAs = servedAs;
    this.#usage.rare =
      expected === undefined ? counted : { pages, ...(expected.annotated && { annotatedPages: pages }) };
    return this.#options.price(target).atMostNanoUsd(this.#usage, nowMs);
  }
}

/** The admission where no rule applies, or only budgets that count nothing for this group. */
function uncounted(request: AdmissionRequest, selection: LimitSelection): Admission {
  const rulesJson = rulesOf(request, selection);
  if (rulesJson === undefined) return NOTHING_HELD;
  return { ...NOTHING_HELD, rulesJson, chargesJson: selection.chargesJson };
}

function rulesOf({ downgradedBy, model }: AdmissionRequest, { rulesJson }: LimitSelection): string | undefined {
  // A client that asks for the cheaper model itself gets what it asked for.
  if (downgradedBy === undefined || downgradedBy.from === model) return rulesJson;
  return withDowngrade(rulesJson, downgradedBy.from, model, downgradedBy.spent.at(-1) ?? '');
}

/** What an exchange holds until it is settled. */
class HeldAdmission implements Admission {
  readonly rulesJson: string | undefined;
  readonly allowance: Allowance | undefined;
  readonly reservedNanoUsd: number | undefined;
  /** What of the request is needed at its end: the rest would be held for as long as its answer streams. */
  readonly #selection: LimitSelection;
  readonly #forecast: ModelForecast;
  readonly #bodyBytes: number;
  readonly #choices: number;
  #reservation: Reservation | undefined;

  constructor(asked: Asked, reservation: Reservation, rulesJson: string | undefined, allowance: Allowance | undefined) {
    this.rulesJson = rulesJson;
    this.allowance = allowance;
    this.reservedNanoUsd = asked.costNanoUsd;
    this.#selection = asked.selection;
    this.#forecast = asked.forecast;
    this.#bodyBytes = asked.request.bodyBytes;
    this.#choices = asked.request.choices;
    this.#reservation = reservation;
  }

  get chargesJson(): string | undefined {
    return this.#selection.chargesJson;
  }

  over(): void {
    this.#reservation?.over();
  }

  settle({ dispatched, usage, costNanoUsd, endedAtMs }: AdmissionOutcome): void {
    const reservation = this.#reservation;
    if (reservation === undefined) return;
    this.#reservation = undefined;
    const selection = this.#selection;
    const tokens = amountOf(usage?.inputTokens) + amountOf(usage?.outputTokens);
    const used = dispatched ? selection.amounts(tokens, amountOf(costNanoUsd)) : selection.nothing;
    reservation.settle(used, endedAtMs);
    if (usage !== undefined) this.#forecast.learn(this.#bodyBytes, usage, this.#choices);
  }
}

/** A failed request used nothing, and nonsense of a provider must not break a count. */
function amountOf(count: number | undefined): number {
  return count !== undefined && count > 0 ? Math.min(Math.round(count), MAX_AMOUNT) : 0;
}
