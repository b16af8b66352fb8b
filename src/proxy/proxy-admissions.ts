import type { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import { type Admission, type AdmissionRequest, type Limits, NOTHING_HELD, Refused } from '../limits/admission.ts';
import { StepAdmissions } from '../limits/step-admissions.ts';
import type { ProxyStep } from './asked-steps.ts';

type Steps = readonly ProxyStep[];

/** What limits hold for a request that passes: for the place that is asked, and for no other. */
export class ProxyAdmissions {
  readonly #limits: Limits;
  readonly #askedOf: (step: ProxyStep) => AdmissionRequest;
  #first: Admission = NOTHING_HELD;
  /** The admissions of several places; undefined: there is one. */
  #each: StepAdmissions<ProxyStep> | undefined;

  constructor(limits: Limits, askedOf: (step: ProxyStep) => AdmissionRequest) {
    this.#limits = limits;
    this.#askedOf = askedOf;
  }

  /** The places from the first on that is let in, which is held. What a rule about one refuses, another may be asked. */
  admit(steps: Steps, refused?: GatewayError): OrError<Steps> | Promise<OrError<Steps>> {
    const admitted = this.#limits.admit(this.#askedOf(steps[0]!));
    return admitted instanceof Promise
      ? admitted.then((answer) => this.#admitted(steps, answer, refused))
      : this.#admitted(steps, admitted, refused);
  }

  #admitted(
    steps: Steps,
    answer: Admission | Refused,
    refused: GatewayError | undefined,
  ): OrError<Steps> | Promise<OrError<Steps>> {
    if (answer instanceof Refused) {
      // The body names its model, so the request cannot be sent to a cheaper one.
      const error = refused ?? answer.error;
      return steps.length > 1 ? this.admit(steps.slice(1), error) : error;
    }
    this.#first = answer;
    if (steps.length > 1) this.#each = new StepAdmissions(this.#limits, this.#askedOf, steps[0]!, answer);
    return steps;
  }

  /** The place of the first one from `from` on that is let in where the one at `failed` was; undefined: there is none. */
  next(steps: Steps, failed: number, from = failed + 1): number | undefined | Promise<number | undefined> {
    for (let at = from; at < steps.length; at += 1) {
      const held = this.#each?.replace(steps[failed]!, steps[at]!);
      if (held === undefined) return at;
      if (held instanceof Promise) {
        return held.then((answer) => (answer === undefined ? at : this.next(steps, failed, at + 1)));
      }
    }
    return undefined;
  }

  of(step: ProxyStep): Admission {
    return this.#each?.of(step) ?? this.#first;
  }

  /** The end: the one that is settled for all. */
  close(step: ProxyStep): Admission {
    return this.#each?.close(step) ?? this.#first;
  }

  /** Nothing was sent. */
  giveBack(): void {
    this.#first.settle({ dispatched: false, usage: undefined, costNanoUsd: undefined, endedAtMs: Date.now() });
  }
}
