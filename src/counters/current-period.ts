import type { BudgetPeriod } from '../config/configuration.ts';
import { periodEnd, periodStart } from './periods.ts';

/** The bounds of a period, worked out again only when time has left them. */
export class CurrentPeriod {
  readonly #period: BudgetPeriod;
  startMs = 0;
  endMs = 0;

  constructor(period: BudgetPeriod) {
    this.#period = period;
  }

  /** Makes `startMs` and `endMs` those of the period that holds `atMs`. */
  at(atMs: number): this {
    if (atMs < this.startMs || atMs >= this.endMs) {
      this.startMs = periodStart(this.#period, atMs);
      this.endMs = periodEnd(this.#period, atMs);
    }
    return this;
  }
}
