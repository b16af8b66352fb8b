import { GatewayError } from '../core/errors.ts';
import { type Admission, type AdmissionRequest, giveBack, NOTHING_HELD, Refused } from '../limits/admission.ts';
import { type AskedOfAny, askedOf, StepAdmissions } from '../limits/step-admissions.ts';
import type { AnswerFilterMaker } from '../relay/answer-filter.ts';
import { cutShort } from '../relay/cut-short.ts';
import type { Complexity, Route, RoutePlan, Step } from '../routing/route-plan.ts';
import { inputGuardNames } from './guard-stage.ts';
import type { RequestContext } from './request-context.ts';

/** A step that limits are asked about before it is the first attempt. */
export interface Wish {
  readonly route: Route;
  readonly plan: RoutePlan;
  readonly index: number;
  /** The step of the plan at that index. */
  readonly step: Step;
  /** The plan has several targets, each with rules of its own. */
  readonly several: boolean;
  readonly asked: AskedOfAny;
  /** What refused the step before it; undefined: it is the first. */
  readonly first?: Refused;
}

/** The receiver of the limits' verdict; told once. */
export interface AdmissionOwner {
  /** It is held, and may go on with this step. */
  admitted(wish: Wish): void;
  /** Nothing is held. */
  refusedByRule(error: GatewayError): void;
}

/** Plans a request and asks the limits, step by step, until one of them lets it in. */
export class AdmissionStage {
  readonly #request: RequestContext;
  readonly #owner: AdmissionOwner;
  #admission: Admission = NOTHING_HELD;
  /** The admissions of a route with several targets; undefined: there is one. */
  #admissions: StepAdmissions | undefined;

  constructor(request: RequestContext, owner: AdmissionOwner) {
    this.#request = request;
    this.#owner = owner;
  }

  /** Whether a stream of the exchange may be cut. */
  get mayCut(): boolean {
    if (this.#admissions === undefined) return this.#admission.allowance !== undefined;
    return this.#request.peeked.stream && this.#request.snapshot.limits.cutsStreams === true;
  }

  /** Cuts a stream where the allowance of the step that answers ends: each target has a price and a reservation of its own. */
  readonly cut: AnswerFilterMaker = (host, context) => {
    const { step } = context;
    const { allowance } = (step && this.#admissions?.of(step)) ?? this.#admission;
    return allowance && cutShort(allowance)(host, context);
  };

  /** See StepHolds. */
  get holds(): StepAdmissions | undefined {
    return this.#admissions;
  }

  rulesJson(step: Step): string | undefined {
    return (this.#admissions?.of(step) ?? this.#admission).rulesJson;
  }

  /** `downgradedBy`: the refusal that sent the request here, because a budget is spent. */
  begin(to: Route, downgradedBy: Refused | undefined): void {
    const request = this.#request;
    request.model = to.model;
    const asked = classified(request, to);
    if (asked instanceof Promise) {
      asked
        .then((told) => {
          request.classified = told;
          this.#plan(to, downgradedBy);
        })
        .catch((cause) => this.#owner.refusedByRule(new GatewayError('internal_error', { cause })));
      return;
    }
    request.classified = asked;
    this.#plan(to, downgradedBy);
  }

  #plan(to: Route, downgradedBy: Refused | undefined): void {
    const request = this.#request;
    const { maxOutputTokens, choices, servedAs, counted, pages, stream } = request.peeked;
    request.told = undefined;
    const plan = to.plan(request);
    if (plan instanceof GatewayError) {
      this.#owner.refusedByRule(plan);
      return;
    }
    const asked: AskedOfAny = {
      caller: request.caller,
      model: to.model,
      slug: to.slug,
      bodyBytes: request.peeked.promptBytes ?? request.exchange.bytesIn,
      maxOutputTokens,
      choices,
      servedAs,
      counted,
      pages,
      stream,
      downgradedBy,
      metadata: request.metadata,
    };
    this.#ask({ route: to, plan, index: 0, step: plan.first, several: plan.description !== undefined, asked });
  }

  /** Nothing was sent: what was held is given back. */
  giveBack(): void {
    giveBack(this.#admission);
  }

  /** The end: the admission that is settled for all. */
  close(step: Step): Admission {
    return this.#admissions?.close(step) ?? this.#admission;
  }

  #ask(wish: Wish): void {
    const { step, several, asked } = wish;
    const request: AdmissionRequest = several ? askedOf(step, asked) : { ...asked, target: step.target };
    const admitted = this.#request.snapshot.limits.admit(request);
    if (admitted instanceof Promise) this.#waitFor(admitted, wish);
    else this.#proceed(wish, admitted);
  }

  /** Another machine is asked: meanwhile the client may leave, and what was held for it is given back. */
  #waitFor(admitted: Promise<Admission | Refused>, wish: Wish): void {
    admitted
      .then((answer) => this.#proceed(wish, answer))
      .catch((cause) => this.#owner.refusedByRule(new GatewayError('internal_error', { cause })));
  }

  #proceed(wish: Wish, admitted: Admission | Refused): void {
    const { step, several, asked } = wish;
    if (admitted instanceof Refused) {
      step.observer?.left();
      this.#refused(wish, admitted);
      return;
    }
    this.#admission = admitted;
    if (several) {
      const { limits } = this.#request.snapshot;
      this.#admissions = new StepAdmissions(limits, (each: Step) => askedOf(each, asked), step, admitted);
    }
    this.#owner.admitted(wish);
  }

  /** What a rule about one target refuses, another target may be asked. */
  #refused(wish: Wish, refused: Refused): void {
    const { plan, index, several, first = refused } = wish;
    const step = several && refused.instead === undefined ? plan.step(index + 1) : undefined;
    if (step === undefined) this.#refuseOrDowngrade(first);
    else this.#ask({ ...wish, index: index + 1, step, first });
  }

  #refuseOrDowngrade(refused: Refused): void {
    const { error, instead } = refused;
    const cheaper = instead === undefined ? error : this.#request.permittedRoute(instead);
    // A budget gives nobody a model that is not theirs: then it refuses.
    if (cheaper instanceof GatewayError) this.#owner.refusedByRule(error);
    else this.begin(cheaper, refused);
  }
}

/** How hard a model says the request is, where its route asks one and it matters. Undefined: signs in it tell. */
function classified(request: RequestContext, to: Route): Promise<Complexity> | Complexity | undefined {
  const { exchange, dialect, options } = request;
  if (to.classifier === undefined || options.classifier === undefined) return undefined;
  const isWhole = exchange.arriving === undefined && exchange.spooled === undefined;
  if (!isWhole || !to.needsComplexity?.(request)) return undefined;
  const guards = inputGuardNames(request);
  // Its guards would refuse the request later on, in its own words.
  if (guards instanceof GatewayError) return undefined;
  return options.classifier.classify(exchange, dialect, to.classifier, guards);
}
