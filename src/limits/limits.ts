import type { Configuration } from '../config/configuration.ts';
import type { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import { type Counters, isRefusal, type Refusal, type Reservation } from '../counters/counters.ts';
import type { Usage } from '../inference/usage.ts';
import type { Target } from '../providers/provider.ts';
import type { Price } from '../usage/price-table.ts';
import { type Admission, type AdmissionRequest, type Limits, NO_LIMITS, NOTHING_HELD } from './admission.ts';
import { withDowngrade } from './applied-rules.ts';
import { type Asked, amountOf, HeldAdmission } from './held-admission.ts';
import { LimitPlans } from './limit-plan.ts';
import { limitRefusal, uncountable } from './limit-refusal.ts';
import { type LimitLeg, ruleLists } from './limit-rules.ts';
import type { LimitSelection } from './limit-selection.ts';
import { StreamAllowance } from './stream-allowance.ts';
import type { TokenForecast } from './token-forecast.ts';

export interface LimitsOptions {
  readonly counters: Counters;
  /** Milliseconds since the Unix epoch, the same on all threads. */
  now(): number;
  price(target: Target): Pick<Price, 'atMostNanoUsd'>;
  /** Of this thread; outlives a configuration. */
  readonly forecast: TokenForecast;
}

/** The rate limits and budgets of one configuration. */
export function createLimits(
  configuration: Pick<Configuration, 'rateLimits' | 'budgets'>,
  options: LimitsOptions,
): Limits {
  const lists = ruleLists(configuration);
  return lists.length === 0 ? NO_LIMITS : new ConfiguredLimits(new LimitPlans({ lists, ...options }), options);
}

class ConfiguredLimits implements Limits {
  readonly #plans: LimitPlans;
  readonly #options: LimitsOptions;
  /** Filled anew for every question about a price, which keeps nothing of it. */
  readonly #usage: Usage = { inputTokens: 0, outputTokens: 0, servedAs: undefined };

  constructor(plans: LimitPlans, options: LimitsOptions) {
    this.#plans = plans;
    this.#options = options;
  }

  admit(request: AdmissionRequest): OrError<Admission> | Promise<OrError<Admission>> {
    const { caller, model, metadata, downgradedBy } = request;
    const spent = downgradedBy instanceof Downgrade ? downgradedBy.spent : undefined;
    const plan = this.#plans.plan(caller, model, spent);
    const selection = this.#plans.selection(plan, caller, metadata);
    if (selection.legs.length === 0) return uncounted(request, selection);
    const nowMs = this.#options.now();
    let inputTokens = 0;
    let outputTokens = 0;
    let costNanoUsd: number | undefined;
    if (selection.hasTokens || selection.hasCost) {
      inputTokens = plan.forecast.promptTokens(request.bodyBytes);
      outputTokens = plan.forecast.outputTokens(request.maxOutputTokens, request.choices);
      if (selection.hasCost) costNanoUsd = this.#cost(request, inputTokens, outputTokens, nowMs);
    }
    const asked: Asked = { request, forecast: plan.forecast, selection, inputTokens, costNanoUsd };
    const amounts = selection.amounts(inputTokens + outputTokens, amountOf(costNanoUsd));
    return this.#reserve(asked, amounts, nowMs, 0);
  }

  #reserve(
    asked: Asked,
    amounts: readonly number[],
    nowMs: number,
    shrunk: number,
  ): OrError<Admission> | Promise<OrError<Admission>> {
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
  ): OrError<Admission> | Promise<OrError<Admission>> {
    if (!isRefusal(answer)) return this.#held(asked, amounts, answer);
    const { request, selection } = asked;
    const leg = selection.legs[answer.refusedLeg];
    if (leg === undefined) return uncountable(answer.retryAfterMs, selection.rulesJson);
    const left = leg.limit - answer.used;
    // Each try takes one leg down, or another request was faster.
    if (shrunk < 2 * selection.legs.length && this.#mayBegin(asked, leg, left)) {
      const fewer = amounts.map((amount, index) => (index === answer.refusedLeg ? Math.min(amount, left) : amount));
      return this.#reserve(asked, fewer, this.#options.now(), shrunk + 1);
    }
    const refusal = limitRefusal(leg, answer, request.model, rulesOf(request, selection));
    const { downgradeTo, id } = leg.rule;
    return downgradeTo === undefined ? refusal : new Downgrade(request, id, downgradeTo, refusal);
  }

  /**
   * Whether what is left will do: for a stream that can be cut, and where the length of the answer is only our guess. A
   * budget smaller than that guess would refuse everything, and nobody would ever learn how long answers are.
   */
  #mayBegin({ request, forecast, inputTokens }: Asked, { rule, counts }: LimitLeg, left: number): boolean {
    const isCut = rule.mode === 'cut' && request.stream;
    const isGuess = request.maxOutputTokens === undefined && forecast.guesses;
    if (!isCut && !isGuess) return false;
    // The prompt, and a first token of the answer.
    if (counts === 'tokens') return left > inputTokens;
    if (counts !== 'cost') return false;
    return left > 0 && left >= amountOf(this.#cost(request, inputTokens, 1, this.#options.now()));
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

  /** The most it can be: in which tier a request is served is known with its answer. */
  #cost(
    { target, servedAs }: AdmissionRequest,
    inputTokens: number,
    outputTokens: number,
    nowMs: number,
  ): number | undefined {
    this.#usage.inputTokens = inputTokens;
    this.#usage.outputTokens = outputTokens;
    this.#usage.servedAs = servedAs;
    return this.#options.price(target).atMostNanoUsd(this.#usage, nowMs);
  }
}

/** No rule applied, or only budgets that count nothing for this group. */
function uncounted(request: AdmissionRequest, selection: LimitSelection): Admission {
  const rulesJson = rulesOf(request, selection);
  if (rulesJson === undefined) return NOTHING_HELD;
  return { ...NOTHING_HELD, rulesJson, chargesJson: selection.chargesJson };
}

function rulesOf({ downgradedBy, model }: AdmissionRequest, { rulesJson }: LimitSelection): string | undefined {
  if (!(downgradedBy instanceof Downgrade)) return rulesJson;
  const { from, spent } = downgradedBy;
  // Who asks for the cheaper model itself gets what was asked for.
  if (from === model) return rulesJson;
  return withDowngrade(rulesJson, from, model, spent.at(-1) ?? '');
}

/** A budget that is spent sends the request to another model. Nothing is held. */
class Downgrade implements Admission {
  readonly rulesJson = undefined;
  readonly chargesJson = undefined;
  readonly reservedNanoUsd = undefined;
  readonly allowance = undefined;
  readonly downgradeTo: string;
  readonly instead: GatewayError;
  /** The model that was asked for at first. */
  readonly from: string;
  /** Budgets that sent it on, the latest last: none decides twice, so the way ends. */
  readonly spent: readonly string[];

  constructor({ downgradedBy, model }: AdmissionRequest, id: string, to: string, instead: GatewayError) {
    const earlier = downgradedBy instanceof Downgrade ? downgradedBy : undefined;
    this.downgradeTo = to;
    this.instead = instead;
    this.from = earlier?.from ?? model;
    this.spent = [...(earlier?.spent ?? []), id];
  }

  over(): void {}

  settle(): void {}
}
