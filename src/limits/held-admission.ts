import type { Reservation } from '../counters/counters.ts';
import type { Admission, AdmissionOutcome, AdmissionRequest, Allowance } from './admission.ts';
import type { LimitSelection } from './limit-selection.ts';
import type { ModelForecast } from './token-forecast.ts';

/** Whole numbers up to here are exact, and sums of many of them still are. */
const MOST_AMOUNT = 2 ** 50;

/** One request with what it is held against and what it will probably use. */
export interface Asked {
  readonly request: AdmissionRequest;
  readonly selection: LimitSelection;
  readonly forecast: ModelForecast;
  readonly inputTokens: number;
  /** Undefined: no price is known, or no rule asks for it. */
  readonly costNanoUsd: number | undefined;
}

/** What an exchange holds until it is over. */
export class HeldAdmission implements Admission {
  readonly downgradeTo = undefined;
  readonly rulesJson: string | undefined;
  readonly allowance: Allowance | undefined;
  readonly #asked: Asked;
  #reservation: Reservation | undefined;

  constructor(asked: Asked, reservation: Reservation, rulesJson: string | undefined, allowance: Allowance | undefined) {
    this.rulesJson = rulesJson;
    this.allowance = allowance;
    this.#asked = asked;
    this.#reservation = reservation;
  }

  get chargesJson(): string | undefined {
    return this.#asked.selection.chargesJson;
  }

  get reservedNanoUsd(): number | undefined {
    return this.#asked.costNanoUsd;
  }

  over(): void {
    this.#reservation?.over();
  }

  settle({ dispatched, usage, costNanoUsd, endedAtMs }: AdmissionOutcome): void {
    const reservation = this.#reservation;
    if (reservation === undefined) return;
    this.#reservation = undefined;
    const { request, selection, forecast } = this.#asked;
    if (usage !== undefined) forecast.learn(request.bodyBytes, usage, request.choices);
    if (!dispatched) {
      reservation.settle(selection.nothing, endedAtMs);
      return;
    }
    const tokens = amountOf(usage?.inputTokens) + amountOf(usage?.outputTokens);
    reservation.settle(selection.amounts(tokens, amountOf(costNanoUsd)), endedAtMs);
  }
}

/** A request that failed used nothing; a provider that says nonsense must not make a count that is none. */
export function amountOf(count: number | undefined): number {
  return count !== undefined && count > 0 ? Math.min(Math.round(count), MOST_AMOUNT) : 0;
}
