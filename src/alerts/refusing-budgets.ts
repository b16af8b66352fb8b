import type { Log } from '../core/log.ts';
import type { BudgetWindowKey, RefusalAction } from '../counters/budget-groups.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';

/** Windows that are known to be told; beyond it they may be told twice. */
const MAX_WINDOWS = 50_000;
/** Budgets with a series of their own; over many reloads there may be any number of them. */
const MAX_SERIES = 1_000;

/**
 * Budgets that begin to refuse requests, or to send them to a cheaper model: said in the log and counted, once per group
 * and period, also where there is no ledger and nobody to alert. Every relay thread tells of its own first refusal.
 */
export class RefusingBudgets {
  readonly #log: Log;
  #told = new Set<string>();
  readonly #counts = new Map<string, number>();

  constructor(log: Log) {
    this.#log = log;
  }

  refuses({ budget, unit, periodStart, group }: BudgetWindowKey, action: RefusalAction): void {
    const window = JSON.stringify([budget, unit, periodStart, group]);
    if (this.#told.has(window)) return;
    if (this.#told.size >= MAX_WINDOWS) this.#told.clear();
    this.#told.add(window);
    this.#count(JSON.stringify([budget, action]));
    const message =
      action === 'refuse'
        ? 'a budget begins to refuse requests'
        : 'a budget begins to send requests to a cheaper model';
    this.#log.warn({ budget, unit, group }, message);
  }

  register(registry: MetricRegistry): void {
    registry.family(
      'counter',
      'sluice_budget_refusals_begun_total',
      'Groups of a budget that began to refuse requests or to send them to a cheaper model, each once in a period',
      () =>
        [...this.#counts].map(([key, value]) => {
          const [ruleId, action] = JSON.parse(key);
          return { labels: { ruleId, action }, value };
        }),
    );
  }

  #count(key: string): void {
    const known = this.#counts.get(key);
    if (known === undefined && this.#counts.size >= MAX_SERIES) return;
    this.#counts.set(key, (known ?? 0) + 1);
  }
}
