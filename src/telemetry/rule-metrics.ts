import type { RecordView } from './exchange-record.ts';
import type { MetricRegistry, Sample } from './metric-registry.ts';

/** Texts of applied rules that are remembered with what they mean: they repeat from record to record. */
const MOST_TEXTS = 4_096;
/** Rule ids come from the configuration; over many reloads there may still be any number of them. */
const MOST_RULES = 1_000;
const OTHER = 'other';

interface Count {
  value: number;
}

/** What one text of applied rules counts: found once, then only raised. */
interface Applied {
  readonly nominated: readonly Count[];
  readonly downgraded: Count | undefined;
  readonly refusedByRate: Count | undefined;
  readonly refusedByBudget: Count | undefined;
}

type Counts = Map<string, Count>;

/**
 * How often rules matched (nominated) and how often they refused or sent elsewhere (applied), under the reference
 * product's names. Read from `rulesJson` of records.
 */
export class RuleMetrics {
  readonly #texts = new Map<string, Applied>();
  readonly #rateNominated: Counts = new Map();
  readonly #rateApplied: Counts = new Map();
  readonly #budgetNominated: Counts = new Map();
  readonly #budgetApplied: Counts = new Map();

  add({ rulesJson, errorCode }: RecordView): void {
    if (rulesJson !== undefined) this.#add(rulesJson, errorCode);
  }

  #add(text: string, errorCode: string | undefined): void {
    const { nominated, downgraded, refusedByRate, refusedByBudget } = this.#read(text);
    for (const count of nominated) count.value += 1;
    if (downgraded !== undefined) downgraded.value += 1;
    const refused = errorCode === 'rate_limited' ? refusedByRate : refusedByBudget;
    if (refused !== undefined) refused.value += 1;
  }

  #read(text: string): Applied {
    let applied = this.#texts.get(text);
    if (applied === undefined) {
      applied = this.#parse(text);
      if (this.#texts.size >= MOST_TEXTS) this.#texts.clear();
      this.#texts.set(text, applied);
    }
    return applied;
  }

  /** Written by limits/applied-rules.ts of the same build: its shape is not checked. */
  #parse(text: string): Applied {
    const { ratelimit = [], budget = [], refused, downgrade } = JSON.parse(text);
    // A budget that sent a request on matched it too; under the other model its rule may no longer apply.
    const budgets = new Set<string>(downgrade === undefined ? budget : [...budget, downgrade.by]);
    return {
      nominated: [
        ...ratelimit.map((id: string) => countOf(this.#rateNominated, id)),
        ...[...budgets].map((id) => countOf(this.#budgetNominated, id)),
      ],
      downgraded: downgrade && countOf(this.#budgetApplied, downgrade.by),
      refusedByRate: ratelimit.includes(refused) ? countOf(this.#rateApplied, refused) : undefined,
      refusedByBudget: budgets.has(refused) ? countOf(this.#budgetApplied, refused) : undefined,
    };
  }

  register(registry: MetricRegistry): void {
    const family = (name: string, help: string, counts: Counts) =>
      registry.family('counter', name, help, () =>
        [...counts].map(([ruleId, { value }]): Sample => ({ labels: { ruleId }, value })),
      );
    family(
      'ai_gateway_rate_limit_nominated_total',
      'Requests that a rate limit rule matched, by rule',
      this.#rateNominated,
    );
    family(
      'ai_gateway_rate_limit_applied_total',
      'Requests that a rate limit rule refused, by rule',
      this.#rateApplied,
    );
    family('ai_gateway_budget_nominated_total', 'Requests that a budget matched, by budget', this.#budgetNominated);
    family(
      'ai_gateway_budget_applied_total',
      'Requests that a budget refused or sent to a cheaper model, by budget',
      this.#budgetApplied,
    );
  }
}

function countOf(counts: Counts, id: string): Count {
  const label = counts.has(id) || counts.size < MOST_RULES ? id : OTHER;
  let count = counts.get(label);
  if (count === undefined) {
    count = { value: 0 };
    counts.set(label, count);
  }
  return count;
}
