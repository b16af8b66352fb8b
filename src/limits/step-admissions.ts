import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { Step } from '../routing/route-plan.ts';
import {
  type Admission,
  type AdmissionOutcome,
  type AdmissionRequest,
  giveBack,
  type Limits,
  NOTHING_HELD,
  Refused,
} from './admission.ts';

/** The part of an admission's request that is the same for every target. */
export type AskedOfAny = Omit<AdmissionRequest, 'target' | 'names' | 'maxOutputTokens'> & {
  readonly slug: string | undefined;
  readonly maxOutputTokens: number | undefined;
};

const MAX_OUTPUT_KEYS = ['max_completion_tokens', 'max_tokens', 'max_output_tokens'];

/** What of an exchange is asked of one step: its target has a price and rules of its own, its overrides a length. */
export function askedOf(step: Step, { slug, ...asked }: AskedOfAny): AdmissionRequest {
  const names = slug === undefined ? [step.target.id] : [slug, step.target.id];
  return { ...asked, names, target: step.target, maxOutputTokens: lengthOf(step) ?? asked.maxOutputTokens };
}

function lengthOf({ overrides }: Step): number | undefined {
  for (const key of MAX_OUTPUT_KEYS) {
    const length = overrides?.params?.[key];
    if (typeof length === 'number') return length;
  }
  return undefined;
}

/**
 * The admissions of an exchange that may go to several targets: one for each attempt that is live. A request counts once:
 * what is given back for a failed attempt is held for the next, and at the end one of them is settled for all.
 */
export class StepAdmissions<S = Step> {
  readonly #limits: Limits;
  readonly #askedOf: (step: S) => AdmissionRequest;
  readonly #held = new Map<S, Admission>();
  /** What was given back for a failed step, while limits that are counted elsewhere are asked for another. */
  #replacing: { readonly step: S; readonly admission: Admission } | undefined;
  /** The exchange ended meanwhile: its request counts for the step that failed. */
  #late: AdmissionOutcome | undefined;
  #over = false;

  /** `askedOf`: what is asked of a step. */
  constructor(limits: Limits, askedOf: (step: S) => AdmissionRequest, first: S, admission: Admission) {
    this.#limits = limits;
    this.#askedOf = askedOf;
    this.#held.set(first, admission);
  }

  of(step: S): Admission {
    return this.#held.get(step) ?? NOTHING_HELD;
  }

  /** See StepHolds. */
  replace(step: S, by: S): OrError<void> | Promise<OrError<void>> {
    const admission = this.of(step);
    this.#giveBack(step);
    const held = this.add(by);
    if (held instanceof Promise) {
      this.#replacing = { step, admission };
      return this.#replaced(step, held);
    }
    return held instanceof GatewayError ? this.#again(step, held) : held;
  }

  add(step: S): OrError<void> | Promise<OrError<void>> {
    const admitted = this.#limits.admit(this.#askedOf(step));
    return admitted instanceof Promise
      ? admitted.then((answer) => this.#admitted(step, answer))
      : this.#admitted(step, admitted);
  }

  drop(step: S): void {
    this.#giveBack(step);
  }

  /** The end: the admission of the step that the exchange was about, and all others are given back. */
  close(step: S): Admission {
    this.#over = true;
    const admission =
      this.#replacing?.step === step && !this.#held.has(step) ? this.#counting(this.#replacing) : this.of(step);
    this.#held.delete(step);
    for (const other of [...this.#held.keys()]) this.#giveBack(other);
    return admission;
  }

  async #replaced(step: S, held: Promise<OrError<void>>): Promise<OrError<void>> {
    try {
      const answer = await held;
      if (answer instanceof GatewayError && !this.#over) await this.add(step);
      return answer;
    } finally {
      this.#replacing = undefined;
      if (this.#late) this.#count(step, this.#late);
    }
  }

  /** What was given back, to be held once more and settled as soon as limits have answered. */
  #counting({ step, admission }: { readonly step: S; readonly admission: Admission }): Admission {
    const { rulesJson, chargesJson, reservedNanoUsd } = admission;
    const settle = (outcome: AdmissionOutcome): void => {
      if (!outcome.dispatched || this.#late !== undefined) return;
      this.#late = outcome;
      if (this.#replacing === undefined) this.#count(step, outcome);
    };
    return { ...NOTHING_HELD, rulesJson, chargesJson, reservedNanoUsd, settle };
  }

  #count(step: S, outcome: AdmissionOutcome): void {
    const settled = (answer: Admission | Refused): void => {
      if (!(answer instanceof Refused)) answer.settle(outcome);
    };
    const admitted = this.#limits.admit(this.#askedOf(step));
    // Limits that cannot be asked count nothing.
    if (admitted instanceof Promise) admitted.then(settled, () => undefined);
    else settled(admitted);
  }

  /** The exchange ends with the step that failed, and its request counts. */
  #again(step: S, refused: GatewayError): GatewayError | Promise<GatewayError> {
    const held = this.add(step);
    return held instanceof Promise ? held.then(() => refused) : refused;
  }

  #admitted(step: S, answer: Admission | Refused): OrError<void> {
    if (answer instanceof Refused) return answer.error;
    // Nobody waits for it any more.
    if (this.#over) giveBack(answer);
    else this.#held.set(step, answer);
    return undefined;
  }

  #giveBack(step: S): void {
    const admission = this.#held.get(step);
    if (admission === undefined) return;
    this.#held.delete(step);
    giveBack(admission);
  }
}
