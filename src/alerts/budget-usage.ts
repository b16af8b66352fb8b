import type { MetricRegistry, Sample } from '../telemetry/metric-registry.ts';

interface Fullest {
  readonly ratio: number;
  /** When its period is over. */
  readonly endsAt: number;
}

/** More budgets than this have no gauge. */
const MOST_BUDGETS = 1_000;

/** How full each budget is: its fullest group in any of its units. One number a budget, however many groups it has. */
export class BudgetUsage {
  readonly #fullest = new Map<string, Fullest>();

  seen({ budget, spent, limit, endsAt }: { budget: string; spent: number; limit: number; endsAt: number }): void {
    const known = this.#fullest.get(budget);
    if (known === undefined && this.#fullest.size >= MOST_BUDGETS) return;
    // A limit of zero is full from the first charge on.
    const ratio = limit > 0 ? spent / limit : 1;
    if (known === undefined || ratio >= known.ratio || known.endsAt <= Date.now())
      this.#fullest.set(budget, { ratio, endsAt });
  }

  clear(): void {
    this.#fullest.clear();
  }

  register(registry: MetricRegistry): void {
    registry.family(
      'gauge',
      'ai_gateway_budget_usage',
      'What the fullest group of a budget has spent in this period, as a share of its limit (1: all of it)',
      () => this.#samples(Date.now()),
    );
  }

  #samples(now: number): Sample[] {
    return [...this.#fullest].map(([ruleId, { ratio, endsAt }]) => ({
      labels: { ruleId },
      value: endsAt > now ? ratio : 0,
    }));
  }
}
