import type { CacheUse } from '../cache/cache-use.ts';
import type { ReplayResult } from '../cache/replay.ts';
import { GatewayError } from '../core/errors.ts';
import type { GuardedInput, InputVerdict } from '../guardrails/guarded-input.ts';
import type { GuardSession } from '../guardrails/session.ts';
import { PendingVerdict } from '../guardrails/until-verdict.ts';
import { asciiJson, joinedRules } from '../limits/applied-rules.ts';
import type { Target } from '../providers/provider.ts';
import type { AnswerFilterMaker } from '../relay/answer-filter.ts';
import { mountFor } from '../relay/choose-mount.ts';
import { Relay, type RelayOwner, type RelayResult } from '../relay/relay.ts';
import type { Capture } from '../request-log/capture.ts';
import type { Complexity, Route, Step } from '../routing/route-plan.ts';
import { type AdmissionOwner, AdmissionStage, type Wish } from './admission-stage.ts';
import { answeredHere, estimatedTokens, sendEstimate, uncountable } from './answered-here.ts';
import { type CacheOwner, CacheStage, cacheUseOf, type Way } from './cache-stage.ts';
import { beginCapture, captureGuarded, refuseExchange, settleExchange } from './exchange-end.ts';
import { askInputGuards, guardFilters, openGuards, takeGuardedBody } from './guard-stage.ts';
import type { RefusedRequest } from './pipeline-options.ts';
import { NO_FILTERS, RequestContext, type UnderstoodRequest } from './request-context.ts';

/** One request that was understood, until its exchange is over: limits, guards, cache, relay, settlement. */
export class Inference implements AdmissionOwner, CacheOwner, RelayOwner {
  readonly #request: RequestContext;
  readonly #admission: AdmissionStage;
  /** Undefined: nothing of its bodies is kept. */
  readonly #capture: Capture | undefined;
  /** The guards that apply; undefined: none does. */
  #guard: GuardSession | undefined;
  /** Undefined: neither its client nor a rule asks for the cache. */
  #cacheUse: CacheUse | undefined;
  #cache: CacheStage | undefined;
  /** What was let in, and is sent where the cache has no answer. */
  #wish: Wish | undefined;
  /** They see the answer first. */
  #guards: readonly AnswerFilterMaker[] = NO_FILTERS;
  #relaying: Relay | undefined;
  /** The verdict of guards of the input that run beside the call; undefined: none does. */
  #verdict: PendingVerdict | undefined;
  /** Why it is over before it was sent. */
  #broken: GatewayError | undefined;
  #isOver = false;

  constructor(understood: UnderstoodRequest) {
    this.#request = new RequestContext(understood);
    this.#admission = new AdmissionStage(this.#request, this);
    this.#capture = beginCapture(this.#request);
  }

  /** `given`: who asks has chosen it. */
  begin(given?: Route): void {
    const { peeked, client } = this.#request;
    const route = given ?? this.#request.permittedRoute(qualified(peeked.model, client.providerName));
    if (route instanceof GatewayError) this.#refuse(route, { model: route.context.target });
    else this.#admission.begin(route, undefined);
  }

  /** The body does not come whole, or a guard of it refuses. */
  breakOff(error: GatewayError): void {
    if (this.#isOver) return;
    // While rules are asked the answer is waited for: what they hold is given back.
    if (this.#relaying === undefined) this.#broken = error;
    else this.#relaying.breakOff(error);
  }

  whyLeft(): GatewayError | undefined {
    if (this.#broken) return this.#broken;
    return this.#request.exchange.aborted === undefined ? undefined : new GatewayError('client_closed');
  }

  // ── limits, then guards ───────────────────────────────────────────────────

  admitted(wish: Wish): void {
    const left = this.whyLeft();
    if (left) {
      this.#leaveStep(wish.step, left);
      return;
    }
    try {
      this.#askGuards(wish);
    } catch (cause) {
      this.left(new GatewayError('internal_error', { cause }));
    }
  }

  #askGuards(wish: Wish): void {
    const guard = openGuards(this.#request);
    if (guard instanceof GatewayError) {
      this.#leaveStep(wish.step, guard);
      return;
    }
    this.#guard = guard;
    const verdict = guard && askInputGuards(this.#request, guard);
    if (verdict === undefined) this.#answer(wish, undefined);
    else if (verdict instanceof Promise) {
      verdict
        .then((each) => this.#guardedInput(wish, each))
        .catch((cause) => this.left(new GatewayError('internal_error', { cause })));
    } else this.#guardedInput(wish, verdict);
  }

  /** Guards of the input have read it; others may still be asked. */
  #guardedInput(wish: Wish, verdict: InputVerdict): void {
    const left = this.whyLeft();
    if (left) this.#leaveStep(wish.step, left);
    else if (verdict instanceof GatewayError) this.#leaveStep(wish.step, verdict);
    else {
      const unread = takeGuardedBody(this.#request, verdict);
      if (unread) this.#leaveStep(wish.step, unread);
      else this.#answer(wish, verdict);
    }
  }

  /** Guards that run beside the call: one that refuses ends it. */
  #await(pending: Promise<GatewayError | undefined>, verdict: PendingVerdict): void {
    pending
      .catch((cause) => new GatewayError('internal_error', { cause }))
      .then((error) => {
        if (this.#isOver) return;
        if (error === undefined) verdict.pass();
        else if (this.#cache?.breakOff(error) !== true) this.breakOff(error);
      });
  }

  // ── cache, then relay ─────────────────────────────────────────────────────

  /** From the cache where it is asked for, else from a target. */
  #answer(wish: Wish, input: GuardedInput | undefined): void {
    const request = this.#request;
    captureGuarded(request, this.#capture);
    const verdict = input?.pending && new PendingVerdict();
    this.#verdict = verdict;
    this.#wish = wish;
    this.#guards = guardFilters(request, this.#guard, input, verdict);
    if (input?.pending && verdict) this.#await(input.pending, verdict);
    const way: Way = { route: wish.route, step: wish.step, guards: this.#guards };
    this.#cacheUse = cacheUseOf(request, way);
    if (this.#cacheUse === undefined) {
      this.send();
      return;
    }
    this.#cache = new CacheStage(request, this.#cacheUse, way, this);
    this.#cache.lookUp();
  }

  replayed({ error, status, cut, shortened, target, content, endedAt }: ReplayResult): void {
    const { step } = this.#wish!;
    const hit = answeredHere(step, this.rulesJson(step));
    this.relayed({ ...hit, error, status, cut, shortened, target: target ?? step.target, content, endedAt });
  }

  send(): void {
    const { plan, index, step, route } = this.#wish!;
    const { exchange, dialect, peeked, options, snapshot, client, filters } = this.#request;
    const { mayCut, cut } = this.#admission;
    if (dialect.fromEstimate !== undefined && mountFor(step.target, dialect) === undefined) {
      this.#answerByEstimate(step, dialect.fromEstimate);
      return;
    }
    const led = this.#cacheUse?.lead(mayCut, (usage, id) => {
      const answering = this.#request.targetOf(route, id);
      return answering && snapshot.price(answering).costNanoUsd(usage);
    });
    // What a budget cuts is not recorded as it came. What guards change is recorded before them, for each has its own.
    const first = [...(mayCut ? [cut] : NO_FILTERS), ...(led ? [led.filter] : [])];
    const guards = this.#guards;
    this.#relaying = new Relay({
      exchange,
      dialect,
      peeked,
      plan,
      index,
      settings: snapshot.settings,
      pools: options.pools,
      sweeper: options.sweeper,
      translateHeavy: options.translateHeavy,
      heavyAnswers: options.heavyAnswers,
      fetchMedia: options.fetchMedia?.(snapshot.settings),
      // Guards read what is left of an answer, and others what guards leave of it.
      filters: guards.length + first.length === 0 ? filters : [...first, ...guards, ...filters],
      hidesAnswer: guards.length > 0,
      headers: this.#cacheUse?.headers,
      shared: led?.shared,
      sharedMemory: options.sharedMemory,
      strictForm: client.strictForm,
      cacheMarker: client.cacheMarker,
      holds: this.#admission.holds,
      owner: this,
    });
    // Before the body may be let go.
    if (route.shadow) options.shadow?.(exchange, dialect, route.shadow);
    // A stream may go on for long: what limits were asked is not needed any more.
    if (this.#cacheUse === undefined) this.#wish = undefined;
    this.#relaying.start();
  }

  /** Nobody is asked: the tokens of the prompt are counted here, and the answer says so. */
  #answerByEstimate(step: Step, written: (inputTokens: number) => Buffer): void {
    const { exchange } = this.#request;
    step.observer?.left();
    const fault = uncountable(this.#request, step);
    if (fault) {
      this.left(fault);
      return;
    }
    estimatedTokens(this.#request, step)
      .then((tokens) => {
        if (exchange.aborted !== undefined) {
          this.left(new GatewayError('client_closed'));
          return;
        }
        sendEstimate(exchange, step, written(tokens));
        this.relayed(answeredHere(step, this.rulesJson(step)));
      })
      .catch((cause) => this.left(new GatewayError('internal_error', { cause })));
  }

  credentialRefused(target: Target, error: GatewayError): void {
    this.#request.options.credentialRefused(target, error);
  }

  rulesJson(step: Step): string | undefined {
    const { told } = this.#request;
    const admitted = this.#admission.rulesJson(step);
    const rulesJson = told === undefined ? admitted : joinedRules(admitted, complexityJson(told));
    const guardrails = this.#guard?.plan.ruleIds ?? [];
    return guardrails.length === 0 ? rulesJson : joinedRules(rulesJson, asciiJson({ guardrails }));
  }

  // ── the end ───────────────────────────────────────────────────────────────

  relayed(answered: RelayResult): void {
    this.#cacheUse?.over(answered.error);
    const { exchange, options } = this.#request;
    const left = answered.error === undefined && exchange.aborted !== undefined;
    const result = left ? deserted(answered) : answered;
    const { error } = result;
    this.#isOver = true;
    if (error?.code === 'internal_error')
      options.log.error({ exchange: exchange.id, error: error.context.cause }, error.message);
    const guard = this.#guard;
    if (guard === undefined) this.#settle(result, undefined);
    else {
      const closedAt = performance.now();
      // What guards only record belongs into the record: their deadline bounds the wait.
      guard.whenRecorded(() => {
        this.#settle(result, closedAt);
        guard.close();
      });
    }
  }

  #settle(result: RelayResult, closedAt: number | undefined): void {
    settleExchange(this.#request, result, {
      admission: this.#admission.close(result.step),
      cacheUse: this.#cacheUse,
      guard: this.#guard,
      capture: this.#bodies(),
      closedAt,
    });
  }

  #leaveStep(step: Step, error: GatewayError): void {
    step.observer?.left();
    this.left(error);
  }

  /** Admitted, and over before anything was sent: what was held is given back. */
  left(error: GatewayError): void {
    this.#admission.giveBack();
    this.refusedByRule(error);
  }

  /** By a rule, or while rules were asked: the record says of whom and about what, as that of an answer does. */
  refusedByRule(error: GatewayError): void {
    const { model, caller, metadataJson } = this.#request;
    const guard = this.#guard;
    this.#cacheUse?.over(error);
    guard?.close();
    this.#refuse(error, { model, teamsJson: caller.teamsJson, metadataJson, guardrailsJson: guard?.json });
  }

  #refuse(error: GatewayError, known: RefusedRequest): void {
    refuseExchange(this.#request, this.#bodies(), error, known);
  }

  /** Without a request that guards beside the call have not passed. */
  #bodies(): Capture | undefined {
    if (this.#verdict?.passed === false) this.#capture?.withholdRequest();
    return this.#capture;
  }
}

/** As the reference product tells it; hops have the whole cause. */
function complexityJson({ tier, cause }: Complexity): string {
  const isAsked = cause === 'classifier' || cause === 'conversation';
  return asciiJson({ complexity: { tier, cause: isAsked ? 'classifier' : 'heuristic' } });
}

/** Its answer went on for others after its client had left. */
function deserted(result: RelayResult): RelayResult {
  return { ...result, error: new GatewayError('client_closed'), status: 499 };
}

/** `x-tfy-provider-name` names the account where the model id names none. */
function qualified(model: string, providerName: string | undefined): string {
  return providerName === undefined || model.startsWith(`${providerName}/`) ? model : `${providerName}/${model}`;
}
